"""Pulls a GGUF file from the Hugging Face hub: resumed, checked, in place whole or not at all.

The hub's own client is used for addresses, tokens, offline mode, retries and the progress bar.
Its one-call download (`hf_hub_download`) is not: since huggingface-hub 2 it starts anew after an
interruption, and it does not compare the checksum.
"""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import httpx2

from spadework.embedded.model_file import GET_THE_EXTRA, MAGIC, check_magic
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

try:
    import huggingface_hub as hub
    from huggingface_hub import errors
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        _http,
        build_hf_headers,
    )
except ImportError as missing:
    raise EmbeddedError(
        "pulling models needs the package huggingface-hub", hint=GET_THE_EXTRA
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PART_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SPLIT_FILE = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_QUESTION_SECONDS = 10.0
_MOST_FILES_NAMED = 12
_NO_ACCESS = frozenset({401, 403})
_ACCESS = "if it is private or gated: accept its terms on its page and set HF_TOKEN"


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
    with _explained(repo, file, revision):
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
            f"{file!r} is not a GGUF file of a repository",
            hint="give the file's path in the repository; it ends in .gguf",
        )
    if _SPLIT_FILE.search(file):
        raise ArgumentError(
            f"{file!r} is one part of a split model", hint="take a model that is a single file"
        )


def _is_plain(part: str) -> bool:
    return _PART_NAME.fullmatch(part) is not None and not part.startswith(".")


def _look_up(repo: str, file: str, revision: str | None) -> HubFile:
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
    client: httpx2.Client = bound_client(_http.default_client_factory(), httpx2)
    return client


def _download(wanted: HubFile) -> None:
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
            f"{wanted.repo} {wanted.file} is not a GGUF file: it does not begin with {MAGIC!r}",
            hint="nothing was kept; take a file in llama.cpp's GGUF format",
        ) from error


@contextmanager
def _explained(repo: str, file: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises inside into an `EmbeddedError`."""
    # The hub's errors are OSErrors, and httpx2's errors, too; an EmbeddedError is neither.
    try:
        yield
    except (OSError, httpx2.HTTPError) as error:
        raise _explain(error, repo, file, revision) from error


def _explain(error: Exception, repo: str, file: str, revision: str | None) -> EmbeddedError:
    match error:
        case errors.EntryNotFoundError():
            return EmbeddedError(f"{repo} has no file {file}", hint=_files_hint(repo, revision))
        case errors.RevisionNotFoundError():
            return EmbeddedError(f"{repo} has no revision {revision!r}")
        case errors.HfHubHTTPError():
            return _explain_refusal(error, repo)
    return _explain_failure(error, file)


def _explain_failure(error: Exception, file: str) -> EmbeddedError:
    match error:
        case errors.OfflineModeIsEnabled():
            return EmbeddedError(
                f"{file} cannot be pulled: the hub's client is set to offline",
                hint="unset HF_HUB_OFFLINE, or copy the file here and run "
                "`spadework embedded use PATH`",
            )
        case OSError(errno=errno.ENOSPC):
            return EmbeddedError(
                "the disk is full",
                hint="free disk space and pull again: it resumes where it stopped",
            )
        case OSError(errno=int()):
            return EmbeddedError(f"{file} cannot be written: {error}")
    return EmbeddedError(
        f"the hub cannot be reached, or stopped sending: {_first_line(error)}",
        hint="pull again: it resumes where it stopped; HTTPS_PROXY and HF_ENDPOINT are honoured",
    )


def _explain_refusal(error: errors.HfHubHTTPError, repo: str) -> EmbeddedError:
    if isinstance(error, errors.GatedRepoError):
        return EmbeddedError(f"{repo} is gated, and you have no access to it", hint=_ACCESS)
    if isinstance(error, errors.RepositoryNotFoundError):
        return EmbeddedError(
            f"the hub shows no repository {repo}", hint=f"check the spelling; {_ACCESS}"
        )
    status = error.response.status_code
    return EmbeddedError(
        f"the hub refused to give {repo} ({status}): {error.server_message or _first_line(error)}",
        hint=f"check HF_TOKEN; {_ACCESS}" if status in _NO_ACCESS else "try again later",
    )


def _files_hint(repo: str, revision: str | None) -> str:
    """Name the GGUF files that there are; a hint may fail, the error must not."""
    try:
        info = hub.HfApi().model_info(repo, revision=revision, timeout=_QUESTION_SECONDS)
    except (OSError, httpx2.HTTPError):
        return "look up the file's name on the repository's page"
    files = [file.rfilename for file in info.siblings or [] if file.rfilename.endswith(".gguf")]
    if not files:
        return "it has no GGUF file at all: take a repository whose name ends in -GGUF"
    more = len(files) - _MOST_FILES_NAMED
    rest = f", and {more} more" if more > 0 else ""
    return f"its GGUF files: {', '.join(files[:_MOST_FILES_NAMED])}{rest}"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
