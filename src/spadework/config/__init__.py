"""The config file: typed models, loading, keys."""
