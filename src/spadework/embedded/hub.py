"""Pulls a GGUF file from the Hugging Face hub: resumed, checked, in place whole or not at all.

The hub's own client is used for addresses, tokens, offline mode, retries and the progress bar.
Its one-call download (`hf_hub_download`) is not: since huggingface-hub 2 it starts anew after an
interruption, and it does not compare the checksum.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from spadework.embedded.gguf import MAGIC, check_magic
from spadework.embedded.hub_errors import explained
from spadework.embedded.model_file import GET_THE_EXTRA
from spadework.embedded.model_store import (
    has_digest,
    megabytes,
    one_fetch_at_a_time,
    require_space,
    tell,
)
from spadework.errors import ArgumentError, EmbeddedError
from spadework.util.http_client import bound_client, replies_up_to
from spadework.util.paths import models_folder

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

_PART_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SPLIT_FILE = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of one commit on the hub; `size` is in bytes."""

    repo: str
    file: str
    commit: str
    sha256: str
    size: int

    @property
    def target(self) -> Path:
        """Where it belongs in the models folder."""
        return models_folder() / self.repo / self.file

    @property
    def partial(self) -> Path:
        """What has arrived so far; named after the content, so that versions never mix."""
        return self.target.with_name(f".{self.target.name}.{self.sha256[:16]}.partial")


def pull(repo: str, file: str, revision: str | None = None, *, out: TextIO | None = None) -> Path:
    """Fetch a GGUF file into the models folder, unless it is there already.

    An interrupted download goes on where it stopped when it is pulled again.

    Args:
        repo: OWNER/REPO on the hub; `HF_ENDPOINT` names another hub.
        file: the file's path within the repository.
        revision: branch, tag or commit; None for the main branch.
        out: where progress is written; None for silence.

    Returns:
        The model file.

    Raises:
        ArgumentError: repo or file is not written as it must be.
        EmbeddedError: the file cannot be had, is not what the hub promised, or the disk is full.
    """
    _check_names(repo, file)
    _check_client()
    with explained(repo, file, revision):
        wanted = _look_up(repo, file, revision)
        if has_digest(wanted.target, wanted.sha256):
            return wanted.target
        with one_fetch_at_a_time(out):
            tell(out, f"fetching {repo} {file} ({megabytes(wanted.size)}) …")
            wanted.target.parent.mkdir(parents=True, exist_ok=True)
            _download(wanted)
            _check(wanted)
            wanted.partial.replace(wanted.target)
    return wanted.target


def _check_names(repo: str, file: str) -> None:
    parts = repo.split("/")
    if len(parts) != len(("OWNER", "REPO")) or not all(_is_plain(part) for part in parts):
        raise ArgumentError(f"{repo!r} is not written OWNER/REPO")
    if not all(_is_plain(part) for part in file.split("/")) or not file.endswith(".gguf"):
        raise ArgumentError(
            f"{file!r} is no GGUF file of a repository",
            hint="give the file's path in the repository; it ends in .gguf",
        )
    if _SPLIT_FILE.search(file):
        raise ArgumentError(
            f"{file!r} is one part of a split model", hint="take a model that is a single file"
        )


def _is_plain(part: str) -> bool:
    return _PART_NAME.fullmatch(part) is not None and not part.startswith(".")


def _check_client() -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise EmbeddedError(
            "pulling models needs the package huggingface-hub",
            hint=GET_THE_EXTRA,
        )


def _look_up(repo: str, file: str, revision: str | None) -> HubFile:
    import huggingface_hub as hub  # noqa: PLC0415 - 0.3 s

    hub.set_client_factory(_client)
    found = hub.get_hf_file_metadata(hub.hf_hub_url(repo, file, revision=revision))
    if not (found.commit_hash and found.size and _SHA256.fullmatch(found.etag or "")):
        raise EmbeddedError(
            f"the hub does not tell the SHA-256 of {repo} {file}, so it could not be checked",
            hint="if HF_ENDPOINT is set, see that it names a complete mirror",
        )
    return HubFile(repo, file, found.commit_hash, str(found.etag), found.size)


def _client() -> httpx2.Client:
    """Build the hub's own client, with bounded replies."""
    import httpx2  # noqa: PLC0415 - importing it is slow
    from huggingface_hub.utils import _http  # noqa: PLC0415 - 0.3 s

    client: httpx2.Client = bound_client(_http.default_client_factory(), httpx2)
    return client


def _download(wanted: HubFile) -> None:
    import huggingface_hub as hub  # noqa: PLC0415 - 0.3 s
    from huggingface_hub.file_download import http_get  # noqa: PLC0415 - 0.3 s
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415 - lazy there
        build_hf_headers,
    )

    with wanted.partial.open("ab") as partial, replies_up_to(wanted.size + 1):
        there = partial.tell()
        require_space(wanted.size - there)
        http_get(
            hub.hf_hub_url(wanted.repo, wanted.file, revision=wanted.commit),
            partial,
            resume_size=there,
            headers=build_hf_headers(),
            expected_size=wanted.size,
            displayed_filename=wanted.file,
        )


def _check(wanted: HubFile) -> None:
    if not has_digest(wanted.partial, wanted.sha256):
        wanted.partial.unlink()
        raise EmbeddedError(
            f"{wanted.repo} {wanted.file} did not arrive as the hub has it (its SHA-256 differs)",
            hint="nothing was kept; pull it again",
        )
    try:
        check_magic(wanted.partial)
    except EmbeddedError as error:
        wanted.partial.unlink()
        raise EmbeddedError(
            f"{wanted.repo} {wanted.file} is no GGUF file: it does not begin with {MAGIC!r}",
            hint="nothing was kept; take a file in llama.cpp's GGUF format",
        ) from error
