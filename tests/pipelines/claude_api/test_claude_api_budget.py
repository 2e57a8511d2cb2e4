"""Whatever the order of replies, sizes, failures and crashes, the budget holds."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from spadework.errors import BudgetReached
from spadework.pipelines.claude_api.budget import Budget, Call
from spadework.pipelines.claude_api.request import (
    NANOS,
    ClaudeRequest,
    budget_in_nanos,
    in_nanos,
    worst_case,
)
from spadework.pipelines.items import Reply

ANSWER = Reply("Well.", "claude-sonnet-5-5", input_tokens=10, output_tokens=5)
ENDS = ("answer", "no answer", "refused", "lost", "crash")


def memory():
    return sa.create_engine("sqlite://", poolclass=sa.StaticPool)


def call(number):
    return Call("run", f"call-{number}", "step")


def charged(purse):
    spent = purse.spent("run")
    return round((spent.spent_usd + spent.in_flight_usd + spent.lost_usd) * NANOS)


def end(purse, ended, send, how, most, cost):
    """End a call; return what the API charges for it at most."""
    match how:
        case "answer":
            purse.settle(ended, send, cost, ANSWER)
        case "no answer":
            purse.settle(ended, send, cost, None)
        case "refused":
            purse.release(ended, send)
            return 0
        case "lost":
            purse.lose(ended, send)
            return most
        case "crash":  # nobody notes anything
            return most
    return cost


@given(
    budget=st.integers(0, 300),
    moves=st.lists(
        st.tuples(
            st.integers(0, 5),  # which call begins
            st.integers(0, 100),  # its worst case
            st.integers(0, 5),  # which call ends
            st.sampled_from(ENDS),
            st.integers(0, 100),  # how much of its worst case it cost, in percent
            st.booleans(),  # whether the SDK sends it a second time unseen
        ),
        max_size=25,
    ),
)
def test_spend_never_passes_the_budget(budget, moves):
    """`true` is what the API charges in the worst world: all that nobody saw the end of."""
    engine = memory()
    purse = Budget(engine)
    true = 0
    under_way = {}
    for begins, worst, ends, how, percent, twice in moves:
        if begins not in under_way:
            try:
                standing = purse.reserve(call(begins), worst, budget)
                if not standing.answer:
                    under_way[begins] = (standing.send, worst)
                    if twice:
                        purse.send_again("run", [call(begins).call_id], budget)
                        true += worst
            except BudgetReached:
                pass
        if ends in under_way:
            send, most = under_way.pop(ends)
            true += end(purse, call(ends), send, how, most, most * percent // 100)
        flying = sum(most for _, most in under_way.values())
        assert true + flying <= charged(purse) <= budget
    engine.dispose()


def test_a_call_that_a_process_left_in_flight_is_lost_and_is_made_again():
    purse = Budget(memory())
    purse.reserve(call(1), 40, 100)
    second = purse.reserve(call(1), 40, 100)
    assert (second.send, charged(purse)) == (2, 80)
    with pytest.raises(BudgetReached):
        purse.reserve(call(1), 40, 100)
    assert charged(purse) == 80


def test_what_was_set_aside_and_not_sent_is_not_lost():
    purse = Budget(memory())
    purse.reserve(call(1), 40, 100, sent=False)
    purse.reserve(call(1), 40, 100, sent=False)
    assert charged(purse) == 40


def test_a_send_that_was_given_up_settles_nothing_later():
    purse = Budget(memory())
    first = purse.reserve(call(1), 40, 100)
    second = purse.reserve(call(1), 40, 100)
    purse.settle(call(1), first.send, 10, ANSWER)
    assert charged(purse) == 80
    purse.settle(call(1), second.send, 10, ANSWER)
    purse.settle(call(1), second.send, 10, ANSWER)
    assert charged(purse) == 50


def fight(url):
    """Reserve until the budget is reached; return how many were let through."""
    engine = sa.create_engine(url, connect_args={"timeout": 30})
    purse = Budget(engine)

    def one(number):
        try:
            purse.reserve(Call("run", f"{id(engine)}-{number}", "s"), 10, 200)
        except BudgetReached:
            return 0
        return 1

    with ThreadPoolExecutor(4) as threads:
        let_through = sum(threads.map(one, range(20)))
    engine.dispose()
    return let_through


@pytest.mark.slow
def test_processes_and_threads_on_one_file_share_one_budget(tmp_path):
    url = f"sqlite:///{tmp_path}/calls.db"
    program = f"import sys; sys.path[:0] = {sys.path!r}; import test_claude_api_budget as t; "
    program += f"print(t.fight({url!r}))"
    begun = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sum(int(one.communicate(timeout=120)[0]) for one in begun) == 20
    engine = sa.create_engine(url)
    assert charged(Budget(engine)) == 200
    engine.dispose()


def test_sums_of_money_are_exact_and_budgets_are_as_they_are_written():
    assert budget_in_nanos(0.1) == 100_000_000
    purse = Budget(memory())
    for number in range(10):
        purse.reserve(call(number), budget_in_nanos(0.1), budget_in_nanos(1))
    with pytest.raises(BudgetReached):
        purse.reserve(call(99), 1, budget_in_nanos(1))


def test_the_worst_case_of_what_is_cached_is_the_price_of_writing_the_cache():
    request = ClaudeRequest("claude-sonnet-5-5", "?", max_tokens=1000)
    kept = replace(request, shared="The same for all.")
    plain, cached = worst_case(request, 1_000_000), worst_case(kept, 1_000_000)
    assert (in_nanos(plain), in_nanos(cached)) == (2_010_000_000, 2_510_000_000)
    assert worst_case(kept, 1_000_000, batch=True) * 2 == cached
