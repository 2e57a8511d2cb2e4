"""What the client makes of each entry; tests/real/test_doctor_client.py asks the client itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.claude_code.claude_client import ClaudePaths, claude_paths
from spadework.claude_code.registrations import registered

ENTRY = {"command": "spadework", "args": ["mcp"]}


@pytest.fixture
def places(tmp_path):
    (tmp_path / "project").mkdir()
    return claude_paths(tmp_path / "project", {"HOME": str(tmp_path)})


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def client_file(places, *, user=None, **own):
    write(
        places.client_file,
        {"mcpServers": user or {}, "projects": {str(places.project): own}},
    )


def states(places):
    return [(entry.origin, entry.state) for entry in registered(places).entries]


def test_no_file_is_no_entry_and_no_problem(places):
    found = registered(places)
    assert (found.entries, found.problems) == ((), ())


@pytest.mark.parametrize(
    "told",
    [
        {"command": "/opt/bin/spadework", "args": ["mcp"]},
        {"command": "python3", "args": ["-m", "spadework", "mcp"]},
        {"command": "uvx", "args": ["spadework", "mcp"]},
        {"command": "C:\\Tools\\spadework.exe", "args": ["mcp"]},
    ],
)
def test_a_server_is_ours_by_the_program_that_it_runs(places, told):
    client_file(places, user={"helper": told, "other": {"command": "other"}})
    (entry,) = registered(places).entries
    assert (entry.name, entry.command) == ("helper", told["command"])


def test_a_server_over_http_is_ours_by_its_name(places):
    client_file(places, user={"spadework": {"type": "http", "url": "http://koala:8765/mcp"}})
    (entry,) = registered(places).entries
    assert entry.url == "http://koala:8765/mcp"


def test_local_goes_before_project_before_user(places):
    client_file(places, user={"spadework": ENTRY}, mcpServers={"spadework": ENTRY})
    write(places.project_file, {"mcpServers": {"spadework": ENTRY}})
    write(places.settings["user"], {"enableAllProjectMcpServers": True})
    assert states(places) == [("local", "used"), ("project", "shadowed"), ("user", "shadowed")]


@pytest.mark.parametrize(
    ("scope", "trusted", "state"),
    [
        ("user", False, "used"),
        ("project", False, "pending"),
        ("local", False, "pending"),
        ("project", True, "used"),
        ("local", True, "used"),
    ],
)
def test_a_projects_own_approval_counts_only_in_a_trusted_folder(places, scope, trusted, state):
    client_file(places, hasTrustDialogAccepted=trusted)
    write(places.project_file, {"mcpServers": {"spadework": ENTRY}})
    write(places.settings[scope], {"enabledMcpjsonServers": ["spadework"]})
    assert states(places) == [("project", state)]


def test_a_server_that_is_disabled_for_the_project_is_not_used(places):
    client_file(places, user={"spadework": ENTRY}, disabledMcpServers=["spadework"])
    assert states(places) == [("user", "disabled")]


def test_a_byte_order_mark_is_taken_and_a_comment_is_told_with_its_line(places):
    write(places.project_file, "\ufeff" + json.dumps({"mcpServers": {"spadework": ENTRY}}))
    write(places.settings["user"], '{\n  // a comment\n  "mcpServers": {}\n}')
    found = registered(places)
    assert [entry.state for entry in found.entries] == ["pending"]
    assert found.problems == ((places.settings["user"], "is not valid JSON: line 2, column 3"),)


def test_the_files_of_another_config_folder_are_read(tmp_path):
    environ = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "other")}
    places = claude_paths(tmp_path / "project", environ)
    write(tmp_path / "other" / ".claude.json", {"mcpServers": {"spadework": ENTRY}})
    assert states(places) == [("user", "used")]


def test_a_plugins_manifest_may_name_the_file_of_its_servers(places, tmp_path):
    copy = tmp_path / "copy"
    write(places.settings["user"], {"enabledPlugins": {"p@market": True, "q@market": False}})
    copies = [{"installPath": str(copy)}]
    plugins = {"p@market": copies, "q@market": copies, "r@market": copies}
    write(places.plugins / "installed_plugins.json", {"plugins": plugins})
    write(copy / ".claude-plugin" / "plugin.json", {"mcpServers": "./servers.json"})
    entry = {"command": "${CLAUDE_PLUGIN_ROOT}/spadework", "args": ["${CLAUDE_PLUGIN_ROOT}/x"]}
    write(copy / "servers.json", {"mcpServers": {"spadework": entry}})
    (found,) = registered(places).entries
    assert (found.name, found.state) == ("plugin:p:spadework", "used")
    assert (found.command, found.args) == (f"{copy}/spadework", (f"{copy}/x",))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["mcpServers", "projects", "spadework", "command", "args", "env", "enabledPlugins", "plugins"]
)
LIKE_THE_CLIENTS = st.recursive(
    ANY_JSON, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=6
)


@given(content=st.one_of(LIKE_THE_CLIENTS.map(json.dumps), st.text()))
def test_whatever_stands_in_the_files_is_an_entry_or_a_problem(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    places = ClaudePaths(folder, folder / ".claude.json", folder)
    plugins = places.plugins / "installed_plugins.json"
    for file in (places.client_file, places.project_file, plugins, *places.settings.values()):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode(errors="surrogatepass"))
    registered(places)
