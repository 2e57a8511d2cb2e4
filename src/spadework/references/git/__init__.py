"""`git:` references: what git shows, read without a shell and without a trace."""
