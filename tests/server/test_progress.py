"""Progress is throttled, rises, and ends with the result."""

import asyncio

from spadework.engine.job import Progress
from spadework.mcp.mcp_server import reporting


async def test_many_notes_become_few_messages_and_the_newest_wins():
    sent = []

    async def send(number, *, message):
        sent.append((number, message))

    async with reporting(send) as note:
        for count in range(1, 1001):
            note(Progress("answering", f"{count} tokens", count))
            if count % 100 == 0:
                await asyncio.sleep(0)
    assert 1 <= len(sent) <= 2
    assert sent == sorted(sent)


async def test_numbers_only_rise_over_stages_and_models():
    sent = []
    heard = asyncio.Event()

    async def send(number, *, message):
        sent.append(number)
        heard.set()

    async with reporting(send) as note:
        for progress in (Progress("answering", "x", 7), Progress("next-model", "y")):
            heard.clear()
            note(progress)
            await asyncio.wait_for(heard.wait(), 5)
    assert sent == [7.0, 8.0]


async def test_nothing_is_sent_once_the_result_is_out():
    sent = []

    async def send(number, *, message):
        sent.append(message)

    async with reporting(send) as note:
        pass
    note(Progress("answering", "late", 1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert sent == []


async def test_a_send_under_way_is_stopped_with_the_result():
    started = asyncio.Event()
    finished = []

    async def send(number, *, message):
        started.set()
        await asyncio.Event().wait()
        finished.append(message)

    async with reporting(send) as note:
        note(Progress("answering", "x", 1))
        await started.wait()
    assert finished == []
