"""Prefix affinity: prefer the backend whose prompt cache already holds a document."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.engine.scheduling.slot_requests import Model

_PREFIXES_REMEMBERED = 4096


class PrefixAffinity:
    """Remembers by digest the backend that each prefix was sent to last; drops the oldest."""

    def __init__(self) -> None:
        self._backends: OrderedDict[tuple[str, str], str] = OrderedDict()

    def remember(self, digest: str, model: Model) -> None:
        """Note that a model has the prefix of this digest in its cache; an empty digest is none."""
        if not digest:
            return
        key = (model.name, digest)
        self._backends[key] = model.backend
        self._backends.move_to_end(key)
        if len(self._backends) > _PREFIXES_REMEMBERED:
            self._backends.popitem(last=False)

    def has(self, digest: str, model: Model) -> bool:
        """Tell whether this backend was the last to be sent a prefix for this model."""
        return bool(digest) and self._backends.get((model.name, digest)) == model.backend
