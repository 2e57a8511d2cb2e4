"""What the engine's tests share: the models of the doubles, and the rows of the ledger."""

from spadework.storage.ledger import Filter, Ledger

LLAMA = "koala/llama3-local"
CODE = "koala/codellama-local"


def rows(folder):
    """The ledger's rows, newest first."""
    ledger = Ledger(folder / "ledger.db")
    try:
        return list(ledger.entries(Filter(limit=1000)))
    finally:
        ledger.close()
