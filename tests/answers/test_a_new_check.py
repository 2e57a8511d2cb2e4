"""A new check of answers is one file and one line; what is cached without it is asked anew."""

import json
import subprocess
import sys

import pytest

from doubles.package_copy import copy_package, source_with

pytestmark = pytest.mark.slow

FILE = """
from spadework.checks.answer_check import AnswerCheck
from spadework.errors import CheckFailed


def check(answer, wanted):
    if answer.text.isupper():
        raise CheckFailed("shouting", "the answer is all capitals")
    return answer.passing("shouting")


CHECKS = (AnswerCheck("shouting", "prose", check),)
"""
PROGRAM = """
import asyncio, json, pathlib
from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.engine.job import Job, Session

async def ask():
    job = Job("ask_local_llama", {"prompt": "Who is it?"}, use_cache=True)
    async with Engine.from_config(load_config().config, {}) as engine:
        outcome = await engine.delegate(job, Session(pathlib.Path.cwd()))
    if hasattr(outcome, "text"):
        return [outcome.text, outcome.known, "shouting" in outcome.checks]
    return [attempt.check for attempt in outcome.tries]

print(json.dumps(asyncio.run(ask())))
"""


@pytest.fixture
def ask(config_file, tmp_path):
    def ask(files):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=copy_package(tmp_path / str(len(files)), files),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_a_check_is_one_file_and_one_line(ask, openai_double):
    line = '    "extraction",\n'
    with_check = {
        "checks/shouting.py": FILE,
        "checks/reply_checks.py": source_with(
            "checks/reply_checks.py", line, f'{line}    "shouting",\n'
        ),
    }
    openai_double.plays(reply="It is Ann.")
    assert ask({}) == ["It is Ann.", False, False]
    assert ask({}) == ["It is Ann.", True, False]
    openai_double.plays(reply="IT IS ANN.")
    assert ask(with_check) == ["shouting"]
    openai_double.plays(reply="It is Bob.")
    assert ask(with_check) == ["It is Bob.", False, True]
    assert ask(with_check) == ["It is Bob.", True, True]
    assert len(openai_double.chats) == 3


def test_new_rules_of_a_check_are_a_new_version_too(ask, openai_double):
    line = 'AnswerCheck("language", "prose", check_language)'
    changed = source_with("checks/language.py", line, line[:-1] + ", version=2)")
    openai_double.plays(reply="It is Ann.")
    assert ask({})[1] is False
    assert ask({"checks/language.py": changed})[1] is False
