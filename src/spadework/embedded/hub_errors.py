"""What the hub's client raises, told as one line with what to do next."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spadework.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub.errors import HfHubHTTPError

_QUESTION_SECONDS = 10.0
_MOST_FILES_NAMED = 12
_NO_ACCESS = frozenset({401, 403})
_ACCESS = "if it is private or gated: accept its terms on its page and set HF_TOKEN"


@contextmanager
def explained(repo: str, file: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises inside into an `EmbeddedError`."""
    import httpx2  # noqa: PLC0415 - importing it is slow

    # The hub's errors are OSErrors, and httpx2's errors, too; an EmbeddedError is neither.
    try:
        yield
    except (OSError, httpx2.HTTPError) as error:
        raise _explain(error, repo, file, revision) from error


def _explain(error: Exception, repo: str, file: str, revision: str | None) -> EmbeddedError:
    from huggingface_hub import errors  # noqa: PLC0415 - importing it is slow

    match error:
        case errors.EntryNotFoundError():
            return EmbeddedError(f"{repo} has no file {file}", hint=_files_hint(repo, revision))
        case errors.RevisionNotFoundError():
            return EmbeddedError(f"{repo} has no revision {revision!r}")
        case errors.HfHubHTTPError():
            return _explain_refusal(error, repo)
    return _explain_failure(error, file)


def _explain_failure(error: Exception, file: str) -> EmbeddedError:
    from huggingface_hub.errors import OfflineModeIsEnabled  # noqa: PLC0415 - importing it is slow

    match error:
        case OfflineModeIsEnabled():
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


def _explain_refusal(error: HfHubHTTPError, repo: str) -> EmbeddedError:
    from huggingface_hub import errors  # noqa: PLC0415 - importing it is slow

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
    import httpx2  # noqa: PLC0415 - importing it is slow
    from huggingface_hub import HfApi  # noqa: PLC0415 - importing it is slow

    try:
        info = HfApi().model_info(repo, revision=revision, timeout=_QUESTION_SECONDS)
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
