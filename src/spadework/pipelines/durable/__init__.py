"""Durable execution: runs that survive their process. Only this package uses DBOS."""
