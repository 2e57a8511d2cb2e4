"""A server that fails is suspended, and tried again by one request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_world import World, model, request

from spadework.engine.scheduling.circuit_breaker import BreakerSettings, CircuitBreaker, Cooldown
from spadework.engine.scheduling.slot_requests import Capacity, Failed, Model, Policy, Succeeded

DEAD = Failed("backend", "box: nothing answers")
BROKEN = Failed("model", "box/llama: the stream broke off")
WIDE = Capacity(8)


def breaker(*, failures=1, cooldown=5.0, longest=60.0, jitter=0.0):
    quick = Cooldown(0.5, 1.2, 15.0)
    return CircuitBreaker(
        BreakerSettings(failures, Cooldown(cooldown, 2.0, longest), quick, lambda: jitter)
    )


def states(world):
    return {one.name: one.state for one in world.scheduler.snapshot().breakers}


def world_after(outcome, policy):
    """A world whose one server has answered its first request so."""
    world = World(policy, box=WIDE)
    world.submit(request("first"), service=None)
    world.decide()
    world.end("first", outcome)
    return world


def test_it_opens_after_so_many_failures_in_a_row():
    one = breaker(failures=3)
    for outcome in ("fail", "fail", "succeed", "fail", "fail"):
        one.fail("r", 0.0, BROKEN) if outcome == "fail" else one.succeed("r")
    assert one.state(0.0) == "closed"
    one.fail("r", 0.0, BROKEN)
    assert one.state(0.0) == "open"


def test_each_failed_probe_doubles_the_cooldown_up_to_a_limit():
    one, now, waits = breaker(), 0.0, []
    one.fail("r", now, BROKEN)
    for number in range(6):
        waits.append(one.reopens_in(now))
        now += waits[-1]
        one.start(f"probe {number}", now)
        one.fail(f"probe {number}", now, BROKEN)
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


@given(st.floats(0.0, 1.0), st.floats(0.01, 10_000.0))
def test_a_cooldown_that_a_server_told_is_never_cut_short(jitter, told):
    one = breaker(failures=3, jitter=jitter)
    one.fail("r", 100.0, Failed("model", "busy", told))
    assert told - 1e-6 <= one.reopens_in(100.0) <= max(told, 0.5) * 1.2 + 1e-6


def test_what_was_under_way_when_it_opened_changes_nothing():
    one = breaker()
    one.fail("a", 0.0, Failed("model", "first"))
    one.fail("b", 1.0, Failed("model", "second"))
    one.succeed("c")
    assert one.reopens_in(0.0) == 5.0
    assert one.reason == "first"


def test_a_dead_machine_costs_one_failure_not_one_for_each_call():
    world = World(Policy(max_suspension=0.0))
    for number in range(50):
        world.submit(request(f"{number}"), service=None)
    world.decide()
    world.end("0", DEAD)
    world.decide()
    assert world.order == ["0"]
    assert len(world.refused) == 49
    refused = world.refused["7"]
    assert refused.why == "unhealthy"
    assert refused.message == "suspended for another 5 s after a failure: box: nothing answers"
    assert refused.retry_after == 5.0
    assert world.submit(request("late")).why == "unhealthy"


def test_no_request_goes_to_a_dead_machine_before_one_probe_has_found_it_alive():
    world = world_after(DEAD, Policy(max_suspension=10.0))
    world.run(until=4.9)
    assert world.submit(request("early")).why == "unhealthy"
    world.now = 5.0
    for number in range(5):
        world.submit(request(f"{number}"), service=None)
    assert world.order == ["first"]
    assert world.run(until=5.0).order == ["first", "0", "1", "2", "3", "4"]
    assert world.probes == [(5.0, "box")]
    assert states(world) == {}


def test_a_probe_under_way_holds_back_every_request():
    world = world_after(DEAD, Policy(max_suspension=10.0))
    world.now = 5.0
    world.submit(request("waits"), service=None)
    (claim,) = world.scheduler.probes_due().values()
    assert world.scheduler.probes_due() == {}
    assert states(world) == {"box": "half-open"}
    world.decide()
    assert world.order == ["first"]
    world.scheduler.note_probe("box")  # a question that was asked before says nothing of now
    world.decide()
    assert world.order == ["first"]
    world.scheduler.note_probe("box", claim)
    world.decide()
    assert world.order == ["first", "waits"]


def test_a_probe_that_learnt_nothing_makes_room_for_the_next_one():
    world = world_after(DEAD, Policy(max_suspension=10.0))
    world.now = 5.0
    world.submit(request("waits"), service=None)
    (claim,) = world.scheduler.probes_due().values()
    world.scheduler.give_up_probe("box", claim)
    world.submit(request("next"), service=None)
    assert list(world.scheduler.probes_due()) == ["box"]


def test_a_changed_backend_has_no_past():
    world = World(Policy(max_suspension=0.0), box=WIDE, spare=WIDE)
    for name, models, outcome in (("a", "box/llama", DEAD), ("b", "spare/llama", DEAD)):
        world.submit(request(name, models), service=None)
        world.decide()
        world.end(name, outcome)
    world.scheduler.forget("box")
    assert states(world) == {"spare": "open"}


def test_a_failed_probe_refuses_those_who_waited_for_it():
    world = world_after(DEAD, Policy(max_suspension=6.0))
    world.dead.add("box")
    world.now = 5.0
    world.submit(request("waits"), service=None)
    world.run(until=5.0)
    assert world.refused["waits"].retry_after == 10.0
    assert world.order == ["first"]


def test_a_dead_machine_is_probed_only_while_something_is_wanted_of_it():
    world = world_after(DEAD, Policy(max_suspension=0.0))
    world.dead.add("box")
    world.run(until=1000.0)
    assert world.probes == []
    assert world.submit(request("late")) is None  # its cooldown is over: the probe decides
    world.run(until=1000.0)
    assert world.refused["late"].why == "unhealthy"
    assert world.probes == [(1000.0, "box")]
    world.run(until=5000.0)
    assert world.probes == [(1000.0, "box")]


def test_a_question_without_a_slot_tells_of_a_dead_machine_too():
    world = World(Policy(max_suspension=0.0), box=WIDE)
    box = Model("box", "")
    assert world.scheduler.suspension(box) == ""
    world.scheduler.note_probe("box", failure="nothing answers")
    expected = "suspended for another 5 s after a failure: nothing answers"
    assert world.scheduler.suspension(box) == expected
    assert world.submit(request("r")).message == expected
    world.run(until=5.0)
    assert world.scheduler.suspension(box) == ""


@pytest.mark.parametrize("how", ["cancelled", "own fault"])
def test_a_probe_that_says_nothing_against_the_server_does_not_block_it(how):
    world = world_after(Failed("model", "too many requests", 5.0), Policy(max_suspension=10.0))
    world.submit(request("probe"), service=None)
    world.submit(request("next"), service=None)
    world.run(until=5.0)
    if how == "cancelled":
        world.scheduler.cancel("probe")
    else:
        world.end("probe", Failed("request", "too long"))
    world.decide()
    assert world.order[-1] == "next"


def test_a_broken_model_leaves_the_other_models_of_its_backend_alone():
    world = World(Policy(max_suspension=0.0), box=WIDE)
    for number in range(3):
        world.submit(request(f"{number}"), service=None)
    world.decide()
    for number in range(3):
        world.end(f"{number}", BROKEN)
    assert states(world) == {"box/llama": "open"}
    assert world.submit(request("same")).why == "unhealthy"
    world.submit(request("other", "gemma"), service=None)
    world.decide()
    assert world.order[-1] == "other"


def test_a_request_goes_to_its_next_tier_while_the_first_is_suspended_and_back_after():
    world = World(Policy(max_suspension=0.0), box=WIDE, spare=WIDE)
    world.submit(request("first"), service=None)
    world.decide()
    world.end("first", Failed("model", "too many requests", 30.0))
    world.submit(request("while", "box/llama, spare/gemma"), service=None)
    world.decide()
    assert str(world.granted["while"].model) == "spare/gemma"
    world.now = 30.0
    world.submit(request("probe", "box/llama, spare/gemma"), service=None)
    world.submit(request("beside the probe", "box/llama, spare/gemma"), service=None)
    world.decide()
    assert str(world.granted["probe"].model) == "box/llama"
    assert str(world.granted["beside the probe"].model) == "spare/gemma"


def test_those_who_wait_move_to_the_next_tier_when_the_first_one_dies():
    world = World(Policy(max_suspension=0.0), spare=Capacity(1), box=Capacity(1))
    world.submit(request("first"), service=None)
    world.decide()
    world.submit(request("waits", "box/llama, spare/gemma"), service=None)
    world.decide()
    assert "waits" not in world.granted
    world.end("first", DEAD)
    world.decide()
    assert str(world.granted["waits"].model) == "spare/gemma"


def test_an_answer_in_between_forgives_earlier_failures():
    world = World(box=WIDE)
    for number, outcome in enumerate([BROKEN, BROKEN, Succeeded(), BROKEN, BROKEN]):
        world.submit(request(f"{number}"), service=None)
        world.decide()
        world.end(f"{number}", outcome)
    assert states(world) == {}


def test_a_models_probe_that_finds_the_machine_dead_is_not_waited_for_ever_after():
    world = world_after(Failed("model", "too many requests", 10.0), Policy(max_suspension=100.0))
    world.submit(request("probe"), service=None)
    world.run(until=10.0)
    world.end("probe", DEAD)
    world.run(until=15.0)
    world.submit(request("next"), service=None)
    world.run(until=15.0)
    assert world.order == ["first", "probe", "next"]


def wait_for(world, *models):
    """Do as batch work does that waits: say it again whenever something has changed."""
    for one in models:
        if world.scheduler.want_back(model(one)):
            world.at(world.now + 0.25, lambda: wait_for(world, *models))


def test_a_machine_that_batch_work_waits_for_is_probed_soon_and_questions_are_not_held_up():
    world = world_after(DEAD, Policy(max_suspension=5.0))
    world.dead.add("box")
    wait_for(world, "llama")
    world.at(60.0, world.dead.clear)
    world.submit_at(30.0, request("question"))
    world.run()
    assert world.refused["question"].why == "unhealthy"
    back = world.probes[-1][0]
    assert 60.0 <= back <= 60.0 * 1.2
    assert len(world.probes) < 25
    assert states(world) == {}


def test_when_nobody_waits_any_more_a_machine_that_was_long_away_is_soon_tried_again():
    world = world_after(DEAD, Policy(max_suspension=5.0))
    world.dead.add("box")
    wait_for(world, "llama")
    world.run(until=600.0)
    (shown,) = world.scheduler.snapshot().breakers
    assert shown.reopens_in <= 15.0


def test_a_models_failure_that_may_pass_is_tried_again_sooner_than_one_that_may_not():
    waits = {}
    for temporary in (True, False):
        one, now = breaker(cooldown=5.0, longest=300.0), 0.0
        for _ in range(20):
            one.start("r", now)
            one.fail("r", now, Failed("model", "502", temporary=temporary))
            waits.setdefault(temporary, []).append(one.reopens_in(now))
            now += waits[temporary][-1]
    assert (waits[True][0], max(waits[True])) == (0.5, 15.0)
    assert (waits[False][0], max(waits[False])) == (5.0, 300.0)
