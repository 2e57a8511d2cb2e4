"""Sources to split, and counters that note how often they are asked."""

import re

from spadework.references.material import Source
from spadework.references.splitting import split

WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def source(text, path="notes.md", first=1, **changes):
    lines = text.count("\n") + (text[-1:] not in {"", "\n"})
    values = {"private": False, "encoding": "utf-8", "bytes": len(text.encode("utf-8", "replace"))}
    last = first + lines - 1
    return Source(path, text, first, last, total_lines=last, **(values | changes))


class Counter:
    """Counts tokens in one of several fashions, and its own calls."""

    def __init__(self, count=lambda text: len(WORDS.findall(text))):
        self.count = count
        self.calls = 0
        self.longest = 0

    def __call__(self, text):
        self.calls += 1
        self.longest = max(self.longest, len(text))
        return self.count(text)


def parts_of(text, size, path="notes.md", counter=None, **changes):
    """Split, and check all that holds for every split."""
    counter = counter or Counter()
    made = source(text, path, **changes)
    parts = split(made, size, counter)
    calls = counter.calls
    assert "".join(part.text for part in parts) == text
    assert all(part.text and counter.count(part.text) <= size for part in parts)
    check_places(made, parts)
    return parts, calls


def check_places(made, parts):
    """Each part stands where it says: its lines and columns give its text."""
    lines = made.text.split("\n")
    for part in parts:
        first, last = part.first_line - made.first_line, part.last_line - made.first_line
        inside = [*lines[first : last + 1]]
        if part.last_column is not None:
            inside[-1] = inside[-1][: part.last_column]
        inside[0] = inside[0][part.first_column - 1 :]
        assert part.text == "\n".join(inside) + "\n" * part.text.endswith("\n")
        assert part.path == made.path
