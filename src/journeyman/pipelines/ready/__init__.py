"""Pipelines that come with Journeyman, each an example to copy."""
