"""Is everything in place? One file for each group of checks; each check returns findings."""
