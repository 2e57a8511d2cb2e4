"""A request to Claude, and its price, from the table of `genai-prices`.

Money is counted in whole billionths of a dollar, so that sums are exact in any database. What does
not come out even is rounded up. The table is that of the installed version: nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

NANOS = 1_000_000_000
"""How many of our units a dollar has."""
_PROVIDER = "anthropic"
_BATCH_SHARE = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class ClaudeRequest:
    """One request.

    Args:
        model: the model's name as the API has it.
        prompt: the question, sent last.
        system: who Claude is to be.
        shared: a long beginning that many questions of a run share; it is cached by the API.
        material: further texts by name, sent between the shared part and the question.
        max_tokens: the longest reply.
    """

    model: str
    prompt: str
    system: str = ""
    shared: str = ""
    material: tuple[tuple[str, str], ...] = ()
    max_tokens: int = 4096

    @property
    def bytes(self) -> int:
        """How long its texts are in UTF-8, without the names of the material."""
        return _bytes(self.prompt, self.system, self.shared, *(text for _, text in self.material))

    @property
    def most_tokens(self) -> int:
        """More tokens than it can have: one for each byte, and the frame's."""
        names = _bytes(*(name for name, _ in self.material))
        return 1000 + 100 * len(self.material) + names + self.bytes


@dataclass(frozen=True, slots=True)
class PricedTokens:
    """Tokens as the API counted them; `read` excludes those read from or written to its cache."""

    read: int
    written: int
    cache_read: int = 0
    cache_written: int = 0


def cost_of(model: str, tokens: PricedTokens, *, batch: bool = False) -> Decimal:
    """Return what a call cost, in US dollars; a batch is half the price.

    Raises:
        ConfigError: the table does not know the model.
    """
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - heavy: the whole table

    usage = Usage(
        # The table counts all of the input; the API leaves out what its cache has to do with.
        input_tokens=tokens.read + tokens.cache_read + tokens.cache_written,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_written,
        output_tokens=tokens.written,
    )
    try:
        price = calc_price(usage, model, provider_id=_PROVIDER).total_price
    except LookupError:
        raise ConfigError(
            f"no price is known for the model {model!r}",
            hint="check its spelling in claude_api.model or in the pipeline; for a new model "
            "upgrade genai-prices",
        ) from None
    return price * _BATCH_SHARE if batch else price


def worst_case(request: ClaudeRequest, tokens: int, *, batch: bool = False) -> Decimal:
    """Return the most that a request of so many tokens can cost, in US dollars.

    The reply is as long as it may be; where something is to be cached, all of the input is
    written to the cache, which is dearer than reading it.

    Raises:
        ConfigError: the table does not know the model.
    """
    most = request.max_tokens
    plain = cost_of(request.model, PricedTokens(tokens, most), batch=batch)
    if not request.shared:
        return plain
    kept = PricedTokens(0, most, cache_written=tokens)
    return max(plain, cost_of(request.model, kept, batch=batch))


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """The cost of requests in US dollars: of the input, and the maximum with the replies."""

    calls: int
    input_tokens: int
    input_usd: float
    most_usd: float


def estimate_of(
    requests: Iterable[tuple[ClaudeRequest, int]], *, batch: bool = False
) -> CallEstimate:
    """Sum up what requests cost, each with the number of its tokens.

    Raises:
        ConfigError: the table does not know a model.
    """
    calls, read, usd, most = 0, 0, Decimal(0), Decimal(0)
    for request, tokens in requests:
        calls += 1
        read += tokens
        usd += cost_of(request.model, PricedTokens(tokens, 0), batch=batch)
        most += worst_case(request, tokens, batch=batch)
    return CallEstimate(calls, read, float(usd), float(most))


def in_nanos(dollars: Decimal) -> int:
    """Turn dollars into billionths, rounded up."""
    return int((dollars * NANOS).to_integral_value(rounding=ROUND_CEILING))


def in_dollars(nanos: int) -> float:
    """Turn billionths into dollars."""
    return nanos / NANOS


def budget_in_nanos(dollars: float) -> int:
    """Turn a budget into billionths, rounded down; `0.1` means a tenth, as it is written."""
    return int(Decimal(repr(dollars)) * NANOS)


def _bytes(*texts: str) -> int:
    return sum(len(text.encode(errors="replace")) for text in texts)
