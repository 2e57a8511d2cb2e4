"""A server that says 429 has too many requests at once: fewer are sent, none is lost."""

import pytest
from virtual_world import World, model, request

from spadework.engine.scheduling.adaptive_concurrency import ConcurrencyLimits
from spadework.engine.scheduling.slot_requests import Capacity, Failed, Policy

LLAMA = model("llama")
TOO_MANY = Failed("concurrency", "too many requests")


class LimitedWorld(World):
    """A server that refuses every request beyond the `limit`-th at once."""

    def __init__(self, limit, **more):
        super().__init__(**more)
        self.limit = limit
        self.refusals = []
        self.taken = set()
        self.services = {}

    def submit(self, one, service=1.0):
        self.services[one.id] = one, service
        return super().submit(one, service)

    def _start(self, granted):
        self.taken.discard(granted.id)
        running = [one for one in self._running["box"] if one in self.taken]
        super()._start(granted)
        if len(running) < self.limit:
            self.taken.add(granted.id)
            return
        self.refusals.append((self.now, granted.id))
        self.at(self.now + 0.001, lambda: self.refuse(granted.id))

    def refuse(self, request_id):
        self.end(request_id, TOO_MANY)
        del self.granted[request_id]
        self.order.remove(request_id)
        self.submit(*self.services[request_id])

    def _end_if_running(self, request_id):
        if request_id in self.taken:
            self.taken.discard(request_id)
            super()._end_if_running(request_id)


@pytest.mark.parametrize("limit", [1, 2, 4, 10, 31])
def test_the_default_comes_to_a_servers_limit_by_itself_and_loses_nothing(limit):
    world = LimitedWorld(limit, box=Capacity(32))
    for number in range(400):
        world.submit(request(f"{number}", kind="batch"), service=1.0)
    world.run()
    assert len(world.order) == 400
    assert not world.refused
    assert world.now < 1.1 * 400 / limit + 1
    assert sum(at > 1.0 for at, _ in world.refusals) <= 400 / limit / 8 + 4


def test_a_refusal_is_no_failure_and_keeps_its_place_in_line():
    world = LimitedWorld(1, box=Capacity(2))
    for name in ("first", "second", "third"):
        world.submit(request(name), service=1.0)
    world.run()
    assert world.order == ["first", "second", "third"]
    assert world.scheduler.snapshot().breakers == ()


def test_a_limit_that_others_lowered_is_raised_again():
    world = LimitedWorld(2, box=Capacity(8))
    for number in range(100):
        world.submit(request(f"{number}", kind="batch"), service=1.0)
    world.at(10.0, lambda: setattr(world, "limit", 8))
    world.run()
    assert world.now < 10 + 80 / 8 + 25
    assert len(world.order) == 100


def test_a_server_that_takes_not_even_one_is_asked_after_pauses_that_grow():
    limits = ConcurrencyLimits(lambda: 0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        limits.note_refusal(LLAMA, 0, now, now, None)
        pauses.append(limits.paused_for(LLAMA, now))
        now += pauses[-1]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert limits.of(LLAMA) == 1


def test_a_server_that_wants_to_be_asked_again_at_once_is_given_a_pause_nevertheless():
    limits = ConcurrencyLimits(lambda: 0.0)
    limits.note_refusal(LLAMA, 0, 0.0, 0.0, 0.0)
    assert limits.paused_for(LLAMA, 0.0) == 0.25


def test_a_servers_own_word_on_when_to_come_back_is_kept():
    world = World(Policy(max_suspension=5.0), box=Capacity(4))
    world.submit(request("first"), service=None)
    world.decide()
    world.end("first", Failed("concurrency", "too many requests", 3.0))
    world.submit(request("next"), service=None)
    world.run(until=2.9)
    assert "next" not in world.granted
    world.run(until=3.0)
    assert "next" in world.granted


def test_who_is_to_wait_longer_than_a_question_does_suspends_the_model():
    world = World(Policy(max_suspension=5.0), box=Capacity(4))
    world.submit(request("first"), service=None)
    world.decide()
    world.end("first", Failed("concurrency", "too many requests", 60.0))
    assert world.submit(request("next")).why == "unhealthy"
