"""A new pipeline's files: a script that works at once, and its tests."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from spadework.errors import ArgumentError

_TEMPLATES = ("pipeline.py.txt", "test_pipeline.py.txt")
_LONGEST_NAME = 32
# What the script itself imports and defines, and what tests import.
_TAKEN = frozenset(
    {"ask", "claude", "spadework", "pipeline", "pytest", "report", "report_of", "why"}
)


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The files to write.

    Args:
        script: the pipeline's file.
        test: the file of its tests.
        contents: the text of both files.
    """

    script: Path
    test: Path
    contents: tuple[str, str]

    def write(self) -> None:
        """Write both files, neither over one that is there.

        Raises:
            ArgumentError: one is there already, or cannot be written.
        """
        written: list[Path] = []
        try:
            for path, content in zip((self.script, self.test), self.contents, strict=True):
                with path.open("x", encoding="utf-8") as file:
                    written.append(path)
                    file.write(content)
        except OSError as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                raise _there(Path(error.filename)) from None
            raise ArgumentError(
                f"{error.filename or self.script} cannot be written: {error.strerror}"
            ) from None


def scaffold(name: str) -> Scaffold:
    """Make a new pipeline's files.

    Args:
        name: its name, with `-` or `_`, in a folder or not, with `.py` or not.

    Raises:
        ArgumentError: not a valid module name, or a file exists already.
    """
    place = Path(name.removesuffix(".py"))
    module = place.name.replace("-", "_")
    if reason := _reason_against(module):
        raise ArgumentError(
            f"{name!r} is not a valid name for a pipeline: {reason}", hint="such as sort-mail"
        )
    script = place.with_name(f"{module}.py")
    test = place.with_name(f"test_{module}.py")
    if not script.parent.is_dir():
        raise ArgumentError(f"no such folder: {script.parent}", hint="create it first")
    for path in (script, test):
        if path.exists() or path.is_symlink():
            raise _there(path)
    words = {
        "FUNCTION": module,
        "MODULE": module,
        "SUMMARY": module.replace("_", " ").strip().capitalize(),
        "FILE": f"{module}.py",
        "NAMES": ", ".join(sorted([module, "report"])),
    }
    texts = (files("spadework.pipelines").joinpath("templates", one) for one in _TEMPLATES)
    script_text, test_text = (_filled(one.read_text("utf-8"), words) for one in texts)
    return Scaffold(script, test, (script_text, test_text))


def _reason_against(module: str) -> str:
    """Why no pipeline's module may be called so; empty if it may."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", module):
        return "it is made of letters, digits and -, a letter first"
    if len(module) > _LONGEST_NAME:
        return f"it is longer than {_LONGEST_NAME} characters"
    if keyword.iskeyword(module) or module.startswith("test_"):
        return "it means something else to Python or pytest"
    if module in sys.stdlib_module_names or module in _TAKEN:
        return f"it would hide another {module}"
    return ""


def _filled(template: str, words: dict[str, str]) -> str:
    return re.sub(r"FUNCTION|MODULE|SUMMARY|FILE|NAMES", lambda match: words[match[0]], template)


def _there(path: Path) -> ArgumentError:
    return ArgumentError(f"{path} is there already", hint="choose another name")
