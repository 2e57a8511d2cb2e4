"""The daemon's log: a file in the data folder that is rotated before it grows large."""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from spadework.util.paths import data_folder
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import one_line

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path
    from types import TracebackType

LOG_NAME = "daemon.log"

_MOST_BYTES = 1_000_000
_OLD_FILES = 2
_LONGEST_LINE = 4000  # characters
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"

log = logging.getLogger(__name__)


class _CleanFormatter(logging.Formatter):
    """Keeps words of servers from forging lines of the log, or speaking to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Write the message in one line."""
        return one_line(super().formatMessage(record), _LONGEST_LINE)

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; a traceback keeps its lines."""
        return clean(super().format(record))[0]


class _PrivateFile(RotatingFileHandler):
    """A log that only its user may read."""

    def _open(self) -> TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(opened, "a", encoding="utf-8", errors="replace")


def log_file() -> Path:
    """Where the daemon writes its log."""
    return data_folder() / LOG_NAME


def start_log(*, to_screen: bool) -> str:
    """Take all that is logged in this process, and what Python would print when it dies.

    Args:
        to_screen: to standard error as well.

    Returns:
        The file; empty where there is none, because it cannot be written.
    """
    file = log_file()
    handlers: list[logging.Handler] = [logging.StreamHandler()] if to_screen else []
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_PrivateFile(file, maxBytes=_MOST_BYTES, backupCount=_OLD_FILES))
        name = str(file)
    except OSError:
        handlers.append(logging.NullHandler())
        name = ""
    for handler in handlers:
        handler.setFormatter(_CleanFormatter(_FORMAT))
    logging.raiseExceptions = False  # a full disk must not cause a traceback per record
    logging.basicConfig(handlers=handlers, level=logging.WARNING)
    logging.getLogger("spadework").setLevel(logging.INFO)
    sys.excepthook = _log_uncaught
    return name


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    log.critical("the daemon dies", exc_info=(kind, error, traceback))
    sys.stderr.write(f"error: the daemon died: {kind.__name__}: {error}\n")
