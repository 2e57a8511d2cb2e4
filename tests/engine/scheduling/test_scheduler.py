"""Slots, choices between servers, deadlines, refusals and what can be read."""

import pytest
from virtual_world import World, request

from spadework.engine.scheduling.slot_requests import Capacity, Policy, Succeeded, preference_groups
from spadework.engine.scheduling.status import BackendStatus, WaitingStatus

TWO = {"koala": Capacity(2), "wombat": Capacity(2)}
BOTH = "koala/llama wombat/llama"


def backends_of(world):
    return {name: granted.model.backend for name, granted in world.granted.items()}


def test_of_servers_with_the_same_model_the_least_loaded_is_taken():
    world = World(**TWO)
    world.submit(request("pinned", "koala/gemma"), service=None)
    world.submit(request("earlier", "wombat/llama"), service=1.0)
    world.run()
    for number in range(3):
        world.submit(request(f"{number}", BOTH), service=None)
        world.decide()
    taken = backends_of(world)
    assert taken["0"] == "wombat"
    assert sorted(taken.values()) == ["koala", "koala", "wombat", "wombat", "wombat"]


def test_a_server_that_has_the_model_loaded_goes_before_one_that_would_swap():
    one = Capacity(4, exclusive=True)
    world = World(koala=one, wombat=one)
    world.submit(request("a", "koala/gemma"), service=1.0)
    world.submit(request("b", "wombat/llama"), service=None)
    world.run()
    world.submit(request("c", BOTH), service=None)
    world.decide()
    assert backends_of(world)["c"] == "wombat"


def test_the_same_document_goes_to_the_server_that_had_it():
    world = World(**TWO)
    world.submit(request("x", "koala/llama"), service=None)
    world.submit(request("first", BOTH, prefix_digest="doc"), service=1.0)
    world.run()
    world.submit(request("y", "wombat/llama"), service=None)
    world.end("x")
    world.decide()
    world.submit(request("again", BOTH, prefix_digest="doc"), service=None)
    world.submit(request("another", BOTH, prefix_digest="other"), service=None)
    world.decide()
    assert backends_of(world)["again"] == "wombat"
    assert backends_of(world)["another"] == "koala"


def test_it_waits_for_that_server_for_one_slot_and_no_more():
    world = World(koala=Capacity(1), wombat=Capacity(1))
    world.submit(request("w", "wombat/llama"), service=None)
    world.submit(request("first", BOTH, prefix_digest="doc"), service=None)
    world.decide()
    world.submit(request("holds out", BOTH, prefix_digest="doc"), service=None)
    world.submit(request("does not", BOTH, prefix_digest="doc"), service=None)
    world.end("w")
    world.decide()
    assert backends_of(world) == {"w": "wombat", "first": "koala", "does not": "wombat"}
    world.end("first")
    world.decide()
    assert backends_of(world)["holds out"] == "koala"


def test_whoever_holds_out_goes_elsewhere_once_others_go_before_it():
    world = World(koala=Capacity(1), wombat=Capacity(1))
    world.submit(request("first", "koala/llama", prefix_digest="doc"), service=None)
    world.decide()
    world.submit(request("batch", BOTH, prefix_digest="doc", kind="batch"), service=None)
    world.decide()
    assert "batch" not in world.granted
    world.submit(request("question", "koala/llama", session="w2"), service=None)
    world.decide()
    assert backends_of(world)["batch"] == "wombat"


def test_past_its_deadline_a_request_is_refused_without_anything_else_happening():
    world = World()
    world.submit(request("runs"), service=100.0)
    world.submit(request("late", deadline=20.0))
    world.submit(request("patient"))
    world.decide()
    assert world.scheduler.next_decision_at() == 20.0
    world.run()
    assert world.refused["late"].why == "deadline"
    assert world.refused["late"].message == "no slot in 20 s, and its time is over"
    assert world.order == ["runs", "patient"]


def test_a_full_queue_refuses_with_how_many_wait_and_how_long():
    world = World(Policy(max_waiting=3, assumed_service=4.0))
    for number in range(4):
        assert world.submit(request(f"{number}"), service=None) is None
        world.decide()
    refused = world.submit(request("one more"))
    assert refused.why == "busy"
    assert refused.message == "busy, 3 waiting, about 16 seconds"
    assert refused.retry_after == pytest.approx(16.0)
    world.end("0")
    world.decide()
    assert world.submit(request("now")) is None


def test_one_sessions_batch_cannot_fill_the_queue_for_its_own_question_or_another_session():
    world = World(Policy(max_waiting_of_session=5))
    refused = [world.submit(request(f"{n}", kind="batch"), service=None) for n in range(8)]
    assert [bool(one) for one in refused] == [False] * 5 + [True] * 3
    assert world.submit(request("own question")) is None
    assert world.submit(request("another's item", session="w2", kind="batch")) is None


def test_a_place_in_line_counts_what_goes_before():
    world = World(Policy(assumed_service=6.0), box=Capacity(2))
    for number in range(5):
        world.submit(request(f"{number}"), service=None)
    world.decide()
    world.submit(request("other session", session="w2"), service=None)
    assert world.scheduler.place_of("0") is None
    place = world.scheduler.place_of("other session")
    assert (place.position, place.seconds, str(place.model)) == (2, 6.0, "box/llama")
    assert world.scheduler.place_of("4").position == 4


def test_a_place_on_an_exclusive_server_counts_the_other_models_and_the_swaps():
    capacity = Capacity(1, exclusive=True)
    world = World(Policy(assumed_service=6.0, assumed_swap=10.0), box=capacity)
    for number, name in enumerate(["a", "a", "b", "b", "c"]):
        world.submit(request(f"{number}", name), service=None)
    world.decide()
    place = world.scheduler.place_of("4")
    assert place.position == 4  # one of a, two of b
    assert place.seconds == (6 + 6) + (10 + 6 + 6) + (10 + 6)


def test_the_snapshot_shows_everything():
    world = World(box=Capacity(1, exclusive=True), spare=Capacity(3))
    world.submit(request("r", "box/llama"), service=None)
    world.decide()
    world.submit(request("w1", "box/gemma"), service=None)
    world.submit(request("w2", "box/gemma", kind="batch"), service=None)
    world.submit(request("w3", "box/gemma", kind="batch"), service=None)
    world.now = 4.0
    shown = world.scheduler.snapshot()
    assert shown.backends == (
        BackendStatus("box", "", 1, 1, 3, exclusive=True, loaded=("llama",), swaps=0),
        BackendStatus("spare", "", 0, 3, 0, exclusive=False, loaded=None, swaps=0),
    )
    assert [(one.id, one.seconds, one.cold) for one in shown.running] == [("r", 4.0, True)]
    gemma = ("box/gemma",)
    assert shown.waiting == (
        WaitingStatus("w1", "interactive", 1, 4.0, gemma),
        WaitingStatus("w1", "batch", 2, 4.0, gemma),
    )
    assert shown.breakers == ()


def test_a_changed_capacity_counts_at_once_and_cuts_nothing_off():
    world = World(box=Capacity(1))
    for number in range(4):
        world.submit(request(f"{number}"), service=None)
    world.decide()
    world.capacities["box"] = Capacity(3)
    world.scheduler.configure("box", Capacity(3))
    world.decide()
    assert len(world.granted) == 3
    world.scheduler.configure("box", Capacity(1))
    world.end("0")
    world.end("1")
    world.decide()
    assert len(world.granted) == 3
    world.end("2")
    world.decide()
    assert len(world.granted) == 4


def test_a_server_that_says_what_it_holds_is_believed_while_nothing_runs():
    world = World()
    world.scheduler.note_loaded("box", "gemma")
    world.submit(request("needs a swap", "llama"), service=None)
    world.submit(request("needs none", "gemma"), service=None)
    world.decide()
    assert world.order == ["needs none"]
    assert not world.granted["needs none"].cold
    world.scheduler.note_loaded("box", "llama")
    assert world.scheduler.snapshot().backends[0].loaded == ("gemma",)


@pytest.mark.parametrize(
    "wrong", [request("taken"), request("new", "nowhere/llama"), request("new")]
)
def test_a_request_that_cannot_be_meant_is_a_mistake_of_the_caller(wrong):
    world = World()
    world.submit(request("taken"))
    if wrong == request("new"):
        wrong = type(wrong)("new", "w1", ())
    with pytest.raises(ValueError, match=r"'taken'|'new'"):
        world.scheduler.submit(wrong)


def test_no_capacity_is_less_than_one():
    for wrong in ({"slots": 0}, {"slots": 2, "per_model": 0}, {"slots": 2, "models": {"a": 0}}):
        with pytest.raises(ValueError, match="at least one slot"):
            Capacity(**wrong)


def test_ends_and_cancellations_of_what_is_gone_are_ignored():
    world = World()
    world.submit(request("a"), service=None)
    world.decide()
    world.end("a")
    for _ in range(2):
        world.scheduler.finish("a", Succeeded())
        world.scheduler.cancel("a")
        world.scheduler.first_token("a", 1.0)
    assert world.scheduler.snapshot().running == ()


def test_the_same_model_on_several_backends_is_one_tier_unless_one_is_in_the_cloud():
    names = ["koala/llama", "koala/gemma", "sky/llama", "wombat/llama"]
    trust = {name: "cloud" if name.startswith("sky/") else "local" for name in names}
    assert [[str(one) for one in tier] for tier in preference_groups(names, trust)] == [
        ["koala/llama", "wombat/llama"],
        ["koala/gemma"],
        ["sky/llama"],
    ]


def test_a_model_that_is_named_twice_is_queued_once():
    world = World()
    world.submit(request("a", "llama llama, llama"), service=None)
    world.submit(request("b", "llama llama, llama"), service=None)
    world.decide()
    world.scheduler.cancel("b")
    assert world.scheduler.snapshot().backends[0].waiting == 0
