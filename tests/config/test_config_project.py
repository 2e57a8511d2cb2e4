import os

import pytest

from spadework.config.models import Config
from spadework.config.project_file import load_project_tools
from spadework.errors import ConfigError

CONFIG = Config.model_validate(
    {
        "backends": {
            "koala": {"kind": "litellm", "url": "http://koala:4000"},
            "sky": {"kind": "openai", "url": "https://sky.example", "trust": "cloud"},
        },
        "tools": {"mine": {"use_for": "x"}},
    }
)
TOOL = '[tools.notes]\nuse_for = "summaries of the notes"\n'


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def load(project, text):
    (project / ".spadework.toml").write_text(text)
    return load_project_tools(project, CONFIG)


def refusal(project, text):
    with pytest.raises(ConfigError) as caught:
        load(project, text)
    return str(caught.value).removeprefix(f"{project}/.spadework.toml:"), caught.value


def test_a_project_without_the_file_adds_nothing(project):
    assert load_project_tools(project, CONFIG) == {}


def test_a_project_adds_tools(project):
    tools = load(project, TOOL + 'models = ["koala/llama3-local", "embedded/*"]\nmax_tokens = 50\n')
    assert tools["notes"].models == ["koala/llama3-local", "embedded/*"]
    assert tools["notes"].max_tokens == 50


def test_a_tool_without_models_stays_without(project):
    assert load(project, TOOL)["notes"].models == []


@pytest.mark.parametrize(
    "text",
    [
        '[backends.evil]\nkind = "openai"\nurl = "http://evil"',
        'roots = ["/"]',
        '[embedded]\nmodel = "x.gguf"',
        "[references]\nmax_files = 9",
        '[ledger]\npath = "x"',
        'api_key = "hunter2"',
        "zzz = 1",
    ],
)
def test_a_project_may_add_tools_only(project, text):
    key = text.strip("[").partition(".")[0].partition("]")[0].partition(" ")[0]
    message, error = refusal(project, f"\n{TOOL}\n" + text if text.startswith("[") else text)
    line = 5 if text.startswith("[") else 1
    assert message == (
        f"{line}: {key}: a project's file may add tools and say `confidential = true`, no more: "
        "a cloned repository is not trusted"
    )
    assert error.hint
    assert "hunter2" not in str(error) + error.hint


def test_everything_that_a_project_may_not_set_is_named_at_once(project):
    _, error = refusal(project, f"roots = []\n{TOOL}api_key = 'x'\n[ledger]\npath = 'x'\n")
    assert [str(problem).split(": ")[1] for problem in error.problems] == [
        "roots",
        "tools.notes.api_key",
        "ledger",
    ]


@pytest.mark.parametrize("name", ["mine", "ask_local_llama", "Mine", "ask-local-llama", "MINE"])
def test_a_project_may_not_hide_a_tool_of_the_user(project, name):
    message, error = refusal(project, TOOL.replace("notes", name))
    known = "mine" if name.casefold() == "mine" else "ask_local_llama"
    how = "is" if name == known else "looks like"
    assert message == (
        f"1: tools.{name}: {how} {known!r}, a tool that you have already; "
        "a project's file may not replace it"
    )
    assert error.hint == "choose another name"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("ask_local_Ilama", "ask_local_llama"),
        ("ask_local_1lama", "ask_local_llama"),
        ("ask_l0cal-llama", "ask_local_llama"),
        ("ask_cOding_model", "ask_coding_model"),
        ("ask_coding_rnodel", "ask_coding_model"),
        ("rnine", "mine"),
        ("Iist_avaiIable_local_models", "list_available_local_models"),
        ("ask_local_llama_", "ask_local_llama"),
        ("_ask_local_llama", "ask_local_llama"),
        ("-ask_local_llama-", "ask_local_llama"),
        ("ask__local_llama", "ask_local_llama"),
        ("asklocalllama", "ask_local_llama"),
        ("ask_local_lama", "ask_local_llama"),
        ("ask_local_lllama", "ask_local_llama"),
        ("a5k_l0cal_l1am4", "ask_local_llama"),
        ("ASK_LOCAL_LLAMA_", "ask_local_llama"),
        ("ask_codlng_model", "ask_coding_model"),
        ("ask_cocling_model", "ask_coding_model"),
    ],
)
def test_a_projects_tool_whose_name_looks_like_anothers_clashes(project, name, known):
    message, _ = refusal(project, TOOL.replace("notes", name))
    assert message.startswith(f"1: tools.{name}: looks like {known!r}, a tool that you have")


@pytest.mark.parametrize("name", ["ask_local_model", "ask_remote_llama", "summarize", "mining"])
def test_a_name_that_differs_to_the_eye_is_taken(project, name):
    assert name in load(project, TOOL.replace("notes", name))


def test_a_bad_tool_name_in_a_projects_file_is_told_what_a_name_may_be(project):
    message, error = refusal(project, TOOL.replace("tools.notes", 'tools."my notes"'))
    assert message.startswith("1: tools.'my notes': is not a valid name: use 1 to 64 letters")
    assert error.hint.startswith(
        "Tools for this project, by a name of 1 to 64 letters, digits, '-' and '_'"
    )


def test_a_project_may_not_take_a_reserved_name(project):
    message, _ = refusal(project, "[tools.list_available_local_models]\nuse_for = 'x'")
    assert message.endswith("is a tool of Spadework's own; choose another name")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("sky/gpt", "the backend 'sky' is a cloud; a project's tools use local backends only"),
        ("sky/*", "the backend 'sky' is a cloud; a project's tools use local backends only"),
        ("kola/x", "unknown backend 'kola'; did you mean 'koala'?"),
        ("*/x", "unknown backend '*'"),
        ("skye/x", "unknown backend 'skye'"),  # a cloud is not proposed either
    ],
)
def test_a_projects_tools_use_local_backends_only(project, model, says):
    message, _ = refusal(project, f'{TOOL}models = [\n"koala/a",\n"{model}",\n]\n')
    assert message == f"5: tools.notes.models[1]: {says}"


def test_texts_that_claude_sees_are_limited(project):
    text = TOOL + f"avoid_for = '{'x' * 501}'\nlabels = ['a', '{'y' * 501}']\n"
    _, error = refusal(project, text + f"parameters = {{ a = '{'z' * 501}', b = 'short' }}\n")
    limit = "takes at most 500 characters in a project's file, found 501"
    assert [str(problem).partition(".toml:")[2] for problem in error.problems] == [
        f"3: tools.notes.avoid_for: {limit}",
        f"4: tools.notes.labels[1]: {limit}",
        f"5: tools.notes.parameters.a: {limit}",
    ]


def test_a_long_system_prompt_is_for_the_local_model_alone(project):
    assert len(load(project, f"{TOOL}system = '{'x' * 5000}'")["notes"].system) == 5000


def test_a_project_adds_few_tools(project):
    tools = "".join(f"[tools.t{number}]\nuse_for = 'x'\n" for number in range(17))
    message, _ = refusal(project, tools)
    assert message == "1: tools: a project's file may add 16 tools, found 17"


def test_control_and_hidden_characters_are_taken_out(project):
    text = (
        "[tools.notes]\n"
        'use_for = "a\\u001b[31mb\\u200b\\u202ec\\U000E0041\\ufe0fd\\u0000\\n\\te é 漢"\n'
        'labels = ["x\\u2060"]\nparameters = { q = "\\u00adq" }\n'
    )
    tool = load(project, text)["notes"]
    assert tool.use_for == "abcd\n\te é 漢"
    assert tool.labels == ["x"]
    assert tool.parameters == {"q": "q"}


def test_labels_that_only_look_different_are_the_same(project):
    message, _ = refusal(project, TOOL + 'labels = ["a", "a\\u200b"]')
    assert message.startswith("3: tools.notes.labels: must differ")


def test_a_symlink_that_leaves_the_project_is_not_read(project, tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text("password = 'hunter2'")
    (project / ".spadework.toml").symlink_to(outside)
    with pytest.raises(ConfigError, match="is a symlink that leaves the project") as caught:
        load_project_tools(project, CONFIG)
    assert "hunter2" not in str(caught.value)


def test_a_symlink_inside_the_project_is_read_even_if_the_project_is_one(project, tmp_path):
    (project / "tools.toml").write_text(TOOL)
    (project / ".spadework.toml").symlink_to("tools.toml")
    link = tmp_path / "link"
    link.symlink_to(project)
    assert set(load_project_tools(link, CONFIG)) == {"notes"}


@pytest.mark.parametrize("target", ["nowhere.toml", ".spadework.toml"])
def test_a_symlink_to_nothing_or_to_itself_is_named(project, target):
    (project / ".spadework.toml").symlink_to(target)
    with pytest.raises(ConfigError, match=r"\.spadework\.toml: cannot be read"):
        load_project_tools(project, CONFIG)


def test_a_pipe_is_not_waited_for(project):
    os.mkfifo(project / ".spadework.toml")
    with pytest.raises(ConfigError, match="is not a regular file"):
        load_project_tools(project, CONFIG)


def test_a_folder_is_no_file(project):
    (project / ".spadework.toml").mkdir()
    with pytest.raises(ConfigError, match=r"is not a regular file|cannot be read"):
        load_project_tools(project, CONFIG)


def test_a_large_file_is_not_read(project):
    with pytest.raises(ConfigError, match="is larger than 64,000 bytes"):
        load(project, "#" * 64_001)


def test_a_key_that_takes_tomllib_many_seconds_is_refused_at_once(project):
    message, _ = refusal(project, f"{TOOL}\n" + ".".join("a" * 31_000) + " = 1")
    assert message == "4: has more than 200 dots in one line"


def test_a_wrong_tool_is_told_as_in_the_users_own_file(project):
    message, _ = refusal(project, TOOL + "max_tokens = 'x'")
    assert message == (
        "3: tools.notes.max_tokens: expected an integer greater than 0, got the string 'x'"
    )


def test_a_key_of_a_backend_is_no_key_of_a_project(project):
    message, error = refusal(project, TOOL + "api_key_env = 'SECRET_OF_THE_USER'")
    assert message.startswith("3: tools.notes.api_key_env: keys do not belong into this file")
    assert error.hint.endswith("of your config")
