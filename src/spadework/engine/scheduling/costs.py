"""The duration of requests and model swaps, averaged over past measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.engine.scheduling.slot_requests import Model

_WEIGHT_OF_THE_LATEST = 0.3


class Average:
    """An exponential average; None before the first measurement."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, measured: float) -> None:
        """Take in a measurement."""
        if self.value is None:
            self.value = measured
        else:
            self.value += _WEIGHT_OF_THE_LATEST * (measured - self.value)


class Costs:
    """Averages by model, in seconds.

    Args:
        service: assumed for a request before one was measured.
        swap: assumed for a swap before one was measured.
    """

    def __init__(self, service: float, swap: float) -> None:
        self._assumed_service = service
        self._assumed_swap = swap
        self._services: dict[Model, Average] = {}
        self._cold: dict[Model, Average] = {}
        self._warm: dict[Model, Average] = {}

    def add_first_token(self, model: Model, seconds: float, *, cold: bool) -> None:
        """Take in a time to first token; `cold` if the model was loaded for it."""
        times = self._cold if cold else self._warm
        times.setdefault(model, Average()).add(seconds)

    def add_service(self, model: Model, seconds: float) -> None:
        """Take in what a request took, without a swap."""
        self._services.setdefault(model, Average()).add(seconds)

    def service(self, model: Model) -> float:
        """What a request takes."""
        return self._known(self._services, model, self._assumed_service)

    def swap(self, model: Model) -> float:
        """What loading a model takes: its first token cold, less its first token warm."""
        cold = self._cold.get(model)
        if cold is None or cold.value is None:
            return self._assumed_swap
        return max(0.0, cold.value - self._known(self._warm, model, 0.0))

    @staticmethod
    def _known(averages: dict[Model, Average], model: Model, otherwise: float) -> float:
        average = averages.get(model)
        return otherwise if average is None or average.value is None else average.value
