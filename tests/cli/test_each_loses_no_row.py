"""`spadework each` before servers that lose requests, refuse them or go away: no row is lost."""

import json
import re
from collections import Counter

import pytest

from doubles.chat_server import Trouble
from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play

pytestmark = pytest.mark.slow

ROWS = 400
ITEMS = "".join(f"<row-{number}>\n" for number in range(ROWS))
CONFIG = """
[backends.{name}]
kind = "{kind}"
url = "{url}"
{more}

[tools.ask_local_llama]
models = ["{name}/llama3-local"]
"""


@pytest.fixture
def before(project, tmp_path):
    """Write a config before a double that answers each row with its own mark."""

    def configure(double, kind="openai", more=""):
        play = Play(finds=r"<row-\d+>", prompt_tokens=120, delay=0.02)
        double.plays(play)
        text = CONFIG.format(name="koala", kind=kind, url=double.url, more=more)
        (tmp_path / "config.toml").write_text(text)
        return double

    return configure


def asked(requests):
    """How often each row was asked about."""
    found = (re.search(rb"<row-(\d+)>", one.body) for one in requests)
    return Counter(int(mark[1]) for mark in found if mark)


def rows_of(done):
    """The rows that were answered with their own mark; each is whole."""
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["item"] for row in rows] == ITEMS.split()
    assert [row["answer"] for row in rows] == ITEMS.split()
    return rows


def each(spadework, *more):
    return spadework("each", "Which row?", "--items", "-", "--json", *more, stdin=ITEMS)


EACH_ONCE = Counter(range(ROWS))


@pytest.mark.parametrize(
    ("kind", "double", "every"),
    [("openai", OpenAIDouble, 10), ("openai", OpenAIDouble, 2), ("ollama", OllamaDouble, 10)],
)
def test_a_server_that_closes_kept_connections_loses_no_row(spadework, before, kind, double, every):
    """llama-server's keep-alive: of every second request on a kept connection no byte comes."""
    with double("llama3-local") as server:
        server.keep_alive, server.hangs_up_every = 5, every
        before(server, kind)
        rows_of(each(spadework))
        assert asked(server.answered) == EACH_ONCE
        assert asked(server.hung_up), "nothing was lost on its way"
        assert asked(server.chats) == EACH_ONCE + asked(server.hung_up)


def test_a_connection_that_the_server_keeps_for_a_second_only_is_not_used_again(
    spadework, before, openai_double
):
    openai_double.keep_alive = 1
    before(openai_double)
    rows_of(each(spadework))
    assert asked(openai_double.chats) == EACH_ONCE, "nothing had to be sent twice"
    assert [one.idle for one in openai_double.chats if one.idle and one.idle >= 1] == []
    # What was under way before the first answer came could not know.
    ours = [one for one in openai_double.chats if one.headers["connection"] != "close"]
    assert len(ours) <= 32


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_empty_gateway_error_is_no_answer(spadework, before, openai_double, status):
    openai_double.trouble = Trouble(fails_every=7, status=status)
    before(openai_double)
    rows_of(each(spadework))
    assert asked(openai_double.answered) == EACH_ONCE
    assert len(openai_double.chats) - ROWS == pytest.approx(ROWS / 6, abs=3)


def test_a_gateway_that_fails_every_second_time_loses_no_row(spadework, before, openai_double):
    openai_double.trouble = Trouble(fails_every=2)
    before(openai_double)
    rows_of(each(spadework))
    assert asked(openai_double.answered) == EACH_ONCE


@pytest.mark.parametrize(
    ("kind", "more", "limit"),
    [("openai", "", 10), ("llama-swap", "slots = 32", 10), ("openai", "", 1), ("openai", "", 3)],
)
def test_what_a_server_takes_at_once_is_learnt_from_its_refusals(
    spadework, before, kind, more, limit
):
    double = LlamaSwapDouble if kind == "llama-swap" else OpenAIDouble
    with double("llama3-local") as server:
        server.trouble = Trouble(limit=limit)
        before(server, kind, more)
        rows_of(each(spadework))
        assert asked(server.answered) == EACH_ONCE
        assert server.most_at_once == limit, "all that it takes is used"
        # What comes at first is refused; from then on one more is tried ever less often.
        assert len(server.refused) <= 32 - limit + ROWS / limit / 4 + 5


def test_a_server_that_goes_away_in_mid_answer_and_comes_back_loses_no_row(
    spadework, before, openai_double
):
    openai_double.trouble = Trouble(leaves_at={100: 3.0, 300: 1.0})
    before(openai_double)
    rows_of(each(spadework))
    assert asked(openai_double.answered) == EACH_ONCE
    cut = asked(openai_double.chats) - EACH_ONCE
    assert 0 < cut.total() <= 64, "what was under way twice, and nothing else, is asked again"


def test_ollama_that_goes_away_is_not_asked_to_load_the_model_otherwise(spadework, before):
    with OllamaDouble("llama3-local") as server:
        server.trouble = Trouble(leaves_at={100: 2.0})
        before(server, "ollama")
        rows_of(each(spadework))
        assert asked(server.answered) == EACH_ONCE
        windows = [chat.json.get("options", {}).get("num_ctx") for chat in server.chats]
        assert len(set(windows)) == 1, "each change is a reload"


def test_a_row_that_its_server_does_not_survive_is_handed_back_and_the_others_are_answered(
    spadework, before, openai_double
):
    openai_double.trouble = Trouble(poison="<row-200>")
    before(openai_double)
    done = each(spadework)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    lost = [row for row in rows if row["answer"] is None]
    assert [row["item"] for row in lost] == ["<row-200>"]
    assert "the stream broke off" in lost[0]["error"]
    assert asked(openai_double.answered) == EACH_ONCE - Counter([200])
    assert 1 < asked(openai_double.chats)[200] <= 6


def test_a_row_that_kills_the_whole_server_is_handed_back_and_the_others_are_answered(
    spadework, before, openai_double
):
    """Every connection is cut with it: the others are not to blame, and are not handed back."""
    openai_double.trouble = Trouble(poison="<row-200>", dies_for=0.3)
    before(openai_double)
    done = each(spadework)
    assert done.returncode == 1, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["item"] for row in rows if row["answer"] is None] == ["<row-200>"]
    assert asked(openai_double.answered) == EACH_ONCE - Counter([200])
    assert 1 < asked(openai_double.chats)[200] <= 20
