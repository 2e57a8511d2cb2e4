"""Every error that Spadework raises, as one tree.

SpadeworkError
├── ConfigError              the config file, or a key in it, is wrong
│   └── ClaudeAbsent         a pipeline asks Claude without a key, or despite --no-claude
├── ArgumentError            a tool or a command was called with wrong arguments
├── ReferenceRefused         a reference may not be read, or matches nothing
├── PrivateRefused           what is private goes to local models only
├── TrustRefused             a model that is not local answers only where the config lists it
├── SecretRefused            a text with a key or a password in it does not leave the machine
├── LedgerError              the ledger cannot be opened or written
├── CacheError               the cache of answers cannot be opened or written
├── EmbeddedError            the embedded engine or its model is missing or broken
├── PipelineError            a pipeline's run, or the database that keeps it, cannot go on
│   ├── BudgetReached        the next call could pass the run's budget
│   └── RunsUnavailable      the database that keeps the runs cannot be used now
├── DaemonError              the daemon cannot be started or reached, or ended in mid-call
├── BackendError             a backend, or one model on it, failed
│   ├── BackendUnavailable   what answers is broken, or falls silent
│   │   ├── ServerFailed     the server said that it failed
│   │   └── Unreachable      nothing answers at the backend's address
│   ├── ModelUnknown         the backend does not have that model
│   ├── ContextExceeded      the input does not fit the model's window
│   ├── Overloaded           too many requests; may say when to come back
│   ├── CoolingDown          the proxy has suspended the model for a while
│   ├── DeadlinePassed       the call's own time was over before the answer was whole
│   ├── SentToCloud          a server passed what was meant for a local model on to another one
│   ├── AuthFailed           the key is missing or wrong
│   ├── RequestRejected      the backend does not accept this request as it is
│   ├── BadReply             the reply is not what the protocol says
│   └── CutStream            the stream ended before the reply did
├── CheckFailed              a reply came, but it is not a valid answer
└── HandedBack               every model of a tool's list failed: do it yourself

Each error is one line (`str(error)`) and, where something can be done about it, a `hint`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it takes longer than all of this

if TYPE_CHECKING:
    from types import ModuleType

_LONGEST_MESSAGE = 3000  # characters
_LONGEST_REFERENCE = 1000


def _untrusted_text() -> ModuleType:
    """Import what cleans the words of others: few runs raise anything."""
    from spadework.util import untrusted_text  # noqa: PLC0415 - see above

    return untrusted_text


class SpadeworkError(Exception):
    """The base class of all errors of Spadework.

    Args:
        message: what went wrong and where, in one line.
        hint: what the reader can do next; empty where there is nothing to do.
    """

    code = "error"
    """A stable name of the kind of error, for programs; its words may change."""
    retry_on_next_model = False
    """Whether the engine goes on to the next model of the tool's list."""
    is_temporary = False
    """Whether the same request may succeed later, without anybody's doing: batch work waits."""
    broke_off = False
    """Whether a connection broke after it was made."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        text = _untrusted_text()
        super().__init__(text.one_line(message, _LONGEST_MESSAGE))
        self.hint: str = text.one_line(hint, _LONGEST_MESSAGE)


class ConfigError(SpadeworkError):
    """The config file, or a key in it, is wrong; names file, line and key.

    Args:
        message: the first problem.
        hint: what the reader can do next.
        problems: every problem of the file by line, each an error with its own hint; empty
            where there is but this one.
    """

    code = "config"

    def __init__(
        self, message: str, *, hint: str = "", problems: tuple[ConfigError, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems or (self,)


class ClaudeAbsent(ConfigError):
    """A pipeline asks Claude, but the key is missing, or the run has --no-claude."""

    code = "claude-absent"


class ArgumentError(SpadeworkError):
    """A tool or a command was called with wrong arguments."""

    code = "argument"


class ReferenceRefused(SpadeworkError):
    """A reference may not be read.

    Args:
        reference: the reference as it was given.
        path: the path that the rule speaks of (shown as given or relative to the project).
        rule: a short name of the rule: "outside-roots", "credential-file", "not-found", ….
        reason: why, in a sentence.
        hint: what the reader can do next.
    """

    code = "reference-refused"

    def __init__(
        self, reference: str, path: str, rule: str, reason: str, *, hint: str = ""
    ) -> None:
        text = _untrusted_text()
        named = repr(reference)
        where = text.display_path(text.one_line(path, _LONGEST_REFERENCE))
        if len(named) > _LONGEST_REFERENCE:
            named = f"{named[:_LONGEST_REFERENCE]}…'"
        super().__init__(f"reference {named} refused: {where}: {reason} [{rule}]", hint=hint)
        self.reference = reference
        self.path = path
        self.rule = rule
        self.reason = reason


class PrivateRefused(SpadeworkError):
    """Private material does not go to a model that is not local; a local one may have it."""

    code = "private-refused"
    retry_on_next_model = True


class TrustRefused(SpadeworkError):
    """A model that is not local is not listed for the tool; a local one may still answer."""

    code = "trust-refused"
    retry_on_next_model = True


class SecretRefused(SpadeworkError):
    """A text with a secret in it goes to no model outside the machine; a local one may have it.

    Holds where the secret is and of which kind, never any part of it.

    Args:
        label: the path or the name of the text.
        line: where the secret is, counted from 1.
        kind: what it is: "Anthropic key", "private key", ….
        more: how many others were found in the same text.
        target: what it does not go to: a model's name, or "a cloud model".
    """

    code = "secret-refused"
    retry_on_next_model = True

    def __init__(
        self, label: str, line: int, kind: str, *, more: int = 0, target: str = "a cloud model"
    ) -> None:
        others = f" and {more} more" if more else ""
        super().__init__(
            f"{label}:{line}: {kind}{others} found: not sent to {target}",
            hint="remove it, name a range without it (path:START-END), or ask a local model",
        )
        self.label = label
        self.line = line
        self.kind = kind
        self.more = more


class LedgerError(SpadeworkError):
    """The ledger cannot be opened or written."""

    code = "ledger"


class CacheError(SpadeworkError):
    """The cache of answers cannot be opened or written."""

    code = "cache"


class EmbeddedError(SpadeworkError):
    """The embedded engine or its model is missing or broken."""

    code = "embedded"


class PipelineError(SpadeworkError):
    """A pipeline's run, or the database that keeps it, cannot go on."""

    code = "pipeline"


class BudgetReached(PipelineError):
    """The next call could pass the run's budget; the run stops and can be resumed."""

    code = "budget-reached"


class RunsUnavailable(PipelineError):
    """The database that keeps the runs cannot be used now."""

    code = "runs-unavailable"


class DaemonError(SpadeworkError):
    """The daemon cannot be started or reached, or it ended in mid-call."""

    code = "daemon"


class TooManyTasks(SpadeworkError):
    """A client has reached its limit of running tasks."""

    code = "too-many-tasks"


class BackendError(SpadeworkError):
    """A backend, or one model on it, failed.

    Args:
        message: what went wrong.
        backend: the backend's name in the config.
        model: the model's name on that backend; empty where no model is meant.
        hint: what the reader can do next.
    """

    code = "backend"
    retry_on_next_model = True

    def __init__(self, message: str, *, backend: str, model: str = "", hint: str = "") -> None:
        where = _untrusted_text().display_name(f"{backend}/{model}" if model else backend)
        super().__init__(f"{where}: {message}", hint=hint)
        self.backend = backend
        self.model = model


class BackendUnavailable(BackendError):
    """The server is broken or stops responding, or nothing responds at all."""

    code = "backend-unavailable"


class ServerFailed(BackendUnavailable):
    """The server answered that it failed, such as with status 500."""

    code = "server-failed"


class Unreachable(BackendUnavailable):
    """No connection to the backend's address could be made."""

    code = "unreachable"
    is_temporary = True


class ModelUnknown(BackendError):
    """The backend does not have that model."""

    code = "model-unknown"


class ContextExceeded(BackendError):
    """The input does not fit the model's window.

    `tokens` and `window` are in tokens, None where they are not known; `bytes_that_fit` is how much
    of the prompt would fit, None where nobody has worked it out.
    """

    code = "context-exceeded"

    def __init__(
        self,
        message: str,
        *,
        backend: str,
        model: str = "",
        hint: str = "",
        tokens: int | None = None,
        window: int | None = None,
        bytes_that_fit: int | None = None,
    ) -> None:
        super().__init__(message, backend=backend, model=model, hint=hint)
        self.tokens = tokens
        self.window = window
        self.bytes_that_fit = bytes_that_fit


class Overloaded(BackendError):
    """Too many requests; `retry_after` is in seconds, None where the backend does not say."""

    code = "overloaded"
    is_temporary = True

    def __init__(
        self,
        message: str,
        *,
        backend: str,
        model: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, backend=backend, model=model, hint=hint)
        self.retry_after = retry_after


class CoolingDown(Overloaded):
    """The proxy has suspended the model after failures; it is not a rate limit."""

    code = "cooling-down"


class DeadlinePassed(BackendError):
    """The call's own time was over before the answer was whole; no fault of the model's."""

    code = "deadline-passed"


class SentToCloud(BackendError):
    """A server passed on what was meant for a local model; the text has left the machines."""

    code = "sent-to-cloud"


class AuthFailed(BackendError):
    """The key is missing or wrong."""

    code = "auth-failed"


class RequestRejected(BackendError):
    """The backend does not accept this request as it is.

    `body` is all that the server wrote: to be searched, never to be shown.
    """

    code = "request-rejected"

    body = ""


class BadReply(BackendError):
    """The reply is not what the protocol says."""

    code = "bad-reply"


class CutStream(BackendError):
    """The stream ended before the reply did."""

    code = "cut-stream"
    is_temporary = True
    broke_off = True


class CheckFailed(SpadeworkError):
    """A reply came, but it is not a valid answer: `check` names the check that failed."""

    code = "check-failed"
    retry_on_next_model = True

    def __init__(self, check: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.check = check


class HandedBack(SpadeworkError):
    """Every model of a tool's list failed; `tries` holds one line for each, `codes` its reason."""

    code = "handed-back"

    def __init__(
        self,
        message: str,
        *,
        tries: tuple[str, ...] = (),
        codes: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.tries = tries
        self.codes = codes
