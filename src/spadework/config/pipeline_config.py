"""The pipelines' part of the config file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from spadework.config.validators import ConfigPath, ConfigSection, engine_address, loopback_address


class ClaudeApiConfig(ConfigSection):
    """The Claude API in pipelines, with your own key, billed apart from any subscription.

    The key comes from the environment variable `ANTHROPIC_API_KEY`. Nothing else in Spadework
    calls this API.
    """

    model: str = Field(default="claude-sonnet-5-5", min_length=1)
    """The model that a pipeline's `claude(…)` asks unless it names another one."""

    api_key_file: ConfigPath | None = None
    """A file whose first line is the key. Used where `ANTHROPIC_API_KEY` is not set or empty."""

    at_once: int = Field(default=4, ge=1, le=256)
    """Requests at once, over all workers of one engine."""

    max_tokens: int = Field(default=4096, ge=1)
    """The longest reply in tokens, where a pipeline does not say."""

    max_retries: int = Field(default=4, ge=0, le=20)
    """How often the SDK sends a request again after a rate limit or a fault of the server."""

    test_url: Annotated[str, AfterValidator(loopback_address)] = ""
    """A stand-in of the API on this machine, to try pipelines without a key and without cost. A
    loopback address only; your key is never sent there."""


class PipelinesConfig(ConfigSection):
    """Batch work outside a session: `spadework pipeline`, with the extra `pipelines`."""

    engine: Annotated[str, AfterValidator(engine_address)] = ""
    """The database that keeps the runs: a `postgresql://` address for several workers, or
    `sqlite:///FILE`. No password in it: that is read from `PGPASSWORD` or `~/.pgpass`. Empty:
    `pipelines.db` in the data folder."""

    at_once: int = Field(default=16, ge=1, le=10_000)
    """How many items one process works on at the same time, unless `--concurrency` says."""

    budget_usd: float | None = Field(default=None, gt=0)
    """The most that one run may spend, unless `--budget-usd` says. Empty: no limit."""
