"""What each backend takes at once: the config's word, then the server's own, then the kind's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from journeyman.backends.base import Learnt
from journeyman.engine.scheduling.values import Capacity
from journeyman.errors import AuthFailed, BackendError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from journeyman.backends.base import Backend
    from journeyman.config.models import BackendConfig

# Ollama serves one request for each model unless OLLAMA_NUM_PARALLEL says more, and does not tell;
# llama-swap refuses the eleventh request for a model. Other servers have queues of their own.
OF_KIND: Mapping[str, Capacity] = {
    "ollama": Capacity(16, per_model=1),
    "llama-swap": Capacity(8, exclusive=True),
}
OF_OTHERS = Capacity(32)


class Capacities:
    """Knows the capacity of every backend, and learns what the servers tell.

    Args:
        config: the backends of the config; the embedded engine has no entry.
        backends: the backends by name.
    """

    def __init__(
        self, config: Mapping[str, BackendConfig], backends: Mapping[str, Backend]
    ) -> None:
        self._config = config
        self._backends = backends
        self._learnt: dict[str, Learnt] = {}
        self._seen: dict[str, frozenset[str]] = {}

    def of(self, name: str) -> Capacity:
        """What a backend takes at once, as far as it is known."""
        learnt = self._learnt.get(name, Learnt())
        capacity = OF_KIND.get(self._backends[name].kind, OF_OTHERS)
        if learnt.slots is not None:
            capacity = Capacity(learnt.slots, exclusive=capacity.exclusive)
        if learnt.exclusive is not None:
            capacity = replace(capacity, exclusive=learnt.exclusive)
        return _configured(capacity, self._config.get(name))

    def is_known(self, name: str) -> bool:
        """Tell whether the server has been asked."""
        return name in self._learnt

    async def ask(self, name: str) -> None:
        """Ask a server once what it takes.

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
            learnt = Learnt()
        self._learnt[name] = learnt

    def note_loaded(self, name: str, loaded: frozenset[str]) -> None:
        """Learn from the models that a server holds whether it can hold two.

        Two at once: it can. One that made way for another: it cannot, for now.
        """
        before = self._seen.get(name, frozenset())
        self._seen[name] = loaded
        learnt = self._learnt.get(name, Learnt())
        if len(loaded) > 1:
            self._learnt[name] = replace(learnt, exclusive=False)
        elif before and loaded and not before & loaded:
            self._learnt[name] = replace(learnt, exclusive=True)


def _configured(capacity: Capacity, config: BackendConfig | None) -> Capacity:
    """Let the config's word go first."""
    if config is None:
        return capacity
    slots = config.slots or max(capacity.slots, *config.model_slots.values(), 0)
    return Capacity(
        slots=slots,
        per_model=None if config.slots else capacity.per_model,
        models=dict(config.model_slots),
        exclusive=capacity.exclusive if config.exclusive is None else config.exclusive,
    )
