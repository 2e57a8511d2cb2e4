"""What a `git:` reference may say: a closed list, so that nothing else reaches git.

And names as git quotes them.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

PREFIX = "git:"
FORMS = (
    "git:diff, git:diff --staged, git:diff main..., git:diff REV REV -- PATH, git:show REV, "
    "git:show REV:PATH, git:log -20, git:log REV..REV -- PATH"
)
# A branch, a tag, a hash, HEAD~2, @{upstream}; it cannot begin like an option.
REVISION = re.compile(r"[\w@][\w./@{}^~+#=-]*")
RANGE = re.compile(r"(?P<from>.*?)(?P<dots>\.{2,3})(?P<to>.*)", re.DOTALL)
COUNT = re.compile(r"-n?[0-9]{1,6}")
WITHOUT_PATCH = frozenset({"--stat", "--name-only", "--name-status"})
FLAGS = {
    "diff": WITHOUT_PATCH | {"--staged", "--cached"},
    "show": WITHOUT_PATCH,
    "log": WITHOUT_PATCH | {"--oneline", "-p"},
}
MOST_REVISIONS = {"diff": 2, "show": 1, "log": 1}


@dataclass(frozen=True, slots=True)
class Revisions:
    """One commit, or a range: `dots` is empty, ".." or "..."."""

    first: str
    dots: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class GitReference:
    """A `git:` reference, understood. `file` is the path of `git:show REV:PATH`."""

    command: str
    flags: tuple[str, ...] = ()
    revisions: tuple[Revisions, ...] = ()
    paths: tuple[str, ...] = ()
    file: str = ""

    @property
    def has_patch(self) -> bool:
        """Whether its output holds the lines of files."""
        if self.command == "log" and "-p" not in self.flags:
            return False
        return not WITHOUT_PATCH & set(self.flags)

    @property
    def shows_messages_only(self) -> bool:
        """Whether its output names no files at all."""
        return self.command == "log" and not {"-p", *WITHOUT_PATCH} & set(self.flags)


def is_git(reference: str) -> bool:
    """Whether it is a `git:` reference. A file of such a name is `./git:…`."""
    return reference.startswith(PREFIX)


def parse(reference: str) -> GitReference:
    """Read a `git:` reference.

    Raises:
        ValueError: it is none of the allowed forms; the message says why.
    """
    command, *words = shlex.split(reference.removeprefix(PREFIX)) or [""]
    if command not in FLAGS:
        raise ValueError(f"{command or 'nothing'} is not read of git")
    paths: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, paths = words[:at], words[at + 1 :]
    if command == "log" and "-n" in words[:-1]:
        at = words.index("-n")
        words[at : at + 2] = [f"-n{words[at + 1]}"]
    flags = [word for word in words if word.startswith("-")]
    named = [word for word in words if not word.startswith("-")]
    _check_flags(command, flags)
    for path in paths:
        check_path(path)
    if command == "show" and len(named) == 1 and ":" in named[0]:
        return _file_of(named[0], flags, paths)
    revisions = tuple(map(_revisions, named))
    if len(revisions) > MOST_REVISIONS[command]:
        raise ValueError("it names too many revisions; paths stand behind --")
    if any(one.dots for one in revisions) and (len(revisions) > 1 or command == "show"):
        raise ValueError("a range stands alone")
    return GitReference(command, tuple(flags), revisions, tuple(paths))


def check_path(path: str) -> None:
    """Refuse a path that could leave the folder, or that means more than a path to git.

    Raises:
        ValueError: it is such a path.
    """
    if not path or path.startswith((":", "/", "~")) or ".." in path.split("/"):
        raise ValueError(f"the path {path!r} is not a plain path below the project folder")


def _check_flags(command: str, flags: list[str]) -> None:
    for flag in flags:
        if flag not in FLAGS[command] and not (command == "log" and COUNT.fullmatch(flag)):
            raise ValueError(f"{command} is not read with {flag}")
    if "-p" in flags and (other := {"--oneline", *WITHOUT_PATCH} & set(flags)):
        raise ValueError(f"log is read with -p or with {min(other)}, not with both")


def _file_of(word: str, flags: list[str], paths: list[str]) -> GitReference:
    revision, _, file = word.partition(":")
    if not revision:
        raise ValueError("no revision stands before the colon: write HEAD:PATH")
    if flags or paths:
        raise ValueError("a file of a revision stands alone")
    check_path(file)
    return GitReference("show", revisions=(_single(revision),), file=file)


def _revisions(word: str) -> Revisions:
    match = RANGE.fullmatch(word)
    if match is None:
        return _single(word)
    if not match["from"] and not match["to"]:
        raise ValueError("a range names a revision on one side at least")
    first, last = (_single(side or "HEAD").first for side in (match["from"], match["to"]))
    return Revisions(first, match["dots"], last)


def _single(word: str) -> Revisions:
    if ".." in word or not REVISION.fullmatch(word):
        raise ValueError(f"{word!r} is not a revision; paths go after --")
    return Revisions(word)


# Names as git quotes them: like strings of C, bytes beyond ASCII in octal.
QUOTED = rb'"(?:[^"\\\n]|\\.)*"'

_ESCAPE = re.compile(rb"\\(?:(?P<octal>[0-3][0-7]{2})|(?P<letter>.))", re.DOTALL)
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
}


def unquote(name: bytes) -> bytes:
    """Give the name that is meant; one that is not quoted as git does it is itself."""
    if not re.fullmatch(QUOTED, name):
        return name
    return _ESCAPE.sub(_meant, name[1:-1])


def leading_quoted(text: bytes) -> tuple[bytes, int] | None:
    """Read a quoted name at a text's start.

    Returns:
        The name and where its quotation ends, None if there is none in git's own form.
    """
    match = re.match(rb'"(?:[^"\\]|\\(?:[0-3][0-7]{2}|[abfnrtv\\"]))*"', text)
    if match is None:
        return None
    return _ESCAPE.sub(_meant, match[0][1:-1]), match.end()


def _meant(escape: re.Match[bytes]) -> bytes:
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    return _LETTERS.get(escape["letter"], escape["letter"])
