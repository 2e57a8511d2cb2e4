"""The rows that a server under test has written, and the two ways in which it works."""

import pytest

from spadework.storage.ledger import Filter, Ledger

BOTH_WAYS = pytest.mark.parametrize(
    "own_work", [[], ["--in-process"]], ids=["through the daemon", "in process"]
)


def ledger_rows(config_file):
    """The ledger's rows, newest first."""
    ledger = Ledger(config_file.parent / "data" / "ledger.db")
    try:
        return list(ledger.entries(Filter(limit=100)))
    finally:
        ledger.close()
