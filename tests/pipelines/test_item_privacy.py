"""What waits for what, where the steps of an item begin together."""

import asyncio

from spadework.pipelines.item_privacy import ItemPrivacy


async def test_claude_is_not_asked_while_a_step_asks_a_model_first_and_reads_afterwards():
    privacy, order = ItemPrivacy(), []

    async def asks_claude():
        with privacy.step("claude") as branch, privacy.waiting(branch):
            await privacy.settled()
            order.append("claude: private" if privacy.private else "claude: public")

    async def asks_and_reads():
        with privacy.step("reads") as branch:
            await privacy.settled_for_ask(branch)
            order.append("asked")
            for _ in range(500):  # a slow model
                await asyncio.sleep(0)
            privacy.mark()

    await asyncio.wait_for(asyncio.gather(asks_claude(), asks_and_reads()), 10)
    assert order == ["asked", "claude: private"]


async def test_steps_that_ask_and_steps_that_ask_claude_do_not_wait_for_each_other_for_ever():
    privacy, order = ItemPrivacy(), []

    async def asks_claude(name):
        with privacy.step(name) as branch, privacy.waiting(branch):
            await privacy.settled()
            order.append(name)

    async def asks(name):
        with privacy.step(name) as branch:
            await privacy.settled_for_ask(branch)
            order.append(name)

    works = [asks_claude("c1"), asks("a1"), asks_claude("c2"), asks("a2")]
    await asyncio.wait_for(asyncio.gather(*works), 10)
    assert set(order[:2]) == {"a1", "a2"}
    assert set(order[2:]) == {"c1", "c2"}
