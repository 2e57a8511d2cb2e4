"""The one path of a delegation."""
