"""`spadework config init`: what it finds, proposes, asks and writes."""

import tomllib
from contextlib import closing
from dataclasses import replace

import pytest
from config_texts import COMMAND, KEY, KOALA, write
from model_servers import LITELLM, LLAMA_SWAP, OLLAMA

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.terminal import Terminal
from spadework.config.loader import load_config
from spadework.storage.ledger import Ledger, LedgerEntry

pytestmark = pytest.mark.slow  # it starts a process for each test


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
        "llama-swap/broken",
        "llama-swap/llama3-local",
    ]
    last = '  # "litellm/embedded",  # a general model; a window of 2048 tokens, so it comes last\n'
    assert last in out
    assert config.tools["ask_coding_model"].models == [
        "litellm/codellama-local",
        "llama-swap/codellama-local",
    ]
    assert f"found litellm at {litellm.url}: 3 models; it needs a key, taken from LITELLM" in err
    assert "which is set" in err
    assert KEY not in {key and key.removeprefix("Bearer ") for key in swap.keys_seen}


def test_init_without_the_key_says_which_variable_it_will_be(run, config_file, serve):
    server = serve(LITELLM, key=KEY)
    code, _, err = init(run, server, LITELLM_API_KEY="")
    assert code == 0
    assert "it needs a key, taken from LITELLM_API_KEY, which is not set" in err
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
    assert "spadework embedded install" in err


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
    assert err.startswith(f"error: {config_file} already exists\nhint: --force")
    assert config_file.read_text() == "roots = []\n"
    assert server.asked == []


def test_init_replaces_a_file_that_sets_no_key_and_keeps_a_copy(run, config_file, home, serve):
    init(run)
    nothing_found = config_file.read_text()
    code, _, err = init(run, serve(OLLAMA))
    assert (code, f"the previous one is {config_file}.bak" in err) == (0, True)
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
    assert f"the previous one is {config_file}.bak" in err
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
    assert "stdin is not a terminal: pass --yes" in err
    assert not config_file.exists()
    assert set(server.keys_seen) == {None}


def test_init_names_a_host_that_is_none(run):
    code, _, err = run("config", "init", "--host", "https://koala", "--yes")
    assert code == 2
    assert err == (
        "error: --host 'https://koala' is not a valid host\n"
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
    assert (
        err
        == f"error: --port {port} is not a valid port\nhint: a port is a number from 1 to 65535\n"
    )


def test_init_names_a_place_where_it_may_not_write(run, home, serve):
    write(home / "file", "")
    code, _, err = init(run, serve(OLLAMA), SPADEWORK_CONFIG=str(home / "file" / "config.toml"))
    assert code == 2
    assert "config.toml: cannot be written: " in err


@pytest.fixture
def terminal(environ, home):
    opened = []

    def start(*arguments):
        opened.append(Terminal([*COMMAND, *arguments], environ, home))
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


def test_init_says_how_many_models_the_file_leaves_out(run, config_file):
    with OllamaDouble(*(f"m{number}:7b" for number in range(20))) as ollama:
        code, out, err = init(run, ollama)
    assert code == 0
    assert "  # … and 8 more: `spadework models` lists all of them\n]" in out
    assert "# Its models: m0:7b, " in out
    assert config_file.read_text().count("and 8 more: `spadework models`") == 2
    said = "8 more models for ask_local_llama are not in the file: `spadework models` lists all"
    assert said in err
    assert len(load_config(config_file).config.tools["ask_local_llama"].models) == 3


def test_init_says_nothing_of_models_that_are_all_there(run):
    with OllamaDouble("a:7b", "b:7b") as ollama:
        _, out, err = init(run, ollama)
    assert "more" not in out + err


def test_a_model_that_failed_when_it_was_last_asked_comes_last_with_the_reason(
    run, config_file, home, serve
):
    how = 'the server failed (500); the server wrote: "upstream command exited prematurely"'
    row = LedgerEntry(
        at=1.0, session="s", tool="t", model="", outcome="handed-back", prompt_tokens=None,
        completion_tokens=None, first_token_seconds=None, seconds=1.0, bytes_read=0,
        bytes_returned=0, tries=(f"llama-swap/broken: {how}",),
        failures=(("llama-swap/broken", "server-failed"),),
    )  # fmt: skip
    with closing(Ledger(home / "data" / "ledger.db")) as ledger:
        ledger.record(row)
    code, out, _ = init(run, serve(LLAMA_SWAP))
    assert code == 0
    models = load_config(config_file).config.tools["ask_local_llama"].models
    assert models == ["llama-swap/llama3-local", "llama-swap/broken"]
    (line,) = [line for line in out.splitlines() if '"llama-swap/broken",' in line]
    assert f"it comes last, since it failed when it was last asked: {how[:60]}" in line
    with closing(Ledger(home / "data" / "ledger.db")) as ledger:
        ledger.record(
            replace(
                row, at=2.0, model="llama-swap/broken", outcome="answered", tries=(), failures=()
            )
        )
    run("config", "init", "--port", str(serve(LLAMA_SWAP).port), "--yes", "--force")
    assert load_config(config_file).config.tools["ask_local_llama"].models == [
        "llama-swap/broken",
        "llama-swap/llama3-local",
    ]


def test_selectors_and_profiles_are_never_proposed(run, config_file):
    with LlamaSwapDouble("llama3-local", form="2026-08") as swap:
        for name, told in {
            "warm": {"type": "selector", "targets": ["llama3-local"]},
            "night": {"type": "profile"},
        }.items():
            swap.entries.insert(0, {"id": name, "meta": {"llamaswap": told}})
        _, out, err = init(run, swap)
    assert load_config(config_file).config.tools["ask_local_llama"].models == [
        "llama-swap/llama3-local"
    ]
    tools = out.partition("[tools.")[2]
    assert "warm" not in tools
    assert "night" not in tools
    assert "skipped" not in err
