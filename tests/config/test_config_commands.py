import json
import os
import pty
import select
import subprocess
import sys
import tomllib

import pytest
from model_servers import LITELLM, LLAMA_SWAP, OLLAMA

from journeyman.config.load import load_config
from journeyman.config.models import EmbeddedConfig
from journeyman.embedded.model import threads_of

KEY = "sk-hunter2hunter2hunter2"
NO_SECRETS = "keys do not belong into this file; use api_key_env or api_key_file"
WRITE_IT = "write the key into its first line"
COMMAND = [sys.executable, "-m", "journeyman"]


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(home):
    """An environment without a config, and with keys that no command may print."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_FILE") if name in os.environ
    }
    return kept | {
        "HOME": str(home),
        "JOURNEYMAN_CONFIG": str(home / "config.toml"),
        "JOURNEYMAN_DATA": str(home / "data"),
        "LITELLM_API_KEY": KEY,
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def run(environ, home):
    """Run a command: its exit code, standard output and standard error."""

    def run(*arguments, **changed):
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environ | changed,
            capture_output=True,
            text=True,
            cwd=home,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def config_file(home):
    return home / "config.toml"


def write(file, text):
    file.write_text(text, encoding="utf-8")
    return file


KOALA = (
    '[backends.koala]\nkind = "litellm"\nurl = "http://koala:4000"\n'
    'api_key_env = "LITELLM_API_KEY"\n[tools.ask_local_llama]\nmodels = ["koala/llama3-local"]\n'
)


def test_path_prints_the_path_alone(run, config_file):
    code, out, err = run("config", "path")
    assert (code, out) == (0, f"{config_file}\n")
    assert "journeyman config init" in err
    write(config_file, "")
    assert run("config", "path") == (0, f"{config_file}\n", "")


def test_the_global_option_names_another_file(run, home):
    other = write(home / "other.toml", KOALA)
    assert run("--config", str(other), "config", "path")[1] == f"{other}\n"
    assert run("--config", "other.toml", "config", "check")[1].startswith(
        f"ok: {other}: 1 backend,"
    )


def test_show_says_of_each_key_where_its_value_comes_from(run, config_file):
    write(config_file, KOALA)
    code, out, _ = run("config", "show")
    rows = dict(line.split("\t", 1) for line in out.splitlines())
    assert code == 0
    assert rows["backends.koala.url"] == '"http://koala:4000"\tline 3'
    assert rows["backends.koala.trust"] == '"local"\tdefault'
    assert rows["tools.ask_local_llama.models"] == '["koala/llama3-local"]\tline 6'
    assert rows["tools.ask_coding_model.parameters.'code?'"].endswith("\tdefault")
    assert rows["backends.koala.api_key_file"] == "\tdefault"


def test_show_says_what_is_used_where_the_default_depends_on_the_machine(run, config_file, home):
    write(config_file, KOALA)
    rows = dict(line.split("\t", 1) for line in run("config", "show")[1].splitlines())
    assert rows["ledger.path"] == f'"{home}/data/ledger.db"\tdefault'
    assert rows["embedded.model"].startswith(f'"{home}/data/models/smollm2/')
    assert rows["embedded.model"].endswith('.gguf"\tdefault')
    assert rows["embedded.threads"] == f"{threads_of(EmbeddedConfig())}\tdefault"


def test_show_works_without_a_file(run, home):
    code, out, err = run("config", "show", JOURNEYMAN_CONFIG="", XDG_CONFIG_HOME=str(home / "x"))
    assert code == 0
    assert "tools.ask_local_llama.max_tokens\t1024\tdefault\n" in out
    assert "is not there, so the defaults apply" in err


def test_show_as_toml_is_a_config_with_the_same_values(run, config_file, home):
    write(config_file, KOALA + '[backends.koala.windows]\n"a b" = 5\n')
    _, out, _ = run("config", "show", "--toml")
    shown = load_config(write(home / "shown.toml", out)).config
    config = load_config(config_file).config
    assert shown == config.model_copy(update={"tools": config.all_tools()})


def test_show_as_json_holds_the_whole_config(run, config_file, home):
    write(config_file, KOALA)
    shown = json.loads(run("config", "show", "--json")[1])
    assert shown["path"] == str(config_file)
    assert shown["exists"] is True
    assert shown["data"] == str(home / "data")
    assert shown["config"]["backends"]["koala"]["api_key_env"] == "LITELLM_API_KEY"
    assert set(shown["config"]["tools"]) == {"ask_local_llama", "ask_coding_model"}


def test_check_says_ok_and_counts(run, config_file):
    write(config_file, KOALA)
    assert run("config", "check") == (0, f"ok: {config_file}: 1 backend, 2 tools\n", "")


def test_check_without_a_file_says_so(run, home):
    code, out, _ = run("config", "check", JOURNEYMAN_CONFIG="", XDG_CONFIG_HOME=str(home / "x"))
    assert code == 0
    assert "is not there, the defaults apply: 0 backends, 2 tools" in out


def test_check_tells_every_problem_and_exits_with_2(run, config_file):
    write(config_file, f"rots = []\n[embedded]\nslots = 0\n{KOALA}password = 'hunter2'\n")
    code, out, err = run("config", "check")
    assert code == 2
    assert err == ""
    assert [line for line in out.splitlines() if line.startswith("error: ")] == [
        f"error: {config_file}:1: rots: is no key of Journeyman's; did you mean 'roots'?",
        f"error: {config_file}:3: embedded.slots: takes a whole number from 1 to 64, found 0",
        f"error: {config_file}:10: tools.ask_local_llama.password: {NO_SECRETS}",
    ]
    assert out.count("\n  hint: ") == 3


def test_check_looks_at_the_file_that_is_named(run, home):
    other = write(home / "other.toml", "x = y")
    code, out, _ = run("config", "check", str(other))
    assert code == 2
    assert out.startswith(f"error: {other}:1:5: not valid TOML")
    code, out, _ = run("config", "check", str(home / "nope"))
    assert code == 2
    assert "there is no such file" in out


def test_check_warns_of_keys_that_are_not_at_hand(run, config_file, home):
    key = write(home / "key", KEY)
    key.chmod(0o644)
    write(
        config_file,
        f"{KOALA}[backends.file]\nkind = 'openai'\nurl = 'http://x'\napi_key_file = '{key}'\n"
        "[backends.gone]\nkind = 'openai'\nurl = 'http://x'\napi_key_file = 'gone.key'\n",
    )
    code, out, _ = run("config", "check", LITELLM_API_KEY="")
    assert code == 0
    _, *warnings = out.splitlines()
    assert warnings == [
        "warning: backends.koala: the environment variable LITELLM_API_KEY is not set",
        f"warning: backends.file: others may read the key file {key}: `chmod 600 {key}`",
        f"warning: backends.gone: the key file {home}/gone.key is missing; {WRITE_IT}",
    ]


def test_check_knows_a_projects_file_by_its_name(run, config_file, home):
    write(config_file, KOALA)
    file = write(home / ".journeyman.toml", "[tools.notes]\nuse_for = 'x'\nmodels = ['koala/a']\n")
    assert run("config", "check", ".journeyman.toml")[:2] == (
        0,
        "ok: .journeyman.toml: 1 tool for this project\n",
    )
    write(file, "roots = ['/']")
    code, out, _ = run("config", "check", str(file))
    assert code == 2
    assert f"error: {file}:1: roots: a project's file may add tools only" in out


def test_a_wrong_config_is_one_line_and_a_hint_in_every_command(run, config_file):
    write(config_file, f"{KOALA}api_key = 'hunter2'\n")
    for command in (["config", "show"], ["config", "show", "--json"], ["models"]):
        code, out, err = run(*command)
        assert (code, out) == (2, ""), command
        assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]


def init(run, *servers, **changed):
    ports = [part for server in servers for part in ("--port", str(server.port))]
    return run("config", "init", *(ports or ["--port", "1"]), "--yes", **changed)


def test_init_writes_a_config_for_what_it_finds(run, config_file, serve):
    litellm, swap = serve(LITELLM, key=KEY), serve(LLAMA_SWAP)
    code, out, err = init(run, litellm, swap)
    assert code == 0
    assert out.rstrip() == config_file.read_text().rstrip()
    config = load_config(config_file).config
    assert config.backends["litellm"].url == litellm.url
    assert config.backends["litellm"].api_key_env == "LITELLM_API_KEY"
    assert config.backends["llama-swap"].api_key_env is None
    assert config.tools["ask_local_llama"].models == [
        "litellm/llama3-local",
        "litellm/embedded",
        "llama-swap/broken",
    ]
    assert config.tools["ask_coding_model"].models == [
        "litellm/codellama-local",
        "llama-swap/codellama-local",
    ]
    assert f"found litellm at {litellm.url}: 3 models; it wants a key: LITELLM_API_KEY" in err
    assert "which is set" in err
    assert KEY not in {key and key.removeprefix("Bearer ") for key in swap.keys_seen}


def test_init_without_the_key_says_which_variable_it_will_be(run, config_file, serve):
    server = serve(LITELLM, key=KEY)
    code, _, err = init(run, server, LITELLM_API_KEY="")
    assert code == 0
    assert "it wants a key: LITELLM_API_KEY will be used, which is not set" in err
    assert set(server.keys_seen) == {None}
    assert load_config(config_file).config.tools["ask_local_llama"].models == []


def test_init_sends_no_token_of_a_subscription(run, serve, config_file):
    server = serve(LITELLM, key="sk-ant-oat01-hunter2")
    code, _, err = init(run, server, LITELLM_API_KEY="sk-ant-oat01-hunter2")
    assert code == 2
    assert "LITELLM_API_KEY holds the token of a Claude subscription" in err
    assert set(server.keys_seen) == {None}
    assert not config_file.exists()


def test_init_with_nothing_found_writes_a_config_that_works_on_the_embedded_model(run, config_file):
    code, _, err = init(run)
    assert code == 0
    assert not load_config(config_file).config.backends
    assert "# Looked at: http://127.0.0.1:1\n" in config_file.read_text()
    assert "journeyman embedded install" in err


def test_init_looks_at_other_hosts_too(run, serve, config_file):
    server = serve(OLLAMA)
    run("config", "init", "--port", "1", "--host", f"localhost:{server.port}", "--yes")
    assert (
        load_config(config_file).config.backends["ollama"].url == f"http://localhost:{server.port}"
    )


def test_init_does_not_overwrite(run, config_file, serve):
    write(config_file, "roots = []\n")
    server = serve(OLLAMA)
    code, out, err = init(run, server)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {config_file} is already there\nhint: --force")
    assert config_file.read_text() == "roots = []\n"
    assert server.asked == []


def test_init_replaces_a_file_that_sets_no_key_and_keeps_a_copy(run, config_file, home, serve):
    init(run)
    nothing_found = config_file.read_text()
    code, _, err = init(run, serve(OLLAMA))
    assert (code, f"the one before is {config_file}.bak" in err) == (0, True)
    assert (home / "config.toml.bak").read_text() == nothing_found
    assert load_config(config_file).config.backends


def test_init_does_not_replace_a_file_that_it_cannot_read(run, config_file):
    write(config_file, "this is no TOML\n")
    assert init(run)[0] == 2
    assert config_file.read_text() == "this is no TOML\n"


def test_init_with_force_keeps_a_copy(run, config_file, home, serve):
    write(config_file, "# mine\n").chmod(0o640)
    server = serve(OLLAMA)
    code, _, err = run("config", "init", "--port", str(server.port), "--yes", "--force")
    assert code == 0
    assert (home / "config.toml.bak").read_text() == "# mine\n"
    assert f"the one before is {config_file}.bak" in err
    assert load_config(config_file).config.backends
    assert config_file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in home.iterdir()) == ["config.toml", "config.toml.bak"]


def test_init_follows_a_symlink_to_the_file(run, config_file, tmp_path, serve):
    kept = write(tmp_path / "dotfiles.toml", "# mine\n")
    config_file.symlink_to(kept)
    server = serve(OLLAMA)
    run("config", "init", "--port", str(server.port), "--yes", "--force")
    assert config_file.is_symlink()
    assert tomllib.loads(kept.read_text())["backends"]


def test_init_only_shows_the_file_when_asked_to(run, config_file, serve, home):
    write(config_file, "# mine\n")
    server = serve(OLLAMA)
    code, out, _ = run("config", "init", "--port", str(server.port), "--dry-run")
    assert code == 0
    assert load_config(write(home / "shown.toml", out)).config.backends["ollama"].kind == "ollama"
    assert config_file.read_text() == "# mine\n"


def test_init_writes_nothing_if_nobody_can_be_asked(run, config_file, serve):
    server = serve(LITELLM, key=KEY)
    code, _, err = run("config", "init", "--port", str(server.port))
    assert code == 2
    assert "hint: add --yes" in err
    assert not config_file.exists()
    assert set(server.keys_seen) == {None}


def test_init_names_a_host_that_is_none(run):
    code, _, err = run("config", "init", "--host", "https://koala", "--yes")
    assert code == 2
    assert err == (
        "error: --host 'https://koala' is no host\n"
        "hint: write a name such as koala, or koala:4000, or http://koala:4000\n"
    )


def test_init_takes_the_address_of_a_server_as_a_host(run, serve, config_file):
    url = f"http://localhost:{serve(OLLAMA).port}"
    run("config", "init", "--port", "1", "--host", f"{url}/v1", "--yes")
    assert load_config(config_file).config.backends["ollama"].url == url


@pytest.mark.parametrize("port", ["99999", "0", "-1"])
def test_init_names_a_port_that_is_none(run, port):
    code, out, err = run("config", "init", "--port", port, "--dry-run")
    assert (code, out) == (2, "")
    assert err == f"error: --port {port} is no port\nhint: a port is a number from 1 to 65535\n"


def test_init_names_a_place_where_it_may_not_write(run, home, serve):
    write(home / "file", "")
    code, _, err = init(run, serve(OLLAMA), JOURNEYMAN_CONFIG=str(home / "file" / "config.toml"))
    assert code == 2
    assert "config.toml: cannot be written: " in err


class Terminal:
    """A command that believes that a person sits before it."""

    def __init__(self, arguments, environ, cwd):
        self.screen = ""
        self.main, other = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environ | {"TERM": "xterm", "COLUMNS": "200"},
            cwd=cwd,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def read(self, until=None):
        """Read until a text stands on the screen, or to the end."""
        while until is None or until not in self.screen:
            ready, _, _ = select.select([self.main], [], [], 30)
            assert ready, self.screen
            try:
                piece = os.read(self.main, 4096)
            except OSError:
                piece = b""
            if not piece:
                assert until is None, self.screen
                return self.screen
            self.screen += piece.decode()
        return self.screen

    def type(self, text):
        os.write(self.main, text.encode())

    def close(self):
        os.close(self.main)
        return self.process.wait()


@pytest.fixture
def terminal(environ, home):
    opened = []

    def start(*arguments):
        opened.append(Terminal(arguments, environ, home))
        return opened[-1]

    yield start
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.close()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_init_asks_before_it_sends_a_key_and_before_it_writes(
    terminal, serve, config_file, answer
):
    server = serve(LITELLM, key=KEY)
    person = terminal("config", "init", "--port", str(server.port))
    person.read(f"Ask {server.url} for its models, with the key in LITELLM_API_KEY?")
    assert set(server.keys_seen) == {None}
    person.type(f"{answer}\n")
    person.read(f"Write this to {config_file}?")
    assert not config_file.exists()
    person.type(f"{answer}\n")
    screen = person.read()
    assert person.close() == (0 if answer == "y" else 1)
    assert config_file.exists() == (answer == "y")
    assert (f"Bearer {KEY}" in server.keys_seen) == (answer == "y")
    assert "hunter2" not in screen


def test_on_a_terminal_show_is_a_table(terminal, config_file):
    write(config_file, KOALA)
    person = terminal("config", "show")
    screen = person.read()
    assert person.close() == 0
    assert "line 3" in screen
    assert "key" in screen
    assert "hunter2" not in screen


def test_the_help_of_the_group_imports_nothing_heavy(environ):
    code = """
import sys
before = set(sys.modules)
import journeyman.cli.config
heavy = {"pydantic", "tomlkit", "httpx", "asyncio", "platformdirs", "rich", "tomllib"}
print(sorted(heavy & (set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
