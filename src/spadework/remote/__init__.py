"""The client side of daemon calls, for the command line and the Python API."""
