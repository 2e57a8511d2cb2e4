"""One file per kind of server, behind the protocol of `base`."""
