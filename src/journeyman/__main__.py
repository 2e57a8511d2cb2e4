"""`python -m journeyman` is the command `journeyman`."""

from journeyman.cli import main

main()
