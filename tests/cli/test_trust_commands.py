"""Trust through the real commands: `models`, `ask --private`, `each --private`, `config check`."""

import json

import pytest

from doubles.litellm import CLOUD, LOCAL, LiteLLMDouble
from doubles.plays import Play

pytestmark = pytest.mark.slow

CONFIG = """
[backends.koala]
kind = "litellm"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = [{models}]

[tools.cloud_tool]
use_for = "what may leave the house"
models = ["koala/claude-sonnet-4-6"]

[references]
private = ["client*"]
"""


@pytest.fixture
def proxy():
    routes = {"claude-sonnet-4-6": CLOUD, "llama3": LOCAL, "untold": {"model": "ollama_chat/x"}}
    with LiteLLMDouble(routes) as double:
        double.plays(Play(reply="Three lines.", prompt_tokens=200))
        yield double


@pytest.fixture
def configure(proxy, project, tmp_path):
    (project / "client.md").write_text("The client is Acme.\n")

    def write(*models, more=""):
        named = ", ".join(f'"{model}"' for model in models)
        text = more + CONFIG.format(url=proxy.url, models=named)
        (tmp_path / "config.toml").write_text(text)

    write()
    return write


def test_a_private_file_never_reaches_a_cloud_with_no_models_in_the_config(
    configure, spadework, proxy
):
    done = spadework("ask", "What?", "-f", "client.md")
    assert (done.returncode, done.stdout) == (0, "Three lines.\n")
    assert {model for model, _ in proxy.served} == {"llama3"}


def test_private_keeps_a_text_from_the_cloud_that_the_tool_lists(configure, spadework, proxy):
    done = spadework("ask", "My secret?", "--tool", "cloud_tool", "--private")
    assert done.returncode == 1
    assert "private" in done.stderr
    assert "local_models" not in done.stderr  # nothing is unknown about that model
    assert proxy.served == []
    assert spadework("ask", "My secret?", "--tool", "cloud_tool").returncode == 0


def test_each_has_it_too(configure, spadework, proxy):
    done = spadework("each", "What?", "-f", "notes.md", "--tool", "cloud_tool", "--private")
    assert done.returncode == 1
    assert proxy.served == []


def test_a_cloud_model_cannot_be_asked_by_name_unless_it_is_listed(configure, spadework, proxy):
    done = spadework("ask", "What?", "--model", "koala/claude-sonnet-4-6")
    assert done.returncode == 1
    assert "[tools.ask_local_llama]" in done.stderr
    assert proxy.served == []


def test_models_show_their_trust_and_where_it_was_learned(configure, spadework):
    rows = [line.split("\t") for line in spadework("models").stdout.splitlines()]
    found = {row[0]: (row[4], row[6], row[7]) for row in rows}
    assert found["koala/claude-sonnet-4-6"] == (
        "cloud_tool",
        "cloud",
        "route anthropic/claude-sonnet-4-6",
    )
    assert found["koala/llama3"][:2] == ("ask_local_llama, ask_coding_model", "local")
    assert found["koala/untold"] == ("", "unknown", "route ollama_chat/ without api_base")
    told = json.loads(spadework("models", "--json").stdout)
    assert {one["trust"] for one in told["models"]} == {"local", "cloud", "unknown"}


def test_models_for_a_folder_are_those_that_could_see_it(configure, spadework, project):
    seeing = spadework("models", "--for", ".").stdout
    assert "claude" in seeing
    (project / ".spadework.toml").write_text("confidential = true\n")
    done = spadework("models", "--for", ".")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["koala/llama3"]
    assert "confidential by its .spadework.toml; local models only" in done.stderr
    told = json.loads(spadework("models", "--for", ".", "--json").stdout)
    assert "confidential" in told["confidential"]
    missing = spadework("models", "--for", "nowhere")
    assert (missing.returncode, "--for nowhere: not a folder" in missing.stderr) == (2, True)


def test_a_confidential_folder_of_the_users_config_keeps_every_tool_local(
    configure, spadework, proxy, project
):
    configure("koala/claude-sonnet-4-6")
    assert spadework("ask", "What?", "-f", "notes.md").returncode == 0
    served = len(proxy.served)
    configure("koala/claude-sonnet-4-6", more=f'[[projects]]\npath = "{project.parent}/*"\n')
    done = spadework("ask", "What?", "-f", "notes.md")
    assert done.returncode == 1
    assert "is confidential by [[projects]] in the config" in done.stderr
    assert len(proxy.served) == served
    configure("koala/llama3", more=f'[[projects]]\npath = "{project.parent}/*"\n')
    done = spadework("ask", "What?", "-f", "notes.md")
    assert "note: confidential: processed by koala/llama3, a local model" in done.stderr


def test_rules_that_can_mean_nothing_are_found_out(configure, spadework, project):
    configure(more=f'[[projects]]\npath = "{project}/clents/*"\n')
    assert f"no folder matches {project}/clents/*" in spadework("config", "check").stdout
    configure(more='local_models = ["nobackend/x"]\n')
    assert "unknown backend 'nobackend'" in spadework("config", "check").stdout
    configure(more='local_hosts = ["http://foo:80/"]\n')
    assert "local_hosts[0]" in spadework("config", "check").stdout


def test_the_config_check_names_models_of_unknown_trust(configure, spadework):
    done = spadework("config", "check")
    assert done.returncode == 0
    assert "warning: backends.koala: models of unknown trust: untold" in done.stdout
    assert 'local_models = ["koala/untold"]' in done.stdout
    assert "untold" not in spadework("config", "check", "--offline").stdout
    configure(more='local_models = ["koala/untold"]\n')
    assert "untold" not in spadework("config", "check").stdout
