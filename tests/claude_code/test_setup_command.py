"""`spadework setup`: from nothing to tools that answer, and back."""

import json

import pytest

from doubles.openai_compatible import OpenAIDouble
from doubles.terminal import Terminal
from spadework.config.loader import load_config

pytestmark = pytest.mark.slow  # it starts a process for each test

ENTRY = {"type": "stdio", "command": "spadework", "args": ["mcp"]}
NOWHERE = ("--port", "1")


def entry(file):
    return json.loads(file.read_text())["mcpServers"]["spadework"]


def test_one_command_finds_registers_and_proves_and_a_second_one_changes_nothing(
    house, models, openai_double
):
    before = house.files()
    code, out, err = house.setup(*models, "--yes")
    assert code == 0, err
    assert f"found openai at {openai_double.url}: 2 models" in err
    assert "openai/llama3-local: a general model" in err
    assert "openai/codellama-local: made for code, by its name" in err
    assert load_config(house.config).config.tools["ask_coding_model"].models == [
        "openai/codellama-local"
    ]
    assert entry(house.client_file) == ENTRY
    assert "+++ " + str(house.client_file) in out
    assert "handshake: spadework mcp answered (MCP 2026-07-28)" in err
    assert (
        "its tools: ask_local_llama, ask_coding_model, ask_each, list_available_local_models" in err
    )
    assert "delegation: openai/llama3-local answered in" in err
    assert "`claude` is not on PATH" in err
    assert "Have the local model summarize" in err
    after = house.files()

    code, _, err = house.setup(*models, "--yes")
    assert code == 0
    assert "already set up: nothing was changed" in err
    assert "--host and --port are ignored" in err
    assert "openai/llama3-local: for ask_local_llama" in err
    assert house.files() == after

    code, _, err = house.setup("--remove", "--yes")
    assert (code, house.files()) == (0, before), err
    assert not (house.home / ".config").exists()
    assert house.setup("--remove", "--yes")[0] == 0


def test_without_a_model_it_registers_and_says_so_honestly(house):
    code, _, err = house.setup(*NOWHERE, "--yes")
    assert code == 0
    assert "no model answered yet; the tools hand back to Claude until one does" in err
    assert "`spadework embedded install` fetches a demonstration model" in err
    assert entry(house.client_file) == ENTRY


def test_a_server_that_comes_later_is_found_by_the_second_run(house, models):
    house.setup(*NOWHERE, "--yes")
    code, _, err = house.setup(*models, "--yes")
    assert code == 0
    assert load_config(house.config).config.backends
    assert "delegation: openai/llama3-local answered" in err
    house.setup("--remove", "--yes")
    assert house.files() == {}


def test_a_host_that_is_named_is_looked_at_and_comes_into_the_config(house, openai_double):
    openai_double.plays(reply="ready", prompt_tokens=12, completion_tokens=1)
    code, _, err = house.setup("--host", openai_double.url, *NOWHERE, "--yes")
    assert code == 0, err
    assert f"found openai at {openai_double.url}: 2 models" in err
    (backend,) = load_config(house.config).config.backends.values()
    assert backend.url == openai_double.url
    assert "delegation: openai/llama3-local answered in" in err


def test_a_dry_run_shows_everything_and_changes_nothing(house, models):
    house.client_file.write_text('{"numStartups": 3}')
    before = house.files()
    code, out, err = house.setup(*models, "--dry-run", "--allow")
    assert code == 0
    assert "[backends.openai]" in out
    assert "@@ mcpServers.spadework @@" in out
    assert '+ "mcp__spadework"' in out
    assert "nothing was changed" in err
    assert house.files() == before
    assert not (house.home / ".local").exists()


def test_where_nobody_can_be_asked_nothing_is_changed(house, models):
    code, _, err = house.setup(*models)
    assert code == 2
    assert "stdin is not a terminal: pass --yes" in err
    assert house.files() == {}


def test_a_config_that_is_there_is_used_unless_a_new_one_is_asked_for(house, models):
    house.config.parent.mkdir(parents=True)
    house.config.write_text('roots = ["~"]\n')
    code, _, err = house.setup(*models, "--yes")
    assert code == 0
    assert f"using the existing config: {house.config}" in err
    assert house.config.read_text() == 'roots = ["~"]\n'
    code, _, err = house.setup(*models, "--yes", "--new-config")
    assert "the previous one is" in err
    assert load_config(house.config).config.backends
    house.setup("--remove", "--yes")
    assert house.config.read_text() == 'roots = ["~"]\n'


def test_a_config_that_was_edited_since_stays_when_all_else_is_removed(house, models):
    house.setup(*models, "--yes")
    house.config.write_text(house.config.read_text() + "\nroots = []\n")
    code, _, err = house.setup("--remove", "--yes")
    assert code == 0
    assert f"{house.config}: was changed since and is yours, so it stays" in err
    assert list(house.files()) == [house.config]


def test_the_rule_is_added_only_when_it_is_asked_for_and_goes_with_remove(house, models):
    settings = house.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{\n  "permissions": {"deny": ["WebFetch"]}\n}')
    before = house.files()
    _, _, err = house.setup(*models, "--yes")
    assert "--yes without --allow does not allow Claude to call" in err
    assert settings.read_bytes() == before[settings]
    house.setup(*models, "--yes", "--allow")
    allowed = json.loads(settings.read_text())["permissions"]
    assert allowed == {"deny": ["WebFetch"], "allow": ["mcp__spadework"]}
    house.setup("--remove", "--yes")
    assert house.files() == before


def test_an_entry_in_settings_is_explained_moved_and_brought_back(house, models):
    settings = house.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    dead = {"command": "spadework", "args": ["mcp"], "env": {"LITELLM_API_KEY": "hunter2"}}
    written = {"mcpServers": {"local-models": dead, "other": {"command": "x"}}}
    settings.write_text(json.dumps(written))
    shared = house.project / ".claude" / "settings.json"
    shared.parent.mkdir()
    untrusted = {"command": "spadework", "args": ["mcp"], "env": {"LD_PRELOAD": "/evil.so"}}
    shared.write_text(json.dumps({"mcpServers": {"spadework": untrusted}}))
    before = house.files()
    (house.project / ".git").mkdir()
    code, out, err = house.setup(*models, "--yes")
    assert code == 0, err
    assert "Claude Code reads no servers from settings.json: this entry never counted" in err
    assert f"the variables (env) of the entry in {shared} are not moved" in err
    assert '"LITELLM_API_KEY": "…"' in out
    assert json.loads(settings.read_text()) == {"mcpServers": {"other": {"command": "x"}}}
    assert json.loads(shared.read_text()) == {"mcpServers": {}}
    assert entry(house.client_file) == ENTRY | {"env": {"LITELLM_API_KEY": "hunter2"}}
    house.setup("--remove", "--yes")
    assert house.files() == before


def test_in_the_home_folder_itself_a_dead_entry_is_one_entry(house, models):
    settings = house.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"mcpServers": {"mine": {"command": "py", "args": ["-m", "spadework"]}}}')
    code, out, _ = house.setup(*models, "--yes", cwd=house.home)
    assert (code, out.count("@@ mcpServers.mine @@")) == (0, 1)


def test_an_entry_that_the_client_itself_has_written_counts_as_ours_already(house, models):
    house.client_file.write_text(json.dumps({"mcpServers": {"spadework": ENTRY | {"env": {}}}}))
    before = house.client_file.read_bytes()
    assert house.setup(*models, "--yes")[0] == 0
    assert house.client_file.read_bytes() == before
    code, _, err = house.setup("--remove", "--yes")
    assert code == 0
    assert house.client_file.read_bytes() == before
    _, _, err = house.setup("--remove", "--yes")
    assert "registered, but not by setup; to remove it: claude mcp remove spadework -s user" in err


def test_the_scopes_have_their_files_and_the_stronger_one_is_named(house, models):
    (house.project / ".git").mkdir()
    below = house.project / "src"
    below.mkdir()
    assert house.setup(*models, "--yes", "--scope", "local", cwd=below)[0] == 0
    local = json.loads(house.client_file.read_text())["projects"][str(house.project)]
    assert local == {"mcpServers": {"spadework": ENTRY}}
    code, _, err = house.setup(*models, "--yes", "--scope", "project", cwd=below)
    assert (code, entry(house.project / ".mcp.json")) == (0, ENTRY)
    assert (house.project / ".mcp.json").stat().st_mode & 0o777 == 0o644
    assert "until then it says Pending approval" in err
    assert "the entry of the scope local" in err
    code, _, err = house.setup("--remove", "--yes", "--scope", "local")
    assert not house.client_file.exists()
    assert entry(house.project / ".mcp.json") == ENTRY
    assert house.config.exists()
    house.setup("--remove", "--yes")
    assert house.files() == {}


def test_off_the_path_the_command_is_written_whole_and_says_why(house, models):
    scripts, _, rest = house.environ["PATH"].partition(":")
    code, _, err = house.setup(*models, "--yes", PATH=rest)
    assert code == 0, err
    assert entry(house.client_file)["command"] == f"{scripts}/spadework"
    assert "by its whole path, because spadework is not on PATH" in err
    house.setup("--remove", "--yes")
    code, _, err = house.setup(*models, "--dry-run", VIRTUAL_ENV=scripts.removesuffix("/bin"))
    assert "only while that virtual environment is active" in err


def test_a_config_that_lies_elsewhere_goes_along(house, models, tmp_path):
    config = tmp_path / "my config.toml"
    config.write_text("roots = []\n")
    code, _, err = house.run("--config", str(config), "setup", *models, "--yes")
    assert code == 0, err
    assert entry(house.client_file)["args"] == ["--config", str(config), "mcp"]
    assert "handshake: " in err


def test_another_client_is_registered_by_its_whole_path(house, models):
    code, _, err = house.setup(*models, "--yes", "--client", "cursor")
    assert code == 0, err
    written = entry(house.home / ".cursor" / "mcp.json")
    assert written["command"].startswith("/")
    assert "a desktop program does not see the PATH of your shell" in err
    assert "restart cursor" in err
    assert not house.client_file.exists()
    code, _, err = house.setup(*models, "--yes", "--client", "cursor")
    assert "already set up: nothing was changed" in err
    house.setup("--remove", "--yes", "--client", "codex")
    assert (house.home / ".cursor" / "mcp.json").exists()
    house.setup("--remove", "--yes", "--client", "cursor")
    assert house.files() == {}


def test_as_json_it_tells_what_was_done_and_nothing_else(house, models):
    code, out, _ = house.setup(*models, "--yes", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["ok"] is True
    assert [change["file"] for change in told["changes"]] == [str(house.client_file)]
    assert told["handshake"]["tools"][0] == "ask_local_llama"
    assert told["delegation"]["model"] == "openai/llama3-local"
    code, out, _ = house.setup("--remove", "--yes", "--json")
    assert len(json.loads(out)["removed"]) == 2
    code, out, _ = house.setup("--json")
    assert (code, out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--scope", "everywhere"), "invalid --scope 'everywhere'"),
        (("--client", "emacs"), "unknown --client 'emacs'"),
        (("--client", "emacs", "--remove"), "unknown --client 'emacs'"),
        (("--client", "claude-desktop", "--scope", "local"), "does not exist for claude-desktop"),
        (("--http", "koala:8765"), "is not a server URL"),
        (("--http", "http://me:hunter3@koala/mcp"), "is not a server URL"),
        (("--host", "https://koala"), "is not a valid host"),
        (("--remove", "--http", "http://koala:8765/mcp"), "--remove cannot be combined"),
        (("--client", "zed", "--http", "http://koala:8765/mcp"), "takes a token only in its own"),
    ],
)
def test_a_wrong_argument_is_one_line_and_changes_nothing(house, arguments, complaint):
    code, _, err = house.setup("--yes", *NOWHERE, *arguments)
    assert code == 2
    assert complaint in err
    assert house.files() == {}


def test_a_server_that_does_not_answer_stays_registered_and_setup_says_how_it_goes(house):
    code, _, err = house.setup("--http", "http://127.0.0.1:1/mcp", "--yes")
    assert code == 1
    assert "error: http://127.0.0.1:1/mcp: no handshake" in err
    assert "the registration is kept; `spadework setup --remove` undoes it" in err
    assert entry(house.client_file)["url"] == "http://127.0.0.1:1/mcp"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "the plugin spadework runs the same command: Claude Code leaves the plugin's out"),
        ({"SPADEWORK_CONFIG": "/x.toml"}, "see each twice: `claude plugin disable spadework`"),
    ],
)
def test_beside_the_plugin_it_says_what_comes_of_two(house, changed, said):
    copy = house.home / "copy"
    settings = house.home / ".claude" / "settings.json"
    told = {
        settings: {"enabledPlugins": {"spadework@market": True}},
        settings.parent / "plugins" / "installed_plugins.json": {
            "plugins": {"spadework@market": [{"installPath": str(copy)}]}
        },
        copy / ".claude-plugin" / "plugin.json": {
            "mcpServers": {"spadework": {"command": "spadework", "args": ["mcp"]}}
        },
    }
    for file, content in told.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    code, _, err = house.setup(*NOWHERE, "--dry-run", **changed)
    assert code == 0
    assert said in err


def test_the_larger_general_model_and_the_wide_window_come_first(house):
    with OpenAIDouble("gemma3:4b", "qwen2.5-coder:7b", "llama3.3:70b", "smollm2:135m") as server:
        _, _, err = house.setup("--port", str(server.port), "--dry-run")
    general = err[err.index("ask_local_llama:") : err.index("ask_coding_model:")]
    assert general.index("llama3.3:70b: a general model; 70 billion parameters") < general.index(
        "gemma3:4b: a general model; 4 billion parameters"
    )
    assert "smollm2:135m: a general model; 135 million parameters, so it comes late" in general
    assert "qwen2.5-coder:7b: made for code, by its name; 7 billion parameters" in err


def test_a_person_is_asked_before_anything_is_written_and_apart_for_the_rule(house, models):
    person = Terminal(["spadework", "setup", *models], house.environ, house.project)
    person.read("Write ")
    assert house.files() == {}
    person.type("y\n")
    person.read("Allow the tools without being asked each time?")
    person.type("n\n")
    screen = person.read()
    assert person.close() == 0, screen
    assert entry(house.client_file) == ENTRY
    assert not (house.home / ".claude").exists()
    person = Terminal(["spadework", "setup", "--remove"], house.environ, house.project)
    person.read("Undo these changes?")
    person.type("n\n")
    person.read()
    assert person.close() == 1
    assert entry(house.client_file) == ENTRY


def test_a_client_that_holds_the_lock_is_waited_for_no_longer_than_it_takes(house, models):
    """A lock that its holder left behind long ago does not stand in the way."""
    import os  # noqa: PLC0415 - this test alone sets times

    lock = house.home / ".claude.json.lock"
    lock.mkdir()
    os.utime(lock, (1, 1))
    assert house.setup(*models, "--yes")[0] == 0
    assert not lock.exists()
