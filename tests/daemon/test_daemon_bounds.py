"""What one window sends holds up no other one, and SIGTERM always ends the daemon."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from embedded.waiting import is_gone, wait_until

SECONDS = 60
EVIL_REPLY = json.dumps("a" * 40 + "!")


def of_schema(schema, prompt="Hi"):
    arguments = {"prompt": prompt, "schema": schema}
    return {"name": "ask_local_llama", "arguments": arguments}


def alternatives(depth):
    """A schema that doubles the work at each level of a reply."""
    one = [{"properties": {"c": {"$ref": "#/$defs/n"}}, "required": [key]} for key in "xy"]
    return {"$defs": {"n": {"anyOf": one}}, "$ref": "#/$defs/n", "title": str(depth)}


def nested(depth):
    return '{"c":' * depth + "1" + "}" * depth


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, EVIL_REPLY),
        ({"patternProperties": {"^(a|a)*$": {"type": "integer"}}}, '{"' + "a" * 40 + '!": ""}'),
        ({"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}, '{"aaaa!": 1}'),
        ({"uniqueItems": True}, json.dumps([{"a": one} for one in range(800)])),
        (alternatives(60), nested(60)),
    ],
    ids=["pattern", "properties", "others", "unique", "alternatives"],
)
def test_a_schema_that_takes_for_ever_holds_up_no_other_window(
    window, openai_double, daemon_pid, schema, reply
):
    evil, other = window(), window()
    openai_double.plays(reply=reply)
    asked = evil.send("tools/call", **of_schema(schema))
    openai_double.wait_until_asked()
    openai_double.plays(reply="Three lines.")
    assert "Three lines." in other.call("again")
    assert "result" in evil.answer(asked)
    pid = daemon_pid()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: is_gone(pid))


STUCK = """
import asyncio, re
from spadework.daemon import watchdog
watchdog.SECONDS_TO_END, watchdog.SECONDS_STUCK = {to_end}, {stuck}

def for_ever():
    {work}

async def main():
    watchdog.end_on_signal(asyncio.get_running_loop(), lambda: None)
    turning = asyncio.create_task(watchdog.feed_watchdog())
    await asyncio.sleep(0.1)
    print("stuck", flush=True)
    for_ever()

asyncio.run(main())
"""
IN_RE = 're.match("(a+)+$", "a" * 60 + "!")'
# One instruction in C that looks for no signal and lets no other thread run.
IN_C = "sum(range(10 ** 15))"


def stuck_process(work, *, to_end, stuck):
    code = STUCK.format(work=work, to_end=to_end, stuck=stuck)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process.stdout as out:
        assert out.readline() == b"stuck\n"
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_daemon_whose_loop_is_lost_in_a_match(number):
    process = stuck_process(IN_RE, to_end=1, stuck=3600)
    time.sleep(0.1)  # the match is under way; were it not, the signal would end it all the same
    process.send_signal(number)
    assert process.wait(SECONDS) == 1


@pytest.mark.slow
def test_code_that_never_comes_back_ends_with_its_processor_time():
    process = stuck_process(IN_C, to_end=3600, stuck=1)
    assert process.wait(SECONDS) == -signal.SIGPROF


def test_a_daemon_that_idles_lives_on():
    process = stuck_process("return", to_end=3600, stuck=1)
    assert process.wait(SECONDS) == 0
