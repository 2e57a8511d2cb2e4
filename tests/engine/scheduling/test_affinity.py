"""On a server that holds one model at a time, what waits is grouped by model."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_world import World, request

from spadework.engine.scheduling.slot_requests import Capacity, Policy

SERVICE = 3.0
TINY = 1e-6


@given(st.integers(2, 5), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_two_hundred_at_once_cost_one_load_for_each_model(models, slots, chance):
    world = World(Policy(max_wait=3600.0), swap=10.0, box=Capacity(slots, exclusive=True))
    names = [f"m{number % models}" for number in range(200)]
    chance.shuffle(names)
    for number, name in enumerate(names):
        world.submit(
            request(f"{number}", name, session=f"w{number % 4}"), service=chance.uniform(1, 3)
        )
    world.run()
    assert len(world.order) == 200
    assert world.loads == models
    (box,) = world.scheduler.snapshot().backends
    assert box.swaps == models - 1


def test_a_backlog_longer_than_max_wait_still_spends_at_most_a_fifth_on_swaps():
    world = World(Policy(max_wait=1.0), swap=10.0, box=Capacity(2, exclusive=True))
    for number in range(600):
        world.submit(request(f"{number}", f"m{number % 3}"), service=2.0)
    world.run()
    assert world.loads * 10.0 <= 0.2 * world.now + 3 * 10.0


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 2, 4])
@given(st.lists(st.floats(0.1, 3000.0), min_size=1, max_size=5))
@settings(max_examples=25)
def test_a_question_to_another_model_waits_max_wait_and_one_service_and_then_a_swap(slots, times):
    world = World(Policy(max_wait=60.0), swap=10.0, box=Capacity(slots, exclusive=True))
    for number in range(600):
        world.submit(request(f"item {number}", "big", kind="batch"), service=SERVICE)
    for number, time in enumerate(sorted(times)):
        one = request(f"question {number}", "other", session=f"w{number}")
        world.submit_at(time + 100.0 * number, one, service=SERVICE)
    world.run()
    for number in range(len(times)):
        # Granted is when the swap begins.
        assert world.wait_of(f"question {number}") <= 60.0 + SERVICE + TINY


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 400.0), st.sampled_from(["a", "b", "c", "d"]), st.floats(0.1, SERVICE)
        ),
        max_size=120,
    ),
    st.integers(1, 3),
    st.sampled_from([0.0, 2.0, 10.0]),
)
@settings(max_examples=60)
def test_no_model_stands_back_longer_than_max_wait_and_one_turn_of_each_other(jobs, slots, swap):
    policy = Policy(max_wait=60.0, assumed_swap=swap)
    world = World(policy, swap=swap, box=Capacity(slots, exclusive=True))
    for number, (time, name, service) in enumerate(jobs):
        world.submit_at(time, request(f"{number}", name), service=service)
    names = {f"{number}": name for number, (_, name, _) in enumerate(jobs)}
    world.run()
    longest_turn = 5 * swap + SERVICE
    others = len(set(names.values())) - 1
    left = {}
    for place, one in enumerate(world.order):
        before = names[world.order[place - 1]] if place else names[one]
        now = world.started[one]
        if names[one] != before:
            left[before] = now
            waited = now - max(world.arrived[one], left.get(names[one], 0.0))
            assert waited <= policy.max_wait + others * longest_turn + TINY


@given(
    st.lists(
        st.tuples(st.floats(0.0, 300.0), st.sampled_from("abc"), st.floats(0.1, SERVICE)),
        max_size=80,
    )
)
@settings(max_examples=60)
def test_a_swap_comes_only_when_the_queue_is_empty_or_another_has_waited_max_wait(jobs):
    world = World(Policy(max_wait=40.0), swap=2.0, box=Capacity(2, exclusive=True))
    names = {}
    for number, (time, name, service) in enumerate(jobs):
        names[f"{number}"] = name
        world.submit_at(time, request(f"{number}", name), service=service)
    world.run()
    for place in range(1, len(world.order)):
        one, before = world.order[place], world.order[place - 1]
        if names[one] == names[before]:
            continue
        now = world.started[one]
        passed_over = [
            other
            for other in world.order[place:]
            if names[other] == names[before] and world.arrived[other] < now
        ]
        assert not passed_over or world.wait_of(one) >= 40.0 - TINY


def test_a_swap_serves_first_whoever_waited_longest_and_fills_every_slot():
    world = World(Policy(max_wait=10.0), swap=5.0, box=Capacity(2, exclusive=True))
    for number in range(40):
        world.submit(request(f"a{number}", "a"), service=2.0)
    world.submit(request("b batch", "b", kind="batch"), service=2.0)
    for number in range(3):
        world.submit_at(1.0, request(f"b{number}", "b", session="w2"), service=2.0)
    world.run()
    first = world.order.index("b batch")
    assert world.order[first + 1] == "b0"
    assert world.started["b batch"] == world.started["b0"]


def test_a_server_that_holds_many_models_never_waits_for_one():
    world = World(box=Capacity(4))
    for number in range(4):
        world.submit(request(f"{number}", f"m{number}"))
    world.decide()
    assert len(world.granted) == 4


def test_a_models_own_limit_leaves_the_other_slots_to_other_models():
    world = World(box=Capacity(4, per_model=1, models={"wide": 2}))
    for number in range(3):
        world.submit(request(f"narrow {number}", "narrow"), service=None)
        world.submit(request(f"wide {number}", "wide"), service=None)
    world.decide()
    assert sorted(world.granted) == ["narrow 0", "wide 0", "wide 1"]


def test_batch_work_on_one_model_does_not_hold_up_a_question_to_another_on_shared_slots():
    world = World(box=Capacity(1))
    world.submit(request("earlier question", "b", session="w2"))
    world.decide()
    for number in range(50):
        world.submit(request(f"item {number}", "a", kind="batch"))
    world.submit(request("question", "b", session="w2"))
    assert world.run().order[1] == "question"


def test_swaps_cost_what_was_measured():
    chance = random.Random(1)
    world = World(Policy(max_wait=30.0), swap=7.0, box=Capacity(1, exclusive=True))
    for number in range(60):
        world.submit(request(f"{number}", chance.choice("ab")), service=2.0)
    world.run()
    world.submit(request("x", "a"), service=None)
    world.decide()
    world.submit(request("y", "b"), service=None)
    place = world.scheduler.place_of("y")
    assert place.seconds == pytest.approx(2.0 + 7.0 + 2.0)


def test_two_long_batches_take_turns_of_max_wait_each():
    world = World(Policy(max_wait=60.0), swap=2.0)
    for number in range(300):
        world.submit(request(f"a{number}", "a", kind="batch"), service=1.0)
        world.submit(request(f"b{number}", "b", kind="batch"), service=1.0)
    world.run()
    assert world.now == 600.0 + 2.0 * world.loads
    assert world.loads == 12  # 58 requests and a swap a turn, so six turns each
