"""Sessions take turns, interactive work goes first, and batch work does not starve."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_world import World, request

from spadework.engine.scheduling.fair_queue import FairQueue, Waiting
from spadework.engine.scheduling.slot_requests import Capacity, Policy

NEVER = float("-inf")
KINDS = st.sampled_from(["interactive", "batch"])
SESSIONS = st.sampled_from("abcd")


@given(st.lists(st.one_of(st.tuples(SESSIONS, KINDS), st.none()), max_size=80))
def test_between_two_turns_of_a_waiting_session_each_other_has_at_most_one(steps):
    queue, waiting, taken = FairQueue(), {}, []
    for number, step in enumerate([*steps, *[None] * len(steps)]):
        if step is not None:
            session, kind = step
            one = Waiting(request(f"{number}", session=session, kind=kind), 0.0, number)
            queue.add(one)
            waiting[number] = one
        elif one := queue.first(NEVER):
            still = {(w.request.session, w.request.kind) for w in waiting.values()}
            queue.take(one)
            del waiting[one.number]
            taken.append((one, still))
    assert not waiting
    for kind in ("interactive", "batch"):
        of_kind = [(w, still) for w, still in taken if w.request.kind == kind]
        for session in "abcd":
            turns = [i for i, (w, _) in enumerate(of_kind) if w.request.session == session]
            for one, next_one in pairwise(turns):
                between = of_kind[one + 1 : next_one]
                if all((session, kind) in still for _, still in between):
                    others = [w.request.session for w, _ in between]
                    assert len(others) == len(set(others))


@given(st.lists(st.tuples(SESSIONS, KINDS), min_size=1, max_size=40), st.randoms())
def test_what_was_said_to_be_ahead_is_what_goes_before(arrivals, chance):
    queue, everything = FairQueue(), []
    for number, (session, kind) in enumerate(arrivals):
        one = Waiting(request(f"{number}", session=session, kind=kind), 0.0, number)
        queue.add(one)
        everything.append(one)
    for _ in range(chance.randrange(len(everything))):  # so that the turns have moved on
        one = queue.first(NEVER)
        queue.take(one)
        everything.remove(one)
    said = {one.number: queue.ahead_of(one) for one in everything}
    order = []
    while one := queue.first(NEVER):
        queue.take(one)
        order.append(one.number)
    assert [said[number] for number in order] == list(range(len(order)))


@given(st.permutations(range(12)))
def test_a_session_is_served_in_its_own_order_even_after_coming_back(numbers):
    queue = FairQueue()
    for number in numbers:
        queue.add(Waiting(request(f"{number}"), 0.0, number))
    assert queue.oldest().number == 0
    served = []
    while one := queue.first(NEVER):
        queue.take(one)
        served.append(one.number)
    assert served == sorted(numbers)


def test_a_batch_of_500_does_not_starve_another_windows_batch():
    world = World()
    for number in range(500):
        world.submit(request(f"big {number}", session="w1", kind="batch"))
    for number in range(3):
        world.submit(request(f"small {number}", session="w2", kind="batch"))
    world.run()
    assert [world.order.index(f"small {number}") for number in range(3)] == [1, 3, 5]


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 4])
@given(st.lists(st.floats(0.1, 900.0), min_size=1, max_size=8))
def test_a_question_waits_at_most_two_services_behind_a_batch_of_any_length(slots, times):
    world = World(Policy(max_wait=60.0), box=Capacity(slots))
    for number in range(400):
        world.submit(request(f"item {number}", session="batch", kind="batch"), service=3.0)
    spaced = [time + 7.0 * number for number, time in enumerate(sorted(times))]
    for number, time in enumerate(spaced):
        world.submit_at(time, request(f"question {number}", session="w2"), service=3.0)
    world.run()
    assert max(world.wait_of(f"question {number}") for number in range(len(times))) <= 6.0 + 1e-6


def test_batch_work_is_overdue_after_max_wait_and_then_has_every_other_turn():
    world = World(Policy(max_wait=30.0))
    world.submit(request("running", session="w2"))
    world.decide()
    for number in range(3):
        world.submit(request(f"batch {number}", session="w1", kind="batch"))
    for number in range(200):  # endless: one a second for one slot
        world.submit_at(number * 1.0, request(f"question {number}", session="w2"))
    world.run()
    assert [world.wait_of(f"batch {number}") for number in range(3)] == [30.0, 32.0, 34.0]


def test_interactive_work_goes_before_batch_work_that_came_earlier():
    world = World()
    world.submit(request("running", kind="batch"))
    world.decide()
    world.submit(request("batch", kind="batch"))
    world.submit(request("question", session="w2"))
    assert world.run().order == ["running", "question", "batch"]
