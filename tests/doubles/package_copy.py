"""A copy of the package in which some files are others, to show what a change needs."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import spadework


def copy_package(folder: Path, changed: Mapping[str, str]) -> dict[str, str]:
    """Make the copy, of links but for the files that change.

    Args:
        folder: where; the package is below it.
        changed: the new text of each changed or added file, by its path in the package.

    Returns:
        The environment in which `python -m spadework` runs the copy.
    """
    package = Path(spadework.__file__).parent
    shutil.rmtree(folder, ignore_errors=True)
    for file in package.rglob("*"):
        name = file.relative_to(package)
        if file.is_file() and "__pycache__" not in name.parts:
            place = folder / "spadework" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if str(name) not in changed:
                place.symlink_to(file)
    for name, text in changed.items():
        (folder / "spadework" / name).write_text(text)
    return os.environ | {"PYTHONPATH": str(folder)}


def source_with(path: str, old: str, new: str) -> str:
    """The text of a file of the package in which one piece, which is there once, is another."""
    text = (Path(spadework.__file__).parent / path).read_text()
    assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
    return text.replace(old, new)
