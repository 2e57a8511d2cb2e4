"""Exit codes of the command line.

0 done; 1 handed back, a backend, the ledger or the embedded engine failed, or `doctor` or `comply`
found something; 2 wrong usage, arguments or config; 3 a reference was refused; 130 stopped by
Ctrl-C; 141 the reader of our output went away; 143 stopped by SIGTERM.
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143
