"""Projects on disk for the tests of references, and reading in them."""

import pytest

from spadework.config.models import ReferencesConfig
from spadework.errors import ReferenceRefused
from spadework.references.reader import read_references
from spadework.references.roots import Roots


def build(folder, files):
    """Write files (path -> text or bytes) below a folder; a path that ends in / is a folder."""
    for path, content in files.items():
        target = folder / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(project, *references, extra=(), **limits):
    return read_references(
        references, roots=Roots.of(project, extra), limits=ReferencesConfig(**limits)
    )


def paths(project, *references, extra=(), **limits):
    return [source.path for source in read(project, *references, extra=extra, **limits).sources]


def left_out(project, *references, extra=(), **limits):
    material = read(project, *references, extra=extra, **limits)
    return {one.path: one.reason for one in material.left_out}


def refused(project, *references, extra=(), **limits):
    """The refusal that reading ends in; every one has a rule and a hint of what to do next."""
    with pytest.raises(ReferenceRefused) as raised:
        read(project, *references, extra=extra, **limits)
    assert raised.value.rule
    assert " ".join(raised.value.path.split()) in str(raised.value)
    assert "\n" not in str(raised.value)
    return raised.value
