"""The rows that a server under test has written."""

from journeyman.ledger import Filter, Ledger


def ledger_rows(config_file):
    """The ledger's rows, newest first."""
    ledger = Ledger(config_file.parent / "data" / "ledger.db")
    try:
        return list(ledger.entries(Filter(limit=100)))
    finally:
        ledger.close()
