"""Where llama-swap routes a request: to a server of its own, or to a peer.

A name may be a model, an alias, a selector (one of several targets), or the pin of the profile that
is active; any of them may lead to a peer, whose address llama-swap does not tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spadework.backends.trust import Evidence, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUTES = ("selector", "profile", "alias")
_DEEPEST = 4
"""Steps from a name to a model: pin, selector, alias, model."""


def route_evidence(
    model: str,
    entries: Mapping[str, Mapping[str, Any]],
    pins: Mapping[str, str] | None,
    own: Evidence,
    depth: int = 0,
) -> Evidence:
    """Judge where a name leads.

    Args:
        model: the name.
        entries: those of `/v1/models` by their ids.
        pins: what the active profile replaces by what; None where that is not known.
        own: what holds for a model of llama-swap's own.
        depth: how many steps led here.
    """
    if depth > _DEEPEST:
        return Evidence("unknown", "its names lead in a circle")
    if pins is None:
        return worst([own, Evidence("unknown", "llama-swap does not tell its active profile")])
    if depth == 0 and model in pins:
        return route_evidence(pins[model], entries, {}, own, depth + 1)
    entry = entries.get(model)
    if entry is None:
        entry = next((one for one in entries.values() if model in aliases_of(one)), None)
    if entry is None:
        return worst([own, Evidence("unknown", "llama-swap does not list it")])
    told = metadata_of(entry)
    targets = _targets(told)
    if targets is None:
        what = "a peer of llama-swap" if told.get("peerID") else "not a model of llama-swap's own"
        return worst([own, Evidence("unknown", f"{what}; where it leads is not known")])
    found = [route_evidence(one, entries, {}, own, depth + 1) for one in targets]
    return worst([own, *found])


def _targets(told: Mapping[str, Any]) -> list[str] | None:
    """Name what an entry stands for; none for a model, None where that is not known."""
    kind = told.get("type")
    if told.get("peerID"):
        return None
    if kind == "selector":
        return _names(told.get("targets"))
    if kind == "alias":
        return _names([told.get("modelID")])
    # Before August 2026 entries had no type, and users may have a field of that name.
    return None if kind in ("peer", "profile") else []  # a tuple: it may be a list


def _names(value: object) -> list[str] | None:
    """Return a list of names; None if there is none in it, or something else."""
    names = _texts(value)
    return names if names and isinstance(value, list) and len(names) == len(value) else None


def active_pins(told: object) -> dict[str, str] | None:
    """Read the pins of the active profile from `/api/profiles`.

    Returns:
        Empty where no profile is active; None where it is not told which names it replaces.
    """
    if not isinstance(told, dict) or "active" not in told:
        return None
    active, profiles = told["active"], told.get("profiles")
    if active is None:
        return {}
    for one in profiles if isinstance(profiles, list) else ():
        if isinstance(one, dict) and one.get("id") == active:
            pins = one.get("pins")
            if isinstance(pins, dict) and all(isinstance(to, str) for to in pins.values()):
                return dict(pins)
            return None
    return None


def aliases_of(entry: Mapping[str, Any]) -> list[str]:
    """Name the other names of a model."""
    return _texts(metadata_of(entry).get("aliases")) + _texts(entry.get("aliases"))


def route_of(entry: Mapping[str, Any]) -> str:
    """Return the kind of an entry that leads to other models; empty for a model, a peer's too."""
    kind = metadata_of(entry).get("type")
    return kind if isinstance(kind, str) and kind in _ROUTES else ""


def metadata_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `meta.llamaswap` of an entry; empty where there is none."""
    meta = entry.get("meta")
    told = meta.get("llamaswap") if isinstance(meta, dict) else None
    return told if isinstance(told, dict) else {}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
