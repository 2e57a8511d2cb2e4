"""The price of a call, from the table of `genai-prices`; Spadework has no table of its own.

Money is counted in whole billionths of a dollar, so that sums are exact in any database. What does
not come out even is rounded up. The table is that of the installed version: nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from spadework.errors import ConfigError

NANOS = 1_000_000_000
"""How many of our units a dollar has."""
_PROVIDER = "anthropic"
_BATCH_SHARE = Decimal("0.5")


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


def worst_case(
    model: str, input_tokens: int, max_tokens: int, *, cached: bool, batch: bool = False
) -> Decimal:
    """Return the most that a call can cost, in US dollars.

    The reply is as long as it may be; where something is to be cached, all of the input is
    written to the cache, which is dearer than reading it.

    Raises:
        ConfigError: the table does not know the model.
    """
    plain = cost_of(model, PricedTokens(input_tokens, max_tokens), batch=batch)
    if not cached:
        return plain
    kept = PricedTokens(0, max_tokens, cache_written=input_tokens)
    return max(plain, cost_of(model, kept, batch=batch))


def in_nanos(dollars: Decimal) -> int:
    """Turn dollars into billionths, rounded up."""
    return int((dollars * NANOS).to_integral_value(rounding=ROUND_CEILING))


def in_dollars(nanos: int) -> float:
    """Turn billionths into dollars."""
    return nanos / NANOS


def budget_in_nanos(dollars: float) -> int:
    """Turn a budget into billionths, rounded down; `0.1` means a tenth, as it is written."""
    return int(Decimal(repr(dollars)) * NANOS)
