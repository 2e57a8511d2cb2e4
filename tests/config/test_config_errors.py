import re

import pytest

from spadework.config.loader import load_config
from spadework.errors import ConfigError

KOALA = '[backends.koala]\nkind = "litellm"\nurl = "http://koala:4000"\n'
TOOL = '[tools.x]\nuse_for = "y"\n'
KINDS = "'openai', 'litellm', 'ollama', 'llama-swap'"
NO_SECRETS = "keys do not belong into this file; use api_key_env or api_key_file"
SUBSCRIPTION = "CLAUDE_CODE_OAUTH_TOKEN holds the token of a subscription, which is never used"
CHOICE = f"expected one of {KINDS}, got"
NAMES = "is not a valid name: use 1 to 64 letters, digits, '-' and '_'"

# The file, the line of the error, what it says after the line.
WRONG = [
    # unknown keys, and the nearest one
    ("root = []", 1, "root: unknown key; did you mean 'roots'?"),
    ("zzz = []", 1, "zzz: unknown key"),
    (
        f"{KOALA}api_kye_env = 'X'",
        4,
        "backends.koala.api_kye_env: unknown key; did you mean 'api_key_env'?",
    ),
    (
        f'{TOOL}"max token" = 3',
        3,
        "tools.x.'max token': unknown key; did you mean 'max_tokens'?",
    ),
    (
        "[embeded]\ncontext = 4096",
        1,
        "embeded: unknown key; did you mean 'embedded'?",
    ),
    ("\n\n[koala]\nkind='ollama'", 3, "koala: unknown key"),
    # missing keys stand where their table does
    ("# x\n[backends.a]\nkind = 'ollama'", 2, "backends.a.url: is missing; expected a string"),
    ("[tools.x]\nmodels = []", 1, "tools.x.use_for: is missing; expected a string"),
    # wrong types
    (
        f"{TOOL}max_tokens = 'abc'",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got the string 'abc'",
    ),
    (
        f"{TOOL}max_tokens = '12'",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got the string '12'",
    ),
    (
        f"{TOOL}max_tokens = true",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got true",
    ),
    (
        f"{TOOL}max_tokens = 1.5",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got 1.5",
    ),
    (
        f"{TOOL}max_tokens = -1",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got -1",
    ),
    (
        f"{TOOL}max_tokens = []",
        3,
        "tools.x.max_tokens: expected an integer greater than 0, got a list",
    ),
    (f"{TOOL}temperature = 3", 3, "tools.x.temperature: expected a number from 0 to 2, got 3"),
    (f"{TOOL}timeout = inf", 3, "tools.x.timeout: expected a number greater than 0, got inf"),
    (f"{TOOL}timeout = nan", 3, "tools.x.timeout: expected a number greater than 0, got nan"),
    (
        f"{TOOL}timeout = 0x{'f' * 5000}",
        3,
        "tools.x.timeout: value out of range: a number with too many digits",
    ),
    (f"{TOOL}system = 1979-05-27", 3, "tools.x.system: expected a string, got a date or time"),
    (f"{TOOL}system = {{ a = 1 }}", 3, "tools.x.system: expected a string, got a table"),
    (
        f"{TOOL}models = 'koala/x'",
        3,
        "tools.x.models: expected a list of strings, got the string 'koala/x'",
    ),
    (
        f"{TOOL}models = [\n  'embedded/x',\n  3,\n]",
        5,
        "tools.x.models[1]: expected a string, got 3",
    ),
    (f"{TOOL}parameters = {{ a = 1 }}", 3, "tools.x.parameters.a: expected a string, got 1"),
    ("tools = 3", 1, "tools: expected a table of tables, got 3"),
    ("tools.x = 3", 1, "tools.x: expected a table, got 3"),
    ("[[backends]]\nurl = 'x'", 1, "backends: expected a table of tables, got a list"),
    ("roots = 'x'", 1, "roots: expected a list of paths, got the string 'x'"),
    ("roots = [1]", 1, "roots[0]: expected a path, got 1"),
    ("[embedded]\nslots = 65", 2, "embedded.slots: expected an integer from 1 to 64, got 65"),
    (
        "[embedded]\ncontext = 3",
        2,
        "embedded.context: expected an integer of 512 or more, got 3",
    ),
    (
        f"{KOALA}windows = {{ a = 1,\n b = 0 }}".replace("\n b", " b"),
        4,
        "backends.koala.windows.b: expected an integer greater than 0, got 0",
    ),
    # values of a few
    (
        KOALA.replace("litellm", "olama"),
        2,
        f"backends.koala.kind: {CHOICE} the string 'olama'; did you mean 'ollama'?",
    ),
    (
        f"{KOALA}trust = 'no'",
        4,
        "backends.koala.trust: expected one of 'local', 'cloud', got the string 'no'",
    ),
    # addresses, paths, names
    (KOALA.replace("http://", ""), 3, "backends.koala.url: is not an http:// or https:// URL"),
    (KOALA.replace(":4000", ":99999"), 3, "backends.koala.url: is not an http:// or https:// URL"),
    (KOALA.replace("koala:", "[::1:"), 3, "backends.koala.url: is not an http:// or https:// URL"),
    (
        KOALA.replace("koala:4", "ko ala:4"),
        3,
        "backends.koala.url: is not an http:// or https:// URL",
    ),
    ("[embedded]\nmodel = ''", 2, "embedded.model: is not a valid path"),
    ('[embedded]\nmodel = "a\\u0000b"', 2, "embedded.model: is not a valid path"),
    ("roots = ['~nobody-here/x']", 1, "roots[0]: no home folder for '~nobody-here'"),
    ("[backends.'a b']\nkind = 'ollama'\nurl = 'http://x'", 1, f"backends.'a b': {NAMES}"),
    ("[tools.'']\nuse_for = 'x'", 1, f"tools.'': {NAMES}"),
    (
        "[backends.embedded]\nkind = 'ollama'\nurl = 'http://x'",
        1,
        "backends.embedded: is the name of the embedded engine; choose another",
    ),
    (
        "[tools.list_available_local_models]\nuse_for = 'x'",
        1,
        "tools.list_available_local_models: is a tool of Spadework's own; choose another name",
    ),
    # tools
    (f"{TOOL}models = ['llama3']", 3, "tools.x.models[0]: 'llama3' is not written backend/model"),
    (
        f"{KOALA}{TOOL}models = [\n'koala/a',\n'kola/b']",
        8,
        "tools.x.models[1]: unknown backend 'kola'; did you mean 'koala'?",
    ),
    (f"{TOOL}models = ['other/b']", 3, "tools.x.models[0]: unknown backend 'other'"),
    (f"{TOOL}template = '{{y}}'", 3, "tools.x.template: {y} is none of its parameters"),
    (
        f"{TOOL}labels = ['a', 'A ']",
        3,
        "tools.x.labels: must differ from each other and may not be empty",
    ),
    (
        f"{TOOL}parameters = {{}}",
        3,
        "tools.x.parameters: at least one must be required (no '?' at its end)",
    ),
    (
        f"{TOOL}[tools.x.parameters]\nfiles = 'x'",
        4,
        "tools.x.parameters.files: every tool has that argument by itself",
    ),
    (
        f"{TOOL}[tools.x.parameters]\nA = 'x'",
        4,
        "tools.x.parameters.A: an argument's name is a-z, 0-9 and '_'",
    ),
    (
        f"{TOOL}[tools.x.parameters]\na = 'x'\n'a?' = 'x'",
        5,
        "tools.x.parameters.'a?': is there twice, with and without '?'",
    ),
    # secrets
    (f"{KOALA}api_key = 'hunter2'", 4, f"backends.koala.api_key: {NO_SECRETS}"),
    (f"{KOALA}token = 'hunter2'", 4, f"backends.koala.token: {NO_SECRETS}"),
    ("password = 'hunter2'", 1, f"password: {NO_SECRETS}"),
    (f"{KOALA}api_key_env = 'sk-hunter2hunter2'", 4, f"backends.koala.api_key_env: {NO_SECRETS}"),
    (f"{TOOL}labels = ['a', 'sk-hunter2hunter2']", 3, f"tools.x.labels[1]: {NO_SECRETS}"),
    (
        f"{KOALA}api_key_env = 'hunter2 hunter2'",
        4,
        "backends.koala.api_key_env: takes the name of an environment variable, not the key itself",
    ),
    (
        f"{KOALA}api_key_env = '{'0123456789abcdef' * 2}'",
        4,
        "backends.koala.api_key_env: takes the name of an environment variable, not the key itself",
    ),
    (
        f"{KOALA}api_key_env = 'CLAUDE_CODE_OAUTH_TOKEN'",
        4,
        f"backends.koala.api_key_env: {SUBSCRIPTION}",
    ),
    (
        KOALA.replace("koala:4", "me:hunter2@koala:4"),
        3,
        "backends.koala.url: is an address only: no user, password, '?' or '#' in it",
    ),
    (
        KOALA.replace("4000", "4000?key=hunter2"),
        3,
        "backends.koala.url: is an address only: no user, password, '?' or '#' in it",
    ),
    # what a terminal would obey, and what fills the screen
    ('"a\\u001b[31m\\u202e" = 1', 1, "'a\\x1b[31m\\u202e': unknown key"),
    (f"roots = '{'y' * 900}'", 1, f"roots: expected a list of paths, got the string '{'y' * 59}…'"),
    # no TOML
    ("roots = x", 1, "not valid TOML: invalid value, in 'roots = x'"),
    (
        "roots = []\nroots = []\n",
        2,
        "not valid TOML: a key or table that is already there, in 'roots = []'",
    ),
    ("[embedded]\n[embedded]", 2, "not valid TOML: a table that is already there, in '[embedded]'"),
    ("roots", 1, "not valid TOML: a key needs '=' and a value, in 'roots'"),
    ("roots = [\n", 1, "not valid TOML: invalid value, in 'roots = ['"),
    ("x = '''\nabc\n\n", 2, "not valid TOML: a text lacks its closing quotes, in 'abc'"),
    ('x = "C:\\models"', 1, "not valid TOML: a backslash in a text, in 'x = \"C:\\\\models\"'"),
    ("api_key = hunter2", 1, "not valid TOML: invalid value"),
    ("password = '''\nhunter2\n", 2, "not valid TOML: a text lacks its closing quotes"),
    ("x = sk-hunter2", 1, "not valid TOML: invalid value, in 'x = ***'"),
    (f"x = {'[' * 5000}", 1, "lists or tables are nested too deeply"),
]


@pytest.mark.parametrize(("text", "line", "says"), WRONG)
def test_a_wrong_config_gives_one_line_that_names_file_line_key_and_reason(
    tmp_path, text, line, says
):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    # The column of a syntax error differs between versions of Python.
    message = re.sub(r":\d+: not valid TOML", ": not valid TOML", str(caught.value))
    assert message == f"{file}:{line}: {says}"
    assert caught.value.problems == (caught.value,)
    assert "hunter2" not in str(caught.value) + caught.value.hint


HINTS = [
    (f"{KOALA}timeout = 3", "timeout belongs into [tools.NAME]"),
    ("kind = 'ollama'", "kind belongs into [backends.NAME]"),
    ("[koala]\nkind = 'ollama'\nurl = 'http://x'", "write [backends.koala]"),
    ("[summary]\nuse_for = 'x'", "write [tools.summary]"),
    (
        "zzz = 1",
        (
            "the top of the file takes: roots, local_models, cloud_models, local_hosts, backends, "
            "tools, projects, embedded, references, ledger, "
            "cache, each, "
            "queue, daemon, http, pipelines, claude_api"
        ),
    ),
    ("[ledger]\nzzz = 1", "[ledger] takes: path"),
    (
        f"{TOOL}max_tokens = 0",
        "The longest answer in tokens, thinking included, unless the call asks for another",
    ),
    ("x = y", 'put text in quotes: key = "text"'),
    (
        "password = 'x'",
        'such as api_key_env = "NAME_OF_A_VARIABLE" under [backends.NAME] of your config',
    ),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_the_hint_says_what_to_do(tmp_path, text, hint):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.hint == hint


def test_a_syntax_error_names_the_column(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("\nroots = x")
    with pytest.raises(ConfigError, match=re.escape(f"{file}:2:9: not valid TOML")):
        load_config(file)


def test_the_first_problem_by_line_speaks_for_all_and_the_others_are_counted(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f"{TOOL}max_tokens = 0\n[embedded]\nslots = 'x'\n{KOALA}api_key = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    problems = [str(problem) for problem in caught.value.problems]
    assert problems == [
        f"{file}:3: tools.x.max_tokens: expected an integer greater than 0, got 0",
        f"{file}:5: embedded.slots: expected an integer from 1 to 64, got the string 'x'",
        f"{file}:9: backends.koala.api_key: {NO_SECRETS}",
    ]
    assert str(caught.value) == f"{problems[0]} (and 2 more)"
    assert caught.value.hint.endswith("; `spadework config check` shows all")


@pytest.mark.parametrize("address", ["foo", ":8765", "koala:", "koala:99999", "a b:1", "::1:80"])
def test_an_address_that_nobody_can_listen_at_is_named(tmp_path, address):
    file = tmp_path / "config.toml"
    file.write_text(f'[http]\nlisten = "{address}"\n')
    with pytest.raises(ConfigError, match=r"config.toml:2: .*http.listen.* is not an address"):
        load_config(file)


@pytest.mark.parametrize("address", ["", "127.0.0.1:8765", "[::1]:0", "koala:80"])
def test_an_address_to_listen_at_is_taken(tmp_path, address):
    file = tmp_path / "config.toml"
    file.write_text(f'[http]\nlisten = "{address}"\n')
    assert load_config(file).config.http.listen == address
