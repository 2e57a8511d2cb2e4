"""Pipelines that come with Spadework, each an example to copy."""
