"""The daemon's calls as the command line and the Python API make them."""
