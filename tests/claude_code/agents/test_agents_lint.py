"""`spadework agents lint`: each rule, where it points to, and what cures it."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from spadework.claude_code.agents.definitions import Code

PAGE = Path(__file__).parents[3] / "docs" / "agents.md"
EXPLORE = "explore-on-main"


def codes(world):
    return {one["code"] for one in world.json("lint")["findings"]}


def the(world, code):
    (found,) = [one for one in world.json("lint")["findings"] if one["code"] == code]
    return found


@pytest.fixture
def tidy(world):
    """Nothing to find: built-in Explore is overridden."""
    assert world.run("new", "explorer", "--name", "Explore").code == 0
    return world


def test_a_tidy_house_is_ok(tidy):
    tidy.agent("builder", "model: sonnet")
    done = tidy.run("lint")
    assert (done.code, done.out, done.err) == (0, "", "nothing is wrong\n")


def test_the_agents_that_we_write_have_no_findings(tidy):
    for kind in ("explorer", "courier"):
        assert tidy.run("new", kind).code == 0
    assert tidy.run("lint").code == 0
    assert tidy.json("lint") == {"worst": "ok", "findings": []}


def test_a_finding_is_told_with_file_line_level_code_and_cure(tidy):
    path = tidy.agent("odd", "color: red", "model: ollama/qwen3")
    done = tidy.run("lint")
    assert done.code == 1
    severity, code, place, what, cure = done.out.splitlines()[0].split("\t")
    assert (severity, code, place) == ("error", "unknown-model", f"{path}:5")
    assert what.startswith("odd: the client knows no model 'ollama/qwen3'")
    assert cure.startswith("haiku, sonnet, opus")
    assert done.err == "1 error, 0 warnings\n"


CASES = [
    ("no-name", "error", 1, "---\ndescription: x\n---\n"),
    ("no-name", "error", 2, "---\nname: 42\ndescription: x\n---\n"),
    ("bad-name", "error", 2, "---\nname: a:b\ndescription: x\n---\n"),
    ("bad-name", "error", 3, "---\ndescription: x\nname: '-a'\n---\n"),
    ("no-description", "error", 1, "---\nname: a\n---\n"),
    ("no-description", "error", 3, "---\nname: a\ndescription: [x]\n---\n"),
    ("bad-frontmatter", "error", 1, "---\nname: a\ndescription: 'x\n---\n"),
    ("bad-frontmatter", "error", 1, "---\r\nname: a\r\ndescription: Use it: now\r\n---\r\n"),
    ("no-utf-8", "note", 1, b"---\nname: a\ndescription: \xff\n---\n"),
    ("cut-frontmatter", "error", 3, "---\nname: a\ndescription: x --- y\nmodel: haiku\n---\n"),
    ("no-frontmatter", "note", 1, "# Notes\n"),
    ("no-frontmatter", "note", 1, ""),
    ("loose-yaml", "note", 1, "---\nname: a\ndescription: Use it: now\n---\n"),
    ("duplicate-key", "warning", 5, "---\nname: a\ndescription: x\nmodel: a\nmodel: opus\n---\n"),
    ("unknown-model", "error", 4, "---\nname: a\ndescription: x\nmodel: gpt-9\n---\n"),
    ("unknown-model", "error", 4, "---\nname: a\ndescription: x\nmodel: [haiku]\n---\n"),
    ("long-context", "warning", 4, "---\nname: a\ndescription: x\nmodel: sonnet[1m]\n---\n"),
    ("dear-reader", "warning", 2, "---\nname: a\ndescription: x\ntools: Read, Grep, Glob\n---\n"),
    ("dear-reader", "warning", 2, "---\nname: log-summarizer\ndescription: x\n---\n"),
    ("dear-reader", "warning", 4, "---\nname: triager\ndescription: x\nmodel: opus\n---\n"),
    ("dear-reader", "warning", 2, "---\nname: a\ndescription: Classifies issues.\n---\n"),
    (
        "weak-reasoner",
        "warning",
        4,
        "---\nname: code-reviewer\ndescription: x\nmodel: haiku\n---\n",
    ),
    ("weak-reasoner", "warning", 4, "---\nname: architect\ndescription: x\nmodel: haiku\n---\n"),
    (
        "denies-own-tools",
        "error",
        5,
        "---\nname: a\ndescription: x\ntools: mcp__spadework__ask_each, Read\n\
disallowedTools: mcp__spadework\nmodel: haiku\n---\n",
    ),
    (
        "missing-delegation-tools",
        "warning",
        4,
        "---\nname: a\ndescription: x\ntools: Read\nmodel: haiku\n---\nUse mcp__spadework__x.\n",
    ),
]


@pytest.mark.parametrize(("code", "level", "line", "file"), CASES)
def test_a_rule_finds_its_trouble_and_nothing_else(tidy, code, level, line, file):
    path = tidy.file("it.md", file)
    done = tidy.run("lint")
    (found,) = tidy.json("lint")["findings"]
    assert (found["code"], found["severity"], found["line"]) == (code, level, line)
    assert found["path"] == str(path)
    assert "\n" not in found["what"] + found["cure"]
    assert found["cure"]
    assert done.code == (0 if level == "note" else 1)


def test_a_file_that_cannot_be_read_is_told(tidy):
    (tidy.user / "it.md").symlink_to("nowhere.md")
    assert the(tidy, "unreadable")["severity"] == "error"


@pytest.mark.parametrize(
    "model",
    ["haiku", "Sonnet", "opus", "inherit", "fable", "best", "opusplan", "claude-opus-5-5",
     "claude-sonnet-4-5@20250929", "us.anthropic.claude-opus-4-1-20250805-v1:0",
     "arn:aws:bedrock:eu-west-1:1:inference-profile/x"],
)  # fmt: skip
def test_the_names_that_the_client_understands_are_known(tidy, model):
    tidy.agent("worker", f"model: {model}")
    assert codes(tidy) == set()


def test_with_another_provider_an_unknown_model_is_but_a_note(tidy, monkeypatch):
    monkeypatch.setenv("CLAUDE_CODE_USE_FOUNDRY", "1")
    tidy.agent("worker", "model: my-deployment")
    assert the(tidy, "unknown-model")["severity"] == "note"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("code-reviewer", ["tools: Read, Grep, Glob"]),
        ("security-auditor", ["tools: Read, Grep"]),
        ("a", ["tools: Read, Grep", "model: haiku"]),
        ("a", ["tools: Read, Grep", "model: sonnet"]),
        ("frontend-developer", []),
    ],
)
def test_who_reads_in_order_to_reason_or_is_cheap_already_is_no_dear_reader(tidy, name, lines):
    tidy.agent(name, *lines)
    assert codes(tidy) == set()


def test_a_reader_that_the_variable_puts_on_haiku_is_not_dear(tidy, monkeypatch):
    monkeypatch.setenv("CLAUDE_CODE_SUBAGENT_MODEL", "haiku")
    tidy.agent("reader", "tools: Read")
    assert codes(tidy) == {"subagent-model-variable"}


def test_the_variables_are_found_with_the_place_where_they_are_set(tidy):
    settings = tidy.file(
        "settings.json",
        json.dumps(
            {
                "env": {
                    "CLAUDE_CODE_SUBAGENT_MODEL": "opus",
                    "CLAUDE_CODE_SUBAGENT_MODEL_FORCE": "1",
                }
            }
        ),
        folder=tidy.project / ".claude",
    )
    assert f"is opus in {settings}" in the(tidy, "subagent-model-variable")["what"]
    assert str(settings) in the(tidy, "forced-model")["what"]


def test_explore_on_the_main_model_is_told_unless_that_is_no_dear_one(world):
    assert codes(world) == {EXPLORE}
    assert "spadework agents new explorer --name Explore" in the(world, EXPLORE)["cure"]
    world.file("settings.json", '{"model": "sonnet"}', folder=world.home / ".claude")
    assert codes(world) == set()


def test_a_shadowed_agent_and_a_double_name_are_told(tidy):
    tidy.agent("same")
    tidy.agent("same", folder=tidy.own)
    assert the(tidy, "shadowed")["severity"] == "note"
    tidy.file("twin.md", "---\nname: same\ndescription: y\n---\n", folder=tidy.own)
    assert the(tidy, "duplicate-name")["severity"] == "warning"


@pytest.mark.parametrize("place", ["home", "project"])
def test_a_skills_model_counts_only_where_it_forks(tidy, place):
    skills = (tidy.home if place == "home" else tidy.project) / ".claude" / "skills"
    head = "---\nname: x\ndescription: x\nmodel: haiku\n"
    path = tidy.file("SKILL.md", head + "---\nDo.\n", folder=skills / "sum")
    tidy.file("SKILL.md", head + "context: fork\n---\nDo.\n", folder=skills / "forked")
    tidy.file("SKILL.md", "---\nname: x\ndescription: x\n---\n", folder=skills / "plain")
    found = the(tidy, "skill-model")
    assert (found["path"], found["line"]) == (str(path), 4)
    assert "context: fork" in found["cure"]
    tidy.file("SKILL.md", "---\nname: 'x\n---\n", folder=skills / "broken")
    assert codes(tidy) == {"skill-model", "bad-skill"}


def test_control_characters_of_a_strangers_file_do_not_reach_the_terminal(tidy):
    tidy.file("it.md", '---\nname: "a\\e[31mb"\ndescription: x\nmodel: "\\e]0;x\\a"\n---\n')
    assert "\x1b" not in tidy.run("lint").out + tidy.run("list").out + tidy.run("suggest").out


def test_every_code_has_its_line_in_the_docs():
    told = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(get_args(Code))
