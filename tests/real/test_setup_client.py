"""The real Claude Code, offline and without login, finds what `spadework setup` registers."""

import json
import subprocess
import threading
from hashlib import sha256

import pytest

from claude_code.setup_houses import make_house
from real.node_tools import CLAUDE, node_tool

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

ENTRY = '{"type":"stdio","command":"false","args":[]}'
CONNECTED = "spadework: spadework mcp - ✔ Connected"


@pytest.fixture
def house(tmp_path, runtime_folder, openai_double):
    openai_double.plays(reply="ready", prompt_tokens=12, completion_tokens=1)
    house = make_house(tmp_path, runtime_folder, str(node_tool(CLAUDE).parent))
    house.environ["DISABLE_AUTOUPDATER"] = "1"
    house.environ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"
    return house


@pytest.fixture
def models(openai_double):
    return ("--port", str(openai_double.port))


def claude(house, *arguments, cwd=None, **changed):
    done = subprocess.run(
        [node_tool(CLAUDE), *arguments],
        env=house.environ | changed,
        cwd=cwd or house.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def listed(house, **options):
    return claude(house, "mcp", "list", **options)


def digests(house):
    """The client's files; not its logs and its own backups."""
    return {
        path: sha256(content).hexdigest()
        for path, content in house.files().items()
        if ".cache" not in path.parts and "backups" not in path.parts
    }


def trust(house):
    """What stands in the client's file once the user has accepted the project's folder."""
    told = json.loads(house.client_file.read_text())
    told.setdefault("projects", {})[str(house.project)] = {"hasTrustDialogAccepted": True}
    house.client_file.write_text(json.dumps(told, indent=2))


@pytest.mark.parametrize("scope", ["user", "project", "local"])
def test_it_is_connected_in_each_scope_and_gone_to_the_byte_after(house, models, scope):
    assert "No MCP servers configured" in listed(house)  # the client has written its own file
    trust(house)
    listed(house)
    before = digests(house)
    code, _, err = house.setup(*models, "--yes", "--scope", scope)
    assert code == 0, err
    assert "Claude Code 2.1.330 reports: ✔ Connected" in err
    assert CONNECTED in listed(house)
    where = {"user": "User", "project": "Project", "local": "Local"}[scope]
    assert f"Scope: {where} config" in claude(house, "mcp", "get", "spadework")
    code, _, err = house.setup("--remove", "--yes")
    assert code == 0
    assert "was changed since" not in err
    assert digests(house) == before
    assert "No MCP servers configured" in listed(house)


def test_in_a_home_that_never_saw_the_client_setup_leaves_nothing_behind(house, models):
    assert house.setup(*models, "--yes")[0] == 0
    assert list(digests(house)) == [house.config, house.client_file] or len(digests(house)) == 2
    house.setup("--remove", "--yes")
    assert digests(house) == {}


def test_what_the_client_has_added_meanwhile_stays(house, models):
    house.setup(*models, "--yes")
    assert CONNECTED in listed(house)  # its first start: it writes its own keys
    claude(house, "mcp", "add-json", "-s", "user", "theirs", ENTRY)
    told = json.loads(house.client_file.read_text())
    assert set(told["mcpServers"]) == {"spadework", "theirs"}
    house.setup("--remove", "--yes")
    after = json.loads(house.client_file.read_text())
    del told["mcpServers"]["spadework"]
    assert after == told
    assert "spadework" not in listed(house)


def test_a_shared_entry_waits_for_the_users_approval_where_the_folder_is_not_trusted(house, models):
    code, _, err = house.setup(*models, "--yes", "--scope", "project")
    assert code == 0
    assert "until then it says Pending approval" in err
    assert "spadework: spadework mcp - ⏸ Pending approval" in listed(house)


def test_a_dead_entry_comes_to_life(house, models):
    settings = house.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"mcpServers": {"spadework": {"command": "spadework"}}}')
    assert "No MCP servers configured" in listed(house)
    house.setup(*models, "--yes")
    assert CONNECTED in listed(house)
    assert json.loads(settings.read_text()) == {"mcpServers": {}}


def test_the_scope_local_counts_in_the_whole_repository_and_its_other_working_trees(
    house, models, tmp_path
):
    def git(*arguments):
        who = ["-c", "user.email=a@b", "-c", "user.name=a"]
        subprocess.run(["git", *who, *arguments], cwd=house.project, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    below = tmp_path / "tree" / "src"
    below.mkdir()
    assert house.setup(*models, "--yes", "--scope", "local", cwd=below)[0] == 0
    assert list(json.loads(house.client_file.read_text())["projects"]) == [str(house.project)]
    assert CONNECTED in listed(house)
    assert CONNECTED in listed(house, cwd=below)


def test_over_http_the_client_reads_the_token_from_its_variable(house, models):
    _, token, _ = house.run("token", "new", "laptop")
    token = token.strip()
    server = subprocess.Popen(
        ["spadework", "serve", "--http", "127.0.0.1:0", "--require-token"],
        env=house.environ,
        cwd=house.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().split(" at ")[1].partition(";")[0]
        code, _, err = house.setup("--http", url, "--yes", SPADEWORK_TOKEN=token)
        assert code == 0, err
        assert f"handshake: {url} answered" in err
        assert "(HTTP) - ✔ Connected" in listed(house, SPADEWORK_TOKEN=token)
        assert "Missing environment variables: SPADEWORK_TOKEN" in listed(house)
        everything = [*house.home.rglob("*"), *house.project.rglob("*")]
        assert not [
            path for path in everything if path.is_file() and token.encode() in path.read_bytes()
        ]
        code, _, err = house.setup("--http", url, "--yes")
        assert code == 1
        assert "does SPADEWORK_TOKEN hold its token?" in err
    finally:
        server.kill()
        server.communicate()


def test_the_client_and_several_setups_that_write_at_once_lose_nothing(house, models):
    listed(house)

    def add(letter):
        for number in range(10):
            claude(house, "mcp", "add-json", "-s", "user", f"{letter}{number}", ENTRY)

    def together(*works):
        threads = [threading.Thread(target=work, args=options) for work, *options in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return json.loads(house.client_file.read_text())

    codes = []

    def setup(*options):
        codes.append(house.setup(*options, "--yes")[0])

    told = together(
        (add, "a"), (setup, *models), (setup, *models), (setup, *models, "--scope", "local")
    )
    assert codes == [0, 0, 0]
    assert set(told["mcpServers"]) == {"spadework", *(f"a{number}" for number in range(10))}
    assert told["projects"][str(house.project)]["mcpServers"].keys() == {"spadework"}

    told = together((add, "b"), (setup, "--remove"), (setup, "--remove"))
    assert codes[3:] == [0, 0]
    assert set(told["mcpServers"]) == {f"{x}{number}" for x in "ab" for number in range(10)}
    assert "spadework" not in json.dumps(told.get("projects"))
