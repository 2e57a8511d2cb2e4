"""Storage on disk: the ledger of delegations and the answers of earlier calls."""
