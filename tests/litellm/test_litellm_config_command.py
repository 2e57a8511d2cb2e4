"""`spadework litellm config`: what it finds, prints, merges and refuses."""

import json
import os
import pty
import stat
import subprocess
import sys

import pytest
import yaml

from doubles.openai_compatible import OpenAIDouble

pytestmark = pytest.mark.slow  # it starts a process for each test

COMMAND = [sys.executable, "-m", "spadework", "litellm"]

OLD = """\
# my proxy
x-database: &db "postgresql://u:hunter2@h/d"
model_list:
- model_name: 'mine'     # the old one
  litellm_params: { api_key: "hunter2 {url}", model: ollama/smollm2, api_base: "{url}" }
general_settings:
  master_key: sk-hunter2hunter2hunter2hunter2
"""


@pytest.fixture
def old(folder, ollama_double):
    """A config of the user's before Ollama."""
    file = folder / "config.yaml"
    file.write_text(OLD.replace("{url}", ollama_double.url))
    file.chmod(0o600)
    return file


def test_the_servers_at_the_hosts_given_become_entries(
    litellm, ollama_double, openai_double, llama_swap_double
):
    ollama_double.names += ["nomic-embed-text", "gpt-oss:120b-cloud"]
    llama_swap_double.entries[0]["meta"] = {"llamaswap": {"ctx": 4096}}
    urls = [double.url for double in (ollama_double, openai_double, llama_swap_double)]
    done = litellm("config", *(part for url in urls for part in ("--host", url)))
    made = yaml.safe_load(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [
        (one["model_name"], one["litellm_params"]["model"], one["litellm_params"]["api_base"])
        for one in made["model_list"]
    ] == [
        ("smollm2", "ollama_chat/smollm2:latest", urls[0]),
        ("llama3-local", "openai/llama3-local", f"{urls[1]}/v1"),
        ("codellama-local", "openai/codellama-local", f"{urls[1]}/v1"),
        ("llama3-local", "openai/llama3-local", f"{urls[2]}/v1"),
        ("codellama-local", "openai/codellama-local", f"{urls[2]}/v1"),
    ]
    assert [one["model_info"].get("max_input_tokens") for one in made["model_list"]] == [
        *(8192, None, None, 4096, None)
    ]
    assert {one["litellm_params"].get("api_key") for one in made["model_list"]} == {None, "none"}
    assert made["general_settings"] == {"master_key": "os.environ/LITELLM_MASTER_KEY"}
    assert "mcp_servers" not in made
    assert "#     auth_value: os.environ/SPADEWORK_TOKEN\n" in done.stdout
    assert done.stdout.count("# window unknown: add max_input_tokens") == 3
    assert "does not chat: nomic-embed-text:latest" in done.stdout
    assert "gpt-oss:120b-cloud is left out: cloud (cloud tag of Ollama)" in done.stdout
    assert "llama3-local is on openai, llama-swap: LiteLLM spreads" in done.stderr
    assert not [*ollama_double.loads, *llama_swap_double.loads]


def test_the_configs_backends_become_entries_with_their_keys_by_reference(
    litellm, folder, ollama_double, data_with_demo
):
    key_file = folder / "key"
    key_file.write_text("sk-hunter2hunter2\n")
    key_file.chmod(0o600)
    with OpenAIDouble("a", window=4096, key="sk-hunter2hunter2") as keyed:
        (folder / "c.toml").write_text(
            f'[backends.koala]\nkind = "ollama"\nurl = "{ollama_double.url}"\n'
            "[backends.koala.windows]\nsmollm2 = 2048\n"
            f'[backends.fox]\nkind = "openai"\nurl = "{keyed.url}"\napi_key_env = "FOX_KEY"\n'
            f'[backends.owl]\nkind = "openai"\nurl = "{keyed.url}/v1"\napi_key_file = "key"\n'
            '[backends.proxy]\nkind = "litellm"\nurl = "http://127.0.0.1:9"\n'
            '[backends.cloud]\nkind = "openai"\nurl = "http://127.0.0.1:9"\ntrust = "cloud"\n'
            '[backends.dead]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
        )
        done = litellm("config", "--json", SPADEWORK_CONFIG="c.toml", FOX_KEY="sk-hunter2hunter2")
    told = json.loads(done.stdout)
    first, *keyed_entries = told["config"]["model_list"]
    assert first["litellm_params"]["num_ctx"] == first["model_info"]["max_input_tokens"] == 2048
    assert [one["litellm_params"]["api_key"] for one in keyed_entries] == [
        *("os.environ/FOX_KEY", "os.environ/OWL_API_KEY")
    ]
    notes = "\n".join(told["notes"])
    assert "proxy is left out: it is a LiteLLM proxy itself" in notes
    assert 'cloud is left out: trust = "cloud"' in notes
    assert "the proxy needs the key of owl in OWL_API_KEY" in notes
    assert "embedded/smollm2 is left out: the embedded engine listens on a unix socket" in notes
    assert told["failed"][0].startswith("dead: ")


def test_nothing_found_is_one_line_and_a_hint(litellm, folder):
    done = litellm("config", "--host", "127.0.0.1:9", "--out", "new.yaml")
    assert done.returncode == 1
    assert "error: no model for the proxy was found\nhint: start a server" in done.stderr
    assert not (folder / "new.yaml").exists()


def test_a_new_file_is_written_once_and_never_over_another(litellm, folder, ollama_double):
    asked = ["config", "--host", ollama_double.url, "--out", "new.yaml"]
    assert litellm(*asked, "--dry-run").returncode == 0
    assert not (folder / "new.yaml").exists()
    done = litellm(*asked, "--mcp")
    assert (done.returncode, done.stdout) == (0, "")
    text = (folder / "new.yaml").read_text()
    assert yaml.safe_load(text)["mcp_servers"]["spadework"] == {
        "url": "http://127.0.0.1:8765/mcp",
        "transport": "http",
        "auth_type": "bearer_token",
        "auth_value": "os.environ/SPADEWORK_TOKEN",
    }
    again = litellm(*asked)
    assert again.returncode == 2
    assert "new.yaml: is already there\nhint: `--merge new.yaml`" in again.stderr
    assert (folder / "new.yaml").read_text() == text


def test_merging_shows_the_difference_keeps_a_copy_and_is_done_once(
    litellm, old, openai_double, ollama_double
):
    before = old.read_bytes()
    hosts = ["--host", ollama_double.url, "--host", openai_double.url]
    shown = litellm("config", "--merge", old, *hosts, "--dry-run")
    assert old.read_bytes() == before
    done = litellm("config", "--merge", old, *hosts, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown.stdout
    assert "+- model_name: llama3-local\n" in done.stdout
    assert "num_ctx: 8192}" in done.stdout
    assert "   master_key: ***\n" in done.stdout
    assert ' x-database: &db "postgresql://***@h/d"\n' in done.stdout
    assert "{ api_key: ***, model: ollama/smollm2, " in done.stdout
    assert "wrote " in done.stderr
    assert "2 added, 1 completed" in done.stderr
    assert (
        "warning\troute\tmine\tthe ollama/ route reports an answer that was cut off" in done.stderr
    )
    assert ": the key itself is in the file" in done.stderr
    assert old.with_name("config.yaml.bak").read_bytes() == before
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    merged = old.read_bytes()
    again = litellm("config", "--merge", old, *hosts)
    assert (again.returncode, again.stdout) == (0, "")
    assert old.read_bytes() == merged
    assert not old.with_name("config.yaml.bak.1").exists()


def test_merging_tells_a_program_all_of_it(litellm, old, ollama_double):
    done = litellm("config", "--merge", old, "--host", ollama_double.url, "--json", "--yes")
    told = json.loads(done.stdout)
    assert (told["changed"], told["written"]) == (True, True)
    assert (told["added"], told["completed"]) == ([], ["mine"])
    assert {one["where"] or one["code"] for one in told["findings"]} == {"mine", "master-key"}
    assert "***" in told["difference"]


def test_a_merge_into_another_file_leaves_the_first(litellm, old, folder, ollama_double):
    before = old.read_bytes()
    asked = ["config", "--merge", old, "--host", ollama_double.url, "--yes", "--out", "new.yaml"]
    assert litellm(*asked).returncode == 0
    assert old.read_bytes() == before
    assert b"max_input_tokens: 8192" in (folder / "new.yaml").read_bytes()
    assert litellm(*asked).returncode == 2


def test_nobody_asked_means_nothing_written(litellm, old, ollama_double):
    before = old.read_bytes()
    done = litellm("config", "--merge", old, "--host", ollama_double.url)
    assert done.returncode == 2
    assert "stdin is not a terminal: pass --yes" in done.stderr
    assert old.read_bytes() == before


@pytest.fixture
def at_terminal(folder, old, ollama_double):
    """Merge at a terminal: `act` when the question stands there, then answer; what it said."""

    def merge(answer, act=lambda: None):
        ours, theirs = pty.openpty()
        said = b""
        with subprocess.Popen(
            [*COMMAND, "config", "--merge", str(old), "--host", ollama_double.url],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
        ) as process:
            while b"Write this to" not in said:
                piece = os.read(process.stderr.fileno(), 4096)
                assert piece, said
                said += piece
            act()
            os.write(ours, answer)
            said += process.stderr.read()
        os.close(ours)
        os.close(theirs)
        return process.returncode, said.decode()

    return merge


def test_a_no_at_the_terminal_writes_nothing(at_terminal, old):
    before = old.read_bytes()
    code, said = at_terminal(b"n\n")
    assert f"Write this to {old}?" in said
    assert code == 1
    assert old.read_bytes() == before


def test_a_file_that_changes_while_the_question_stands_is_not_overwritten(at_terminal, old):
    code, said = at_terminal(b"y\n", lambda: old.write_text("model_list: []\n"))
    assert code == 2
    assert "somebody else has changed it meanwhile, so nothing was written" in said
    assert old.read_text() == "model_list: []\n"


def test_a_symlink_into_dotfiles_stays_one(litellm, old, folder, ollama_double):
    link = folder / "link.yaml"
    link.symlink_to(old)
    done = litellm("config", "--merge", link, "--host", ollama_double.url, "--yes")
    assert done.returncode == 0
    assert link.is_symlink()
    assert b"max_input_tokens" in old.read_bytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"model_list: [\n", "line 2: not YAML that LiteLLM can read: "),
        (b"a:\n\t- b\n", "line 2: not YAML that LiteLLM can read: found character"),
        (b"\xff\xfea", "line 1: not valid UTF-8"),
        (b"- a\n", "not a LiteLLM config file"),
        (None, "is not there"),
    ],
)
def test_an_odd_file_is_refused_in_one_line_and_stays(litellm, folder, content, says):
    file = folder / "config.yaml"
    if content is not None:
        file.write_bytes(content)
    done = litellm("config", "--merge", file, "--yes")
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert content is None or file.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["config", "--host", "koala:99999"], "--host 'koala:99999' is not a valid host"),
        (["config", "--mcp-url", "koala"], "--mcp-url 'koala' is not an http:// or https:// URL"),
        (["check", "ftp://koala"], "'ftp://koala' is not a proxy URL"),
        (["check", "nowhere.yaml"], "nowhere.yaml: is not there"),
        (["check", "nowhere.yaml", "--ask"], "--ask is for a running proxy"),
        (["check", "."], ".: not a regular file"),
    ],
)
def test_a_mistake_says_what_is_right(litellm, arguments, says):
    done = litellm(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
