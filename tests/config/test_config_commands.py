import json
import subprocess
import sys

import pytest
from config_texts import KEY, KOALA, NO_SECRETS, WRITE_IT, write

from spadework.config.loader import load_config
from spadework.config.models import EmbeddedConfig
from spadework.embedded.model_file import threads_of

pytestmark = pytest.mark.slow  # it starts a process for each test


def test_path_prints_the_path_alone(run, config_file):
    code, out, err = run("config", "path")
    assert (code, out) == (0, f"{config_file}\n")
    assert "spadework config init" in err
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
    assert rows["backends.koala.trust"] == "\tdefault"  # judged for each model
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
    code, out, err = run("config", "show", SPADEWORK_CONFIG="", XDG_CONFIG_HOME=str(home / "x"))
    assert code == 0
    assert "tools.ask_local_llama.max_tokens\t1024\tdefault\n" in out
    assert "does not exist, so the defaults apply" in err


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
    ok = f"ok: {config_file}: 1 backend, 2 tools\n"
    assert run("config", "check", "--offline") == (0, ok, "")
    note = "note: backends.koala did not list its models, so their trust is unknown\n"
    assert run("config", "check") == (0, ok, note)


def test_check_without_a_file_says_so(run, home):
    code, out, _ = run("config", "check", SPADEWORK_CONFIG="", XDG_CONFIG_HOME=str(home / "x"))
    assert code == 0
    assert "does not exist, the defaults apply: 0 backends, 2 tools" in out


def test_check_tells_every_problem_and_exits_with_2(run, config_file):
    write(config_file, f"rots = []\n[embedded]\nslots = 0\n{KOALA}password = 'hunter2'\n")
    code, out, err = run("config", "check")
    assert code == 2
    assert err == ""
    assert [line for line in out.splitlines() if line.startswith("error: ")] == [
        f"error: {config_file}:1: rots: unknown key; did you mean 'roots'?",
        f"error: {config_file}:3: embedded.slots: expected an integer from 1 to 64, got 0",
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
    assert f"{home / 'nope'}: no such file" in out


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
    file = write(home / ".spadework.toml", "[tools.notes]\nuse_for = 'x'\nmodels = ['koala/a']\n")
    assert run("config", "check", ".spadework.toml")[:2] == (
        0,
        "ok: .spadework.toml: 1 tool for this project\n",
    )
    write(file, "roots = ['/']")
    code, out, _ = run("config", "check", str(file))
    assert code == 2
    assert f"error: {file}:1: roots: a project's file may add tools and say" in out


def test_a_wrong_config_is_one_line_and_a_hint_in_every_command(run, config_file):
    write(config_file, f"{KOALA}api_key = 'hunter2'\n")
    for command in (["config", "show"], ["config", "show", "--json"], ["models"]):
        code, out, err = run(*command)
        assert (code, out) == (2, ""), command
        assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]


def heavy_modules_of(code, environ):
    program = f"""
import contextlib, io, sys
before = set(sys.modules)
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {code}
heavy = {{"pydantic", "tomlkit", "httpx", "asyncio", "platformdirs", "rich", "tomllib"}}
heavy |= {{"spadework.cli.config", "spadework.cli.config_init"}}
print(*sorted(heavy & (set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_help_of_the_group_imports_nothing_heavy(environ):
    shown = "sys.argv = ['spadework', 'config', '--help']; from spadework.cli import main; main()"
    # typer itself reads the options through pydantic.
    assert heavy_modules_of(shown, environ) <= {"pydantic"}
    alone = heavy_modules_of("import spadework.cli.config", environ)
    assert alone <= {"spadework.cli.config", "tomllib"}
