"""`spadework agents suggest`: tier by tier, why, and what --apply does."""

import pytest


def suggestion(world, name):
    (found,) = [one for one in world.json("suggest") if one["agent"] == name]
    return found


@pytest.mark.parametrize(
    ("name", "description", "tools", "tier"),
    [
        ("log-summarizer", "x", "", "haiku"),
        ("plan-summarizer", "x", "", "haiku"),
        ("issue-triager", "x", "", "haiku"),
        ("codebaseExplorer", "x", "", "haiku"),
        ("helper", "Finds and lists files.", "", "haiku"),
        ("helper", "x", "tools: Read, Grep", "haiku"),
        ("carrier", "x", "tools: mcp__spadework", "haiku"),
        ("code-reviewer", "Reads and searches code.", "tools: Read, Grep", "sonnet"),
        ("frontend-developer", "x", "", "sonnet"),
        ("test-fixer", "x", "", "sonnet"),
        ("helper", "Implements features and writes tests.", "", "sonnet"),
        ("software-architect", "x", "", "opus"),
        ("planner", "x", "", "opus"),
        ("helper", "Deep analysis of hard problems.", "", "opus"),
        ("helper", "Plans and designs, then writes code.", "", "opus"),
        ("gardener", "Waters plants.", "", None),
        ("helper", "x\\n<example>search the logs</example>", "", None),
    ],
)
def test_an_agent_is_placed_by_its_name_then_its_description_then_its_tools(
    world, name, description, tools, tier
):
    world.file("a.md", f"---\nname: {name}\ndescription: {description}\n{tools}\n---\n")
    told = suggestion(world, name)
    assert told["tier"] == tier
    assert told["why"]


def test_the_tiers_are_explained_one_by_one(world):
    world.agent("architect")
    world.agent("reader")
    lines = world.run("suggest").out.splitlines()
    heads = [line.split(":")[0] for line in lines if not line.startswith(" ")]
    assert heads == ["haiku", "sonnet", "opus", "2 to set"]
    assert "haiku: exploration, summarization, classification" in lines
    assert "  -> reader (user): `reader` in its name; runs on: main model" in lines


@pytest.mark.parametrize(
    ("name", "model", "action"),
    [
        ("reader", "", "set"),
        ("reader", "inherit", "set"),
        ("reader", "opus", "set"),
        ("reader", "haiku", "keep"),
        ("reader", "sonnet", "keep"),
        ("architect", "", "set"),
        ("architect", "haiku", "set"),
        ("architect", "sonnet", "keep"),
        ("reviewer", "claude-opus-5-5", "keep"),
        ("builder", "haiku", "keep"),
        ("reader", "ollama/x", "set"),
    ],
)
def test_what_was_chosen_on_purpose_is_kept(world, name, model, action):
    world.agent(name, *([f"model: {model}"] if model else []))
    assert suggestion(world, name)["action"] == action


def test_apply_sets_every_model_in_one_change_that_one_undo_takes_back(world):
    paths = [world.agent("reader"), world.agent("architect", "model: haiku # cheap")]
    paths.append(world.agent("builder", folder=world.own))
    before = [path.read_bytes() for path in paths]
    done = world.run("suggest", "--apply", "--yes")
    assert done.code == 0
    assert done.out.count("+model: ") == 3
    assert b"model: haiku\n" in paths[0].read_bytes()
    assert b"model: opus # cheap\n" in paths[1].read_bytes()
    assert b"model: sonnet\n" in paths[2].read_bytes()
    assert world.run("suggest", "--apply", "--yes").out == "nothing to change\n"
    assert world.run("undo").code == 0
    assert [path.read_bytes() for path in paths] == before


def test_a_dry_run_and_nobody_to_ask_write_nothing(world):
    path = world.agent("reader")
    before = path.read_bytes()
    assert "+model: haiku" in world.run("suggest", "--apply", "--dry-run").out
    refused = world.run("suggest", "--apply")
    assert refused.code == 2
    assert "pass --yes" in refused.err
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_edited_is_named_and_the_others_are_done(world):
    world.file("b.md", "---\nname: lister\ndescription: x\nmodel: |\n  opus\n---\n")
    path = world.agent("reader")
    done = world.run("suggest", "--apply", "--yes")
    assert done.code == 1
    assert "left as it is" in done.err
    assert "b.md" in done.err
    assert b"model: haiku" in path.read_bytes()


def test_the_built_in_explore_is_offered_one_of_ones_own(world):
    told = suggestion(world, "Explore")
    assert told["action"] == "new"
    assert world.run("new", "explorer", "--name", "Explore").code == 0
    (told,) = [one for one in world.json("suggest") if one["agent"] == "Explore"]
    assert (told["source"], told["action"]) == ("user", "keep")
