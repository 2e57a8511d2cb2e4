"""The codes of errors are stable: programs and tests go by them, not by words."""

from spadework import errors
from spadework.errors import ArgumentError, SpadeworkError

CODES = {
    "SpadeworkError": "error",
    "ConfigError": "config",
    "ClaudeAbsent": "claude-absent",
    "ArgumentError": "argument",
    "ReferenceRefused": "reference-refused",
    "PrivateRefused": "private-refused",
    "TrustRefused": "trust-refused",
    "SecretRefused": "secret-refused",
    "LedgerError": "ledger",
    "CacheError": "cache",
    "EmbeddedError": "embedded",
    "PipelineError": "pipeline",
    "BudgetReached": "budget-reached",
    "RunsUnavailable": "runs-unavailable",
    "DaemonError": "daemon",
    "TooManyTasks": "too-many-tasks",
    "BackendError": "backend",
    "BackendUnavailable": "backend-unavailable",
    "ServerFailed": "server-failed",
    "Unreachable": "unreachable",
    "ModelUnknown": "model-unknown",
    "ContextExceeded": "context-exceeded",
    "Overloaded": "overloaded",
    "CoolingDown": "cooling-down",
    "DeadlinePassed": "deadline-passed",
    "SentToCloud": "sent-to-cloud",
    "AuthFailed": "auth-failed",
    "RequestRejected": "request-rejected",
    "BadReply": "bad-reply",
    "CutStream": "cut-stream",
    "CheckFailed": "check-failed",
    "HandedBack": "handed-back",
}


def test_every_error_has_its_code():
    kinds = {
        name: one.code
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, SpadeworkError)
    }
    assert kinds == CODES
    assert len(set(kinds.values())) == len(kinds)


def test_a_client_gets_the_code_beside_the_words():
    from spadework.mcp.tool_results import ERROR_KEY, error_result  # noqa: PLC0415 - heavy

    result = error_result(ArgumentError("there is no tool 'x'"))
    assert result.is_error
    assert result.meta == {ERROR_KEY: "argument"}
