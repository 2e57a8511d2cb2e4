"""A question to another model interrupts batch work on a server that holds one at a time."""

import pytest
from virtual_world import World, request

from spadework.engine.scheduling.slot_requests import Capacity, Policy

SWAP = 4.0
SERVICE = 1.0
BATCH = 200


def busy_world(swap=SWAP, slots=2, batch=BATCH, **policy):
    world = World(Policy(**policy), swap=swap, box=Capacity(slots, exclusive=True))
    for number in range(batch):
        world.submit(request(f"row {number}", "llama", session="w1", kind="batch"), SERVICE)
    return world


def ask_at(world, time, name="question", models="gemma"):
    world.submit_at(time, request(name, models, session="w2"), SERVICE)


def test_a_question_waits_for_what_runs_and_for_its_model_alone():
    world = busy_world()
    ask_at(world, 20.0)
    world.run()
    assert world.wait_of("question") <= SERVICE  # its slot; then the model is loaded
    assert world.granted["question"].cold
    assert world.loads == 3  # llama, gemma, and llama again
    assert len(world.order) == BATCH + 1


def test_the_batch_goes_on_right_after_the_question():
    world = busy_world()
    ask_at(world, 20.0)
    world.run()
    after = world.order.index("question")
    assert world.order[after + 1].startswith("row")
    pause = world.started[world.order[after + 1]] - world.started[world.order[after - 1]]
    assert pause <= 2 * SERVICE + SWAP


@pytest.mark.parametrize("swap", [0.5, 4.0, 30.0])
def test_detours_come_at_most_once_in_the_patience_and_the_batch_always_gets_on(swap):
    patience = 20.0
    world = busy_world(swap=swap, interactive_patience=patience)
    for number in range(100):
        ask_at(world, 5.0 * number, f"question {number}")
    world.run()
    rows = [name for name in world.order if name.startswith("row")]
    assert len(rows) == BATCH
    assert len(world.order) == BATCH + 100
    ends = max(world.started[name] for name in rows)
    # In each stretch of `patience` between two detours the batch has both slots.
    detours = ends / (patience + 2 * swap) + 1
    assert world.loads <= 2 * detours + 3
    alone = BATCH * SERVICE / 2 + swap
    longest_detour = 2 * swap + patience + 2 * SERVICE
    assert ends <= alone + (alone / (patience - SERVICE) + 1) * longest_detour


def test_no_question_waits_longer_than_one_patience_a_detour_back_and_the_swaps():
    patience = 20.0
    world = busy_world(interactive_patience=patience, batch=400)
    for number in range(60):
        ask_at(world, 3.0 * number, f"question {number}")
    world.run()
    longest = max(world.wait_of(f"question {number}") for number in range(60))
    assert longest <= patience + 2 * SWAP + 3 * SERVICE


def test_questions_to_several_models_share_one_detour():
    world = busy_world()
    for name in ("gemma", "qwen", "phi"):
        ask_at(world, 20.0, name, name)
    world.run()
    first = min(world.order.index(name) for name in ("gemma", "qwen", "phi"))
    assert set(world.order[first : first + 3]) == {"gemma", "qwen", "phi"}
    assert world.loads == 5


def test_batch_work_of_the_other_model_does_not_ride_on_a_question():
    world = busy_world()
    for number in range(50):
        world.submit_at(19.0, request(f"other {number}", "gemma", kind="batch"), SERVICE)
    ask_at(world, 20.0)
    world.run(until=60.0)
    served = [name for name in world.order if name.startswith("other")]
    assert "question" in world.granted
    assert served == []


def test_a_question_to_the_loaded_model_needs_no_detour():
    world = busy_world()
    ask_at(world, 20.0, models="llama")
    world.run()
    assert world.loads == 1
    assert world.wait_of("question") <= SERVICE


def test_when_the_batch_is_cancelled_in_a_detour_nothing_is_gone_back_to():
    world = busy_world(batch=10)
    ask_at(world, 1.0)
    world.at(7.0, lambda: [world.scheduler.cancel(f"row {number}") for number in range(2, 10)])
    ask_at(world, 30.0, "later")
    world.run()
    assert "later" in world.granted
    assert world.loads <= 2


def test_the_place_of_a_question_tells_the_swap_and_not_the_whole_batch():
    world = busy_world()
    ask_at(world, 20.5)
    world.run(until=20.6)  # what runs has not ended yet
    place = world.scheduler.place_of("question")
    assert place.position == 1
    assert place.seconds <= 10.0 + SWAP + 2 * SERVICE


def test_a_server_that_went_back_by_itself_in_a_detour_serves_everybody_again():
    world = busy_world()
    ask_at(world, 20.0)
    world.run(until=22.0)
    assert world.granted["question"].cold
    world.at(26.0, lambda: world.scheduler.note_loaded("box", "llama"))
    for number in range(3):
        ask_at(world, 60.0 + 30 * number, f"later {number}")
    world.run()
    assert len(world.order) == BATCH + 4


def test_a_grant_that_loads_a_model_tells_about_how_long_that_takes():
    world = busy_world()
    ask_at(world, 20.0, "first")
    ask_at(world, 60.0, "second")
    world.run()
    assert world.granted["second"].swap == pytest.approx(SWAP, abs=0.5)
