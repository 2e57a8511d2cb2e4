"""Slots of each backend: from the config, else as the server reports, else by its kind."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.backends.base import DiscoveredCapacity
from spadework.config.models import EMBEDDED
from spadework.engine.scheduling.slot_requests import Capacity, Model
from spadework.errors import AuthFailed, BackendError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spadework.backends.base import Backend
    from spadework.config.models import BackendConfig, Config

_A_MOMENT = 30.0
_BELIEVED_SECONDS = 600.0


class Capacities:
    """Knows the capacity of every backend, and learns what the servers tell.

    Args:
        config: the user's config.
        backends: the backends by name.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        config: Config,
        backends: Mapping[str, Backend],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._backends = backends
        self._clock = clock
        self._learnt: dict[str, DiscoveredCapacity] = {}
        self._seen: dict[str, tuple[float, frozenset[str]]] = {}
        self._made_way: dict[str, float] = {}

    def take(self, config: Config, backends: Mapping[str, Backend]) -> None:
        """Take a changed config; what was learnt of the backends that stay is kept."""
        for name, backend in self._backends.items():
            if backends.get(name) is not backend:
                for known in (self._learnt, self._seen, self._made_way):
                    known.pop(name, None)
        self._config, self._backends = config, backends

    def of(self, name: str) -> Capacity:
        """What a backend takes at once, as far as it is known."""
        if name == EMBEDDED:
            return Capacity(self._config.embedded.slots)
        learnt = self._learnt.get(name, DiscoveredCapacity())
        traits = self._backends[name].traits
        capacity = Capacity(
            traits.slots, per_model=traits.slots_per_model, exclusive=traits.exclusive
        )
        if learnt.models:
            models = {model: slots or capacity.slots for model, slots in learnt.models.items()}
            slots = max(capacity.slots, *models.values())
            capacity = replace(capacity, slots=slots, models=models)
        if learnt.slots is not None:
            capacity = Capacity(learnt.slots, exclusive=capacity.exclusive)
        exclusive = learnt.exclusive
        if name in self._made_way:
            exclusive = self._clock() - self._made_way[name] < _BELIEVED_SECONDS or exclusive
        if exclusive is not None:
            capacity = replace(capacity, exclusive=exclusive)
        return _configured(capacity, self._config.backends.get(name))

    def is_known(self, name: str) -> bool:
        """Tell whether the server has been asked."""
        return name in self._learnt

    async def ask(self, name: str) -> None:
        """Ask a server what it takes.

        Raises:
            Unreachable: nothing answers; it will be asked again.
            AuthFailed: this window's key will not do; another one's may. Any other failure only
                means that it does not tell.
        """
        try:
            learnt = await self._backends[name].learn_capacity()
        except (AuthFailed, Unreachable):
            raise
        except BackendError:
            learnt = DiscoveredCapacity()
        before = self._learnt.get(name, DiscoveredCapacity())
        self._learnt[name] = replace(
            learnt,
            exclusive=before.exclusive if learnt.exclusive is None else learnt.exclusive,
            models={**before.models, **learnt.models},
        )

    def tells_of(self, model: Model, full_name: str) -> bool:
        """Tell whether what a model takes at once is known, or is not to be learnt at all."""
        backend = self._backends.get(model.backend)
        if backend is None or not backend.traits.loaded_models_tell_slots:
            return True
        known = self._learnt.get(model.backend, DiscoveredCapacity()).models
        return model.name in known or full_name in known

    def note_loaded(self, name: str, loaded: frozenset[str]) -> None:
        """Learn from the models that a server holds whether it can hold two.

        Two at once: it can. One that was there a moment ago and made way for another: it cannot.
        That is believed for a while only, since two that are never asked for together never show.
        """
        now = self._clock()
        at, before = self._seen.get(name, (now, frozenset()))
        self._seen[name] = now, loaded
        if len(loaded) > 1:
            self._made_way.pop(name, None)
            self._learnt[name] = replace(
                self._learnt.get(name, DiscoveredCapacity()), exclusive=False
            )
        elif before and loaded and not before & loaded and now - at <= _A_MOMENT:
            self._made_way[name] = now


def _configured(capacity: Capacity, config: BackendConfig | None) -> Capacity:
    """Let the config's word go first."""
    if config is None:
        return capacity
    slots = config.slots or max(capacity.slots, *config.model_slots.values(), 0)
    return Capacity(
        slots=slots,
        per_model=None if config.slots else capacity.per_model,
        models={**({} if config.slots else capacity.models), **config.model_slots},
        exclusive=capacity.exclusive if config.exclusive is None else config.exclusive,
    )
