"""Every reason why a model gave no answer, and so why a piece of work is handed back.

A hand-back has one attempt for each model, and each attempt has the code of one of these: that of
the error which ended it, or of the last group, which has no errors of its own.
"""

from __future__ import annotations

from typing import NamedTuple

NO_MODEL = "no-model"
TOO_MANY_PARTS = "too-many-parts"
TOO_LONG = "too-long"


class Reason(NamedTuple):
    """A reason: its stable code, what it means, and the files or folders where it arises.

    `was_asked` is false where nothing was sent to the model.
    """

    code: str
    meaning: str
    arises_in: tuple[str, ...]
    was_asked: bool = True


_BY_ITS_RESPONSE = ("backends/error_translation.py",)
_REASONS = (
    # The model may not have it.
    Reason(
        "private-refused",
        "part of the job is private, and the model is not local",
        ("engine/trust_policy.py",),
        was_asked=False,
    ),
    Reason(
        "trust-refused",
        "the model is not local, and the user's config does not list it for the tool",
        ("engine/trust_policy.py",),
        was_asked=False,
    ),
    Reason(
        "secret-refused",
        "the job has a key or a password in it, and the model is not local",
        ("references/secret_scan.py",),
        was_asked=False,
    ),
    # The server does not do it.
    Reason(
        "unreachable",
        "nothing answers at the server's address",
        (*_BY_ITS_RESPONSE, "engine/queue.py"),
    ),
    Reason(
        "backend-unavailable",
        "the server is silent, still loading, or suspended after failures",
        (
            *_BY_ITS_RESPONSE,
            "backends/embedded.py",
            "engine/attempt.py",
            "engine/queue.py",
            "engine/scheduling/slot_manager.py",
        ),
    ),
    Reason("server-failed", "the server failed", _BY_ITS_RESPONSE),
    Reason(
        "model-unknown",
        "the server does not have the model",
        (*_BY_ITS_RESPONSE, "backends/embedded.py"),
    ),
    Reason("auth-failed", "the key is missing or wrong", _BY_ITS_RESPONSE),
    Reason("request-rejected", "the server refused the request", _BY_ITS_RESPONSE),
    Reason(
        "overloaded",
        "too many requests wait, or no slot came free in time",
        (*_BY_ITS_RESPONSE, "engine/scheduling/slot_manager.py"),
    ),
    Reason("cooling-down", "the proxy has suspended the model", _BY_ITS_RESPONSE),
    Reason("deadline-passed", "the time of the call was over", ("engine/attempt.py",)),
    Reason(
        "sent-to-cloud",
        "the server passed a request for a local model on to another one",
        ("backends/ollama.py", "backends/openai.py"),
    ),
    # A reply came, and is not an answer.
    Reason("cut-stream", "the reply broke off", _BY_ITS_RESPONSE),
    Reason(
        "bad-reply",
        "the reply is not what the protocol says",
        (*_BY_ITS_RESPONSE, "engine/attempt.py", "engine/candidates.py"),
    ),
    Reason(
        "check-failed",
        "the reply did not pass a check, which the attempt names",
        ("checks/", "engine/llm_judge.py", "engine/model_chain.py"),
    ),
    # The job is too large, or has no model.
    Reason(
        "context-exceeded",
        "the material does not fit the model's window",
        (
            *_BY_ITS_RESPONSE,
            "backends/ollama.py",
            "engine/context_fit.py",
            "engine/map_reduce/map_reduce.py",
        ),
    ),
    Reason(
        TOO_MANY_PARTS,
        "the material has more parts than the tool reads",
        ("engine/map_reduce/chunk_plan.py",),
    ),
    Reason(
        TOO_LONG,
        "reading the material would take longer than the call may",
        ("engine/map_reduce/chunk_plan.py",),
    ),
    Reason(NO_MODEL, "no model matches the tool's list", ("engine/attempt_trace.py",)),
)
REASONS = {reason.code: reason for reason in _REASONS}
