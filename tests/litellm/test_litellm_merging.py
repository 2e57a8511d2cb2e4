"""Additions to a config: nothing else changes but blanks, nothing is there twice.

PyYAML reads the results, as LiteLLM does.
"""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spadework.errors import ConfigError
from spadework.litellm.config_file import difference
from spadework.litellm.merge import merge
from spadework.litellm.model_entries import ModelEntry
from spadework.litellm.yaml_document import read

URL = "http://127.0.0.1:8765/mcp"
OLLAMA = ModelEntry(
    "smollm2", "ollama_chat/smollm2:latest", "http://koala:11434", "koala", 8192, "a Modelfile"
)
LLAMA = ModelEntry(
    "llama3-local", "openai/llama3-local", "http://fox:8080/v1", "fox", None, "", "KEY"
)
ENTRIES = (OLLAMA, LLAMA)
ADDED = [entry.as_data() for entry in ENTRIES]
KEY = {"master_key": "os.environ/LITELLM_MASTER_KEY"}


def merged(text, entries=ENTRIES, mcp_url=URL):
    return merge(read(text, "config.yaml"), entries, mcp_url, {})


def is_subsequence(short, long):
    rest = iter(long)
    return all(sign in rest for sign in short)


def kept(before, after):
    """Whether all that was there is there, comments too, but blanks and nothing that was filled."""
    for nothing in (" []", " [ ]", " {}", " null", " ~"):
        before = before.replace(f"model_list:{nothing}", "model_list:")
        before = before.replace(f"general_settings:{nothing}", "general_settings:")
        before = before.replace(f"mcp_servers:{nothing}", "mcp_servers:")
    before = re.sub(r"\A\ufeff?\s*\{\s*\}", "", before)
    return is_subsequence("".join(before.split()), "".join(after.split()))


def check(before):
    """Merge, and hold the result against what the file meant before."""
    result = merged(before)
    old, new = yaml.safe_load(before) or {}, yaml.safe_load(result.text)
    assert new["model_list"][: len(old.get("model_list") or [])] == (old.get("model_list") or [])
    assert new["model_list"][len(old.get("model_list") or []) :] == ADDED
    assert new["general_settings"] == KEY | (old.get("general_settings") or {})
    assert new["mcp_servers"]["spadework"]["url"] == URL
    for key in old.keys() - {"model_list", "general_settings", "mcp_servers"}:
        assert new[key] == old[key]
    assert kept(before, result.text)
    again = merged(result.text)
    assert (again.text, again.added, again.completed) == (result.text, (), ())
    return result.text


HEADS = ["", "# a comment\n", "---\n", "%YAML 1.1\n---\n", "\n\n"]
BEFORE = [
    "",
    "litellm_settings:\n  drop_params: true   # keep\n  cost: 1e-6\n",
    "x: &shared {timeout: 30}\n",
    "environment_variables:\n    A: \"quoted\"\n    B: 'it''s'\n",
]
LISTS = [
    "",
    "model_list:\n",
    "model_list: []\n",
    "model_list: null # none yet\n",
    "model_list: [ ]  # none yet\n",
    "model_list:\n  # - model_name: an example\n",
    "model_list: [{model_name: a, litellm_params: {model: azure/b}}]\n",
    "model_list: [\n  {model_name: a, litellm_params: {model: azure/b}},\n]\n",
    "model_list:\n- model_name: a\n  litellm_params:\n    model: azure/b\n# after\n",
    "model_list:\n  - model_name: a\n    litellm_params: {model: azure/b}  # end\n    # of it\n\n",
    "model_list:\n    -   model_name: 'a'\n        litellm_params:\n            model: azure/b\n",
    "model_list:\n  -\n    model_name: a\n    litellm_params:\n      model: azure/b\n",
    "model_list:\n  - {model_name: ü🙂, litellm_params: {model: azure/b}}\n",
    "model_list:\n  - model_name: a\n    k:\n      k: |\n        b\n        c\n\n",
    "model_list:\n  - &one\n    model_name: a\n    k: &p {}\n  - <<: *one\n    z: *p\n  - *one\n",
]
AFTER = [
    "",
    "general_settings:\n  database_url: os.environ/DB\n",
    "general_settings: {}\n",
    "general_settings:\n\n# the end\n",
    "general_settings: {master_key: sk-x, ui: 'no'}\nmcp_servers: {}\n",
    "mcp_servers:\n  other: {url: 'http://a/mcp'}\nrouter_settings:\n  num_retries: 0\n",
    "text: |+\n  kept\n\n\n",
]


@given(
    st.sampled_from(HEADS),
    st.sampled_from(BEFORE),
    st.sampled_from(LISTS),
    st.sampled_from(AFTER),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_any_layout_keeps_what_it_has_and_gets_what_it_lacks(
    head, before, listed, after, newline, with_mark, ends_with_newline
):
    text = head + before + listed + after
    text = text if ends_with_newline or "|" in text else text.rstrip("\n")
    text = ("\ufeff" if with_mark and not head.startswith("%") else "") + text
    result = check(text.replace("\n", newline))
    if newline == "\r\n" and text.count("\n"):
        assert result.count("\n") == result.count("\r\n")


WORDS = st.sampled_from(
    [
        *("model_list:", "general_settings:", "- ", "  ", "    ", "\n", "\t", "{", "}", "[", "]"),
        *(
            "model_name: a",
            "litellm_params:",
            "model: openai/llama3-local",
            "api_base: x",
            "&a ",
            "*a",
        ),
        *(
            "<<: *a",
            "|",
            ">-",
            "#",
            "'",
            '"',
            ": ",
            ",",
            "---",
            "...",
            "? ",
            "!!str ",
            "null",
            "\r",
        ),
        *("\ufeff", "\x07", "\u2028", "ü", "{}", "[]"),
    ]
)


@given(st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=40))
def test_any_text_is_refused_in_one_line_or_keeps_what_it_has(text):
    try:
        result = merged(text)
    except ConfigError:
        with pytest.raises(ConfigError, match=r"\A[^\n]+\Z"):
            merged(text)
        return
    assert kept(text, result.text)
    assert merged(result.text).text == result.text
    try:
        old = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError):
        return
    new = yaml.safe_load(result.text)
    ours = {"model_list", "general_settings", "mcp_servers"}
    assert {key: new[key] for key in old if key not in ours} == {
        key: old[key] for key in old if key not in ours
    }
    assert [one for one in new["model_list"] if one in ADDED] == ADDED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model_list: [", "line 1: not YAML that LiteLLM can read: "),
        ("a:\n\t- b\n", "line 2: not YAML that LiteLLM can read: found character '\\t'"),
        ("a: 1\n---\nb: 2\n", "not YAML that LiteLLM can read: "),
        ("- a\n", "not a LiteLLM config file"),
        ("model_list: {a: b}\n", "model_list is not a list"),
        ("general_settings: 5\n", "general_settings is not a mapping"),
        ("a: *nowhere\n", "found undefined alias 'nowhere'"),
        ("model_list: &all\n- model_name: a\nagain: *all\n", "alter more than their own lines"),
        ("model_list: [\n  {model_name: a}, # mine\n]\n", "alter more than their own lines"),
        ("{" * 3000, "is nested too deeply"),
        ("a: !unknown b\n", "line 1: not YAML that LiteLLM can read: could not determine"),
        ("a: b\u2028c: d\n", "line 1: holds '\\u2028', which only some readers of YAML take"),
        ("%YAML 9.9\n---\na: 1\n", "not YAML that LiteLLM can read"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(text, says):
    with pytest.raises(ConfigError) as refused:
        merged(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_blanks_that_a_mixed_layout_loses_are_in_the_difference_that_is_shown():
    before = "a:\n   b: 1 # kept\nc:\n  d: 'x'\n"
    after = check(before)
    shown = difference(before, after, "config.yaml")
    assert "-  d: 'x'\n" in shown
    assert "+   d: 'x'\n" in shown
    assert "    b: 1 # kept\n" in shown


TIDY = """\
# my proxy
model_list:
- model_name: 'mine'   # the old one
  litellm_params: {model: "ollama_chat/smollm2", api_base: http://koala:11434}
  # and its window

- model_name: other
  litellm_params:
    model: azure/big   # dear
    rpm: 1_000
# ---- settings ----
litellm_settings:   # of all
  drop_params: yes
  cost: 1.50

# the end
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_in_a_file_of_one_style_no_other_line_changes_and_headings_stay_in_place(newline, mark):
    before = mark + TIDY.replace("\n", newline)
    after = merged(before).text
    lines, new = before.split(newline), after.split(newline)
    changed = [line for line in lines if line not in new]
    assert changed == [line for line in lines if "ollama_chat" in line]
    assert is_subsequence([line for line in lines if line not in changed], new)
    assert new.index("# ---- settings ----") == new.index("litellm_settings:   # of all") - 1
    assert new.index("- model_name: llama3-local") < new.index("# ---- settings ----")


@pytest.mark.parametrize(
    ("text", "cure"),
    [("model_list: 3\n", "`model_list: []`"), ("general_settings: 5\n", "`general_settings: {}`")],
)
def test_the_hint_of_a_wrong_key_makes_the_merge_work(text, cure):
    with pytest.raises(ConfigError) as refused:
        merged(text)
    assert cure in (refused.value.hint or "")
    assert yaml.safe_load(merged(cure.strip("`") + "\n").text)["model_list"] == ADDED


@pytest.mark.parametrize(
    "there",
    [
        "{model: 'ollama_chat/smollm2', api_base: 'http://KOALA:11434/', num_ctx: 4096}",
        "{model: ollama/smollm2:latest, api_base: http://koala:11434}",
        "{model: smollm2, custom_llm_provider: ollama_chat, api_base: http://koala:11434/api/chat}",
        "{<<: *base, model: ollama_chat/smollm2}",
    ],
)
def test_an_entry_is_known_again_under_any_name_route_and_spelling(there):
    text = (
        "x: &base {api_base: http://koala:11434}\nmodel_list:\n- model_name: mine\n"
        f"  litellm_params: {there}\n  model_info: {{max_input_tokens: 4096}}\n"
    )
    result = merged(text, (OLLAMA,))
    assert result.added == result.completed == ()
    assert len(yaml.safe_load(result.text)["model_list"]) == 1


def test_an_address_that_stands_in_the_environment_is_known_again():
    text = (
        "model_list:\n- model_name: a\n  litellm_params: {model: openai/llama3-local, "
        "api_base: os.environ/FOX}\ngeneral_settings: {master_key: os.environ/K}\n"
    )
    document = read(text, "config.yaml")
    assert merge(document, (LLAMA,), "", {"FOX": "http://fox:8080"}).text == text
    assert merge(document, (LLAMA,), "", {}).added == (LLAMA,)


ENTRY = (
    "model_list:\n- model_name: a\n  litellm_params: {params}\n{more}"
    "general_settings: {{master_key: k}}\n"
)
PARAMS = "{model: ollama_chat/smollm2, api_base: http://koala:11434}"


@pytest.mark.parametrize(
    ("more", "info"),
    [
        ("", {"max_input_tokens": 8192}),
        ("  model_info:\n", {"max_input_tokens": 8192}),
        ("  model_info: {}\n", {"max_input_tokens": 8192}),
        ("  model_info: {id: b}\n", {"id": "b", "max_input_tokens": 8192}),
        ("  model_info: {id: b,}\n", {"id": "b", "max_input_tokens": 8192}),
        ("  model_info:\n    id: b # c\n", {"id": "b", "max_input_tokens": 8192}),
    ],
)
def test_a_missing_window_is_completed_and_ollama_is_told_the_same(more, info):
    result = merged(ENTRY.format(params=PARAMS, more=more), (OLLAMA,), "")
    (entry,) = yaml.safe_load(result.text)["model_list"]
    assert result.completed == ("a",)
    assert entry["model_info"] == info
    assert entry["litellm_params"]["num_ctx"] == 8192
    assert merged(result.text, (OLLAMA,), "").text == result.text


def test_a_num_ctx_that_the_user_chose_is_the_window():
    params = PARAMS.replace("}", ", num_ctx: 2048}")
    result = merged(ENTRY.format(params=params, more=""), (OLLAMA,), "")
    (entry,) = yaml.safe_load(result.text)["model_list"]
    assert entry["model_info"] == {"max_input_tokens": 2048}
    assert entry["litellm_params"]["num_ctx"] == 2048


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            ENTRY.format(params=PARAMS, more="  model_info: {max_input_tokens: 4096}\n"),
            "a: max_input_tokens is 4096, but the window is 8192: left as it is",
        ),
        (
            ENTRY.format(params=PARAMS, more="").replace("ollama_chat/", "openai/"),
            "a: it goes through Ollama's /v1, which cuts longer input silently: use "
            + OLLAMA.route,
        ),
        (
            ENTRY.format(params=f"&p {PARAMS}", more=""),
            "a: an anchor or a merge shares its settings: write max_input_tokens by hand",
        ),
        (
            "x: &x\n  model_info: {id: b}\n" + ENTRY.format(params=PARAMS, more="  <<: *x\n"),
            "a: an anchor or a merge shares its settings: write max_input_tokens by hand",
        ),
    ],
)
def test_what_is_there_is_never_changed_only_told(text, says):
    result = merged(text, (OLLAMA,), "")
    assert result.text == text
    assert result.notes == (says,)


def test_a_name_that_stands_for_another_model_is_not_shared():
    """Else LiteLLM would spread the requests over both, and send local data to a cloud."""
    taken = "model_list:\n" + "".join(
        f"- model_name: {name}\n  litellm_params: {{model: azure/big}}\n"
        for name in ("smollm2", "smollm2-koala")
    )
    result = merged(taken, (OLLAMA,), "")
    assert [entry.name for entry in result.added] == ["smollm2-koala-2"]
    assert result.notes == (
        "smollm2-koala-2: the name smollm2 stands for another model in this file",
    )


def test_the_same_model_on_another_server_shares_the_name():
    text = (
        "model_list:\n- model_name: smollm2\n  litellm_params: "
        "{model: ollama_chat/smollm2, api_base: http://fox:11434}\n"
    )
    assert [entry.name for entry in merged(text, (OLLAMA,), "").added] == ["smollm2"]


@pytest.mark.parametrize(
    "name", ["1:30", "0x1F", "yes", "null", "1e3", "a: b", "a #b", "-", "ü", '"', "'", "{a}", "*a"]
)
@pytest.mark.parametrize("listed", ["", "model_list: [{model_name: a}]\n", "{}\n"])
def test_a_models_name_stays_a_text_whatever_it_looks_like(name, listed):
    entry = ModelEntry(name, f"openai/{name}", "http://fox:8080/v1", "fox", 4096, "x: y\n# z")
    new = yaml.safe_load(merged(listed, (entry,)).text)
    assert new["model_list"][-1] == entry.as_data()
