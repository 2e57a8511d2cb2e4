"""A terminal that an answer grows on, cleaned as it comes."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from spadework.checks.reply_markup import VisibleStream
from spadework.util.text_cleaning import ESCAPE_STARTS, clean, is_settled
from spadework.util.untrusted_text import one_line

if TYPE_CHECKING:
    from spadework.engine.job import Progress


_LONGEST_STATUS = 500  # characters


class CleanStream:
    """Cleans a text piece by piece; what comes out is what `clean` makes of the whole.

    Joiners, emoji selectors and carriage returns wait for what follows them. An escape sequence
    may run on to the text's end, so from the first one on all waits for `finish`. Linear in the
    text's length.
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._last = ""
        self._holds_all = False

    def feed(self, piece: str) -> str:
        """Take the next piece; return what no further piece can change."""
        self._holds_all = self._holds_all or any(start in piece for start in ESCAPE_STARTS)
        end = 0 if self._holds_all else _settled_end(piece)
        if not end:
            self._held.append(piece)
            return ""
        settled = "".join([*self._held, piece[:end]])
        self._held = [piece[end:]]
        return self._clean(settled)

    def finish(self) -> str:
        """Return what was held back."""
        rest, self._held = "".join(self._held), []
        return self._clean(rest)

    def _clean(self, text: str) -> str:
        """Clean a text with the character before it in sight: joiners need one."""
        cleaned = clean(self._last + text)[0][len(self._last) :]
        self._last = text[-1:]
        return cleaned


def _settled_end(piece: str) -> int:
    """Where the last character ends that stays whatever follows; 0 where there is none."""
    return next((end for end in range(len(piece), 0, -1) if is_settled(piece[end - 1])), 0)


class Screen:
    """One status line until the answer begins, then the answer itself.

    Args:
        streams: whether standard output shows the answer while it comes.
        shows_status: whether standard error shows what is being done.
    """

    def __init__(self, *, streams: bool, shows_status: bool) -> None:
        self.shows_status = shows_status
        self._streams = streams
        self._status = ""
        self._begin()

    def _begin(self) -> None:
        self._visible = VisibleStream()
        self._clean = CleanStream()
        self._shown: list[str] = []

    def progress(self, progress: Progress) -> None:
        """Show a step of the delegation."""
        if progress.stage == "next-model":
            self._start_over(progress.message)
        elif self.shows_status and not self._shown:
            self._set_status(progress.message)

    def status(self, message: str) -> None:
        """Show how far it is."""
        self._set_status(one_line(message, _LONGEST_STATUS))

    def text(self, piece: str) -> None:
        """Show the next raw piece of the reply, as far as it is for the reader."""
        if self._streams:
            self._write(self._clean.feed(self._visible.feed(piece)))

    def leave(self) -> None:
        """Clear the status line."""
        self._set_status("")

    def show(self, answer: str) -> None:
        """Print what the stream did not show; all of it if the stream differed."""
        if self._shown:
            self._write(self._clean.feed(self._visible.finish()) + self._clean.finish())
        shown = "".join(self._shown)
        if shown and shown.strip() == answer:
            rest = "" if shown.endswith("\n") else "\n"
        else:
            rest = ("\n--- the checked answer:\n" if shown else "") + answer + "\n"
        sys.stdout.write(rest)
        sys.stdout.flush()

    def _write(self, text: str) -> None:
        if not text:
            return
        self._set_status("")
        self._shown.append(text)
        sys.stdout.write(text)
        sys.stdout.flush()

    def _start_over(self, reason: str) -> None:
        """A model failed: what it said does not count."""
        self._set_status("")
        if self._shown:
            sys.stdout.write("\n")
        if self.shows_status:
            sys.stderr.write(f"--- {reason}\n")
        self._begin()

    def _set_status(self, message: str) -> None:
        if not self.shows_status or message == self._status:
            return
        self._status = message
        # The last column stays free: a full line would wrap, and could not be cleared.
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{message[:width]}" if message else "\r\x1b[K")
        sys.stderr.flush()
