"""Exit codes of the command line.

0 done; 1 handed back, a backend, the ledger or the embedded engine failed, or `doctor` or `comply`
found something; 2 wrong usage, arguments or config; 3 a reference was refused; 130 stopped by
Ctrl-C; 141 the reader of our output went away; 143 stopped by SIGTERM.

The runs of a pipeline end with two more: 4 some items have no value; 5 stopped at the budget or
cancelled.
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_SOME = 4
EXIT_STOPPED = 5
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143
