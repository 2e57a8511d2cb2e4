"""Where a request stands in line and how long that will take, from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Model
from spadework.engine.scheduling.snapshot import QueuePosition

if TYPE_CHECKING:
    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.costs import Costs
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.slot_requests import Policy


def place_in(
    station: BackendQueues,
    model: Model,
    waiting: Waiting,
    now: float,
    policy: Policy,
    costs: Costs,
) -> QueuePosition:
    """Estimate a request's place in one model's queue, as if nobody else came."""
    queue = station.queues.get(model.name)
    ahead = queue.ahead_of(waiting) if queue else 0
    if station.interrupts(waiting, model.name):
        return _place_of_detour(station, model, ahead, now, policy, costs)
    seconds, before = _until_served(station, model, now, policy.max_wait, costs)
    free = 0 if seconds else station.free(model.name)
    if ahead >= free:
        seconds += _work(station, model, ahead - free + 1, costs)
    return QueuePosition(before + ahead + 1, seconds, model)


def _place_of_detour(
    station: BackendQueues, model: Model, ahead: int, now: float, policy: Policy, costs: Costs
) -> QueuePosition:
    """Estimate the place of a question that interrupts another model's batch work."""
    seconds = station.detour_in(now, policy.interactive_patience)
    if station.running and station.loaded:
        seconds += costs.service(Model(station.name, station.loaded))
    seconds += costs.swap(model) + _work(station, model, ahead, costs)
    return QueuePosition(ahead + 1, seconds, model)


def _until_served(
    station: BackendQueues, model: Model, now: float, max_wait: float, costs: Costs
) -> tuple[float, int]:
    """Seconds until a model's turn comes, its swap included, and how many are served before."""
    if not station.needs_swap(model.name):
        return 0.0, 0
    since = {name: station.stood_back_since(name) for name in station.queues}
    own = since.get(model.name, now)
    earlier = [
        Model(station.name, name)
        for name, one in since.items()
        if name not in {station.loaded, model.name} and one <= own
    ]
    seconds, before = _rest_of_turn(station, since, now, max_wait, costs)
    for other in earlier:
        count = len(station.queues[other.name])
        seconds += costs.swap(other) + _work(station, other, count, costs)
        before += count
    return seconds + costs.swap(model), before


def _rest_of_turn(
    station: BackendQueues, since: dict[str, float], now: float, max_wait: float, costs: Costs
) -> tuple[float, int]:
    """How long the loaded model will still be served, and how many requests of it."""
    if station.loaded is None:
        return 0.0, 0
    loaded = Model(station.name, station.loaded)
    count = len(station.queues.get(station.loaded, ()))
    seconds = _work(station, loaded, count + len(station.running), costs)
    others = [one for name, one in since.items() if name != station.loaded]
    longest = max(0.0, min(others, default=now) + max_wait - now) + costs.service(loaded)
    if seconds <= longest:
        return seconds, count
    return longest, int(count * longest / seconds)


def _work(station: BackendQueues, model: Model, count: int, costs: Costs) -> float:
    return count * costs.service(model) / station.most_at_once(model.name)
