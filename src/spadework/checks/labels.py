"""Answers out of a closed set: the label, and how sure the model was of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError, CheckFailed
from spadework.util.untrusted_text import model_wrote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.backends.base import TokenChoice

ALTERNATIVES = 20
"""How many of the most probable tokens are asked for at each place: the most that servers give."""

_DECORATION = "\"'`*. \t\r\n"
_LEAST_LABELS = 2


def check_labels(labels: Sequence[str]) -> None:
    """Make sure that a call's labels can be told apart.

    Raises:
        ArgumentError: they cannot.
    """
    bare = [_bare(label) for label in labels]
    if "" in bare:
        raise ArgumentError("one of the labels is empty", hint="name each label")
    if len(bare) < _LEAST_LABELS:
        raise ArgumentError("there is one label, so there is nothing to choose", hint="name two")
    if len(set(bare)) < len(bare):
        twice = next(label for label in labels if bare.count(_bare(label)) > 1)
        raise ArgumentError(f"the label {twice!r} is there twice", hint="labels must differ")


def label_schema(labels: Sequence[str]) -> dict[str, object] | None:
    """Return the JSON Schema that holds a model to the labels; None without labels."""
    return {"type": "string", "enum": list(labels)} if labels else None


def label_of(text: str, labels: Sequence[str]) -> str:
    """Return the label that was said, as it was given.

    Raises:
        CheckFailed: named "label".
    """
    said = json_string(text) or text
    for label in labels:
        if _bare(label) == _bare(said):
            return label
    what = f"the answer is none of the labels {', '.join(labels)}"
    raise CheckFailed("label", f"{what}; {model_wrote(said)}")


def _bare(label: str) -> str:
    """A label without what models put around it."""
    return label.strip().strip(_DECORATION).strip().casefold()


def json_string(text: str) -> str | None:
    """Decode a text that is a whole JSON string; None for anything else."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, str) else None


def margin(
    tokens: Sequence[TokenChoice], said: str, label: str, labels: Sequence[str]
) -> float | None:
    """How much more probable the label was than the next one, from 0 to 1.

    At each token where labels part, what is shown there is summed up by where it leads: to the
    label that was said, to another one, or to none, which does not count. The shares along the way
    multiply. A label that leads nowhere among what is shown counts as much as the least that is
    shown, so a list that is too short lowers the margin and never raises it.

    Args:
        tokens: what was written, with the most probable tokens at each place.
        said: the part of it that is the label, as the model put it.
        label: the label that this is.
        labels: all labels.

    Returns:
        0 where another label was more probable; None where the tokens do not tell.
    """
    written = b"".join(token.text for token in tokens)
    start = written.rfind(said.encode(errors="replace"))
    if start < 0 or not tokens:
        return None
    spelled = {one: _spellings(one) for one in labels}
    live = frozenset(labels)
    own, rival = 1.0, 0.0
    end = 0
    for token in tokens:
        begin, end = end, end + len(token.text)
        if end <= start:
            continue
        before = written[start:begin]
        chosen = _led_to(before + token.text, spelled) & live
        if not chosen:
            return None
        if chosen != live:
            mine, other = _shares(token, before, chosen, live, spelled)
            rival = max(rival, own * other)
            own *= mine
            live = chosen
    return max(0.0, own - rival) if live == {label} else None


def _shares(
    token: TokenChoice,
    before: bytes,
    chosen: frozenset[str],
    live: frozenset[str],
    spelled: dict[str, frozenset[str]],
) -> tuple[float, float]:
    """What of the probability goes the way that was chosen, and what to the best other label."""
    shown = {token.text: _probability(token.logprob)} | {
        text: _probability(logprob) for text, logprob in token.others
    }
    mine = 0.0
    others = 0.0
    rivals = dict.fromkeys(live - chosen, 0.0)
    for text, probability in shown.items():
        led = _led_to(before + text, spelled) & live
        if led and led <= chosen:
            mine += probability
        elif led and not led & chosen:
            others += probability
            for one in led:
                rivals[one] += probability
    left = max(0.0, 1.0 - sum(shown.values()))
    unseen = [one for one, probability in rivals.items() if not probability]
    bound = min(left, *shown.values())
    for one in unseen:
        rivals[one] = bound
    whole = mine + others + min(left, bound * len(unseen))
    return (mine / whole, max(rivals.values()) / whole) if whole else (0.0, 0.0)


def _probability(logprob: float) -> float:
    return math.exp(min(0.0, logprob))


def _spellings(label: str) -> frozenset[str]:
    """The label as it may be written, in JSON too."""
    plain = {label, json.dumps(label)[1:-1], json.dumps(label, ensure_ascii=False)[1:-1]}
    return frozenset(one.lstrip(_DECORATION).casefold() for one in plain)


def _led_to(text: bytes, spelled: dict[str, frozenset[str]]) -> frozenset[str]:
    """Which labels a text can be the beginning of, or is, with nothing but decoration after it."""
    begun = text.decode(errors="ignore").lstrip(_DECORATION).casefold()
    return frozenset(
        label
        for label, spellings in spelled.items()
        if any(_fits(begun, spelling) for spelling in spellings)
    )


def _fits(begun: str, spelling: str) -> bool:
    if spelling.startswith(begun):
        return True
    return begun.startswith(spelling) and not begun[len(spelling) :].strip(_DECORATION)
