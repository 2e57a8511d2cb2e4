"""Journeyman."""
