"""Calls in batches: sent together, at half the price, and waited for over a restart."""

import asyncio

import pytest

from doubles.messages_api import BATCHES, DROPPED, Fault, Says
from spadework.errors import (
    BackendUnavailable,
    BudgetReached,
    CheckFailed,
    DeadlinePassed,
    ModelUnknown,
    RequestRejected,
)
from spadework.pipelines.claude_api.batches import Timing
from spadework.pipelines.claude_api.budget import Spend
from spadework.pipelines.claude_api.request import ClaudeRequest

MODEL = "claude-sonnet-5-5"


def ask(gate, call, *, max_tokens=1000, batch=True, **more):
    request = ClaudeRequest(MODEL, f"question {call}", max_tokens=max_tokens)
    return asyncio.ensure_future(gate.ask("run-1", call, "step", request, batch=batch, **more))


def echo(params):
    return Says(params["messages"][0]["content"][0]["text"], input_tokens=1000, output_tokens=100)


@pytest.mark.slow
async def test_calls_of_a_run_go_out_as_one_batch_at_half_the_price(make_gate, api, ledger):
    gate = make_gate(
        Timing(quiet=2.0, interval=0.01, longest=0.02)
    )  # each is counted first, which may take a while
    api.results = echo
    answers = await asyncio.gather(*(ask(gate, f"c{one}") for one in range(5)))
    assert [one.text for one in answers] == [f"question c{one}" for one in range(5)]
    assert {one.cost_usd for one in answers} == {0.0015}
    assert len(api.bodies(BATCHES)) == 1
    assert await gate.spent("run-1") == Spend(0.0075, 0, 0)
    assert {(one.outcome, one.cost_usd) for one in ledger.entries()} == {("answered", 0.0015)}


async def test_a_restart_only_waits_and_reads(make_gate, api):
    api.looks = 1_000_000
    first = make_gate()
    waiting = ask(first, "c1")
    await asyncio.to_thread(api.wait_for, 1, BATCHES)
    while not any(one.method == "GET" for one in api.requests):  # its id is stored by then
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await first.spent("run-1")).lost_usd == 0
    api.looks = 1
    api.results = echo
    again = make_gate()
    assert (await ask(again, "c1", batch=False)).text == "question c1"  # even without --batch
    assert len(api.bodies(BATCHES)) == 1
    assert await again.spent("run-1") == Spend(0.0015, 0, 0)


async def test_two_that_wait_for_one_call_pay_it_once(make_gate, api):
    api.results = echo
    first, second = make_gate(), make_gate()
    waiting = ask(first, "c1")
    while not any(one.method == "GET" for one in api.requests):
        await asyncio.sleep(0.01)
    await asyncio.gather(waiting, ask(second, "c1"))
    assert (await first.spent("run-1")).spent_usd == 0.0015


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("errored", RequestRejected),
        ("canceled", BackendUnavailable),
        ("expired", DeadlinePassed),
    ],
)
async def test_what_a_batch_did_not_do_costs_nothing_and_can_be_asked_again(
    gate, api, result, kind
):
    api.results = lambda _: result
    with pytest.raises(kind):
        await ask(gate, "c1", budget_usd=1)
    assert await gate.spent("run-1") == Spend(0, 0, 0)
    api.results = echo
    assert (await ask(gate, "c1", budget_usd=1)).text == "question c1"


async def test_a_cut_off_reply_of_a_batch_is_paid(gate, api):
    api.results = lambda _: Says("half", stop_reason="max_tokens", input_tokens=1000)
    with pytest.raises(CheckFailed):
        await ask(gate, "c1")
    assert (await gate.spent("run-1")).spent_usd > 0


async def test_a_batch_that_was_not_made_costs_nothing(make_gate, api):
    gate = make_gate(max_retries=0)
    api.faults = [Fault(400, "invalid_request_error", "too many requests in it")]
    with pytest.raises(RequestRejected, match="too many"):
        await ask(gate, "c1", budget_usd=1)
    assert await gate.spent("run-1") == Spend(0, 0, 0)


async def test_a_batch_that_may_be_there_is_lost_at_its_worst(make_gate, api):
    gate = make_gate(max_retries=0)
    api.faults = [DROPPED]
    with pytest.raises(BackendUnavailable):
        await ask(gate, "c1", budget_usd=1)
    assert (await gate.spent("run-1")).lost_usd >= 0.005


async def test_the_budget_counts_for_batches_too(gate):
    calls = [ask(gate, f"c{one}", budget_usd=0.011) for one in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, BudgetReached) for one in done) == 1


async def test_results_that_are_gone_are_lost_and_the_call_is_sent_again(gate, api):
    api.results = echo
    api.forgotten.add("msgbatch_01")
    with pytest.raises(ModelUnknown):
        await ask(gate, "c1", budget_usd=1)
    assert (await gate.spent("run-1")).lost_usd >= 0.005
    assert (await ask(gate, "c1", budget_usd=1)).text == "question c1"


async def test_the_batches_of_a_run_can_be_cancelled(gate, api):
    api.looks = 1_000_000
    waiting = ask(gate, "c1")
    while not any(one.method == "GET" for one in api.requests):
        await asyncio.sleep(0.01)
    assert await gate.cancel_batches("run-1") == 1
    assert api.canceled == ["msgbatch_01"]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
