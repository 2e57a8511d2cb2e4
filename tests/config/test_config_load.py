import os
import subprocess
import sys
from pathlib import Path

import pytest

from spadework.config.loader import load_config
from spadework.config.models import DEFAULT_TOOLS, Config
from spadework.errors import ConfigError

KOALA = '[backends.koala]\nkind = "litellm"\nurl = "http://koala:4000/"\n'


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    monkeypatch.setenv("SPADEWORK_CONFIG", str(file))
    return file


def test_without_a_file_the_defaults_apply(tmp_path, monkeypatch):
    monkeypatch.delenv("SPADEWORK_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = load_config()
    assert not loaded.exists
    assert loaded.config == Config()
    assert loaded.path.is_relative_to(tmp_path)
    assert loaded.path.name == "config.toml"


def test_the_platforms_file_is_read_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.delenv("SPADEWORK_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    file = load_config().path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(KOALA)
    loaded = load_config()
    assert loaded.exists
    assert loaded.config.backends["koala"].url == "http://koala:4000"


def test_the_file_given_counts_more_than_the_one_in_the_environment(config_file, tmp_path):
    config_file.write_text("")
    other = tmp_path / "other.toml"
    other.write_text(KOALA)
    assert load_config(other).path == other
    assert load_config(other).config.backends
    assert not load_config().config.backends


@pytest.mark.parametrize("given", ["argument", "variable"])
def test_a_file_that_is_named_must_exist(config_file, given):
    with pytest.raises(ConfigError, match=": no such file") as caught:
        load_config(config_file if given == "argument" else None)
    assert str(config_file) in str(caught.value)
    assert "spadework config init" in caught.value.hint


def test_an_empty_file_is_a_config(config_file):
    config_file.write_bytes(b"")
    assert load_config().config == Config()


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf# bom\nroots = []\n", b"roots = []\r\n# crlf\r\n"]
)
def test_windows_editors_may_have_written_the_file(config_file, content):
    config_file.write_bytes(content)
    assert load_config().exists


def test_a_relative_path_counts_from_the_folder_of_the_file_and_a_tilde_is_home(
    config_file, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(os.sep)
    config_file.write_text('roots = ["src", "~/notes", "/abs"]\n[ledger]\npath = "l.db"\n')
    config = load_config().config
    assert config.roots == [tmp_path / "src", Path("/home/me/notes"), Path("/abs")]
    assert config.ledger.path == tmp_path / "l.db"


def test_a_relative_config_file_gives_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text('roots = ["src"]')
    loaded = load_config(Path("c.toml"))
    assert loaded.path == tmp_path / "c.toml"
    assert loaded.config.roots == [tmp_path / "src"]


def test_what_is_not_set_of_a_default_tool_stays_as_it_is(config_file):
    config_file.write_text(KOALA + '[tools.ask_coding_model]\nmodels = ["koala/codellama-local"]\n')
    tools = load_config().config.all_tools()
    default = DEFAULT_TOOLS["ask_coding_model"]
    assert tools["ask_coding_model"] == default.model_copy(
        update={"models": ["koala/codellama-local"]}
    )
    assert tools["ask_local_llama"] == DEFAULT_TOOLS["ask_local_llama"]


def test_a_folder_is_no_config_file(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)


def test_a_file_that_may_not_be_read_is_named(config_file):
    config_file.symlink_to(config_file)  # root may read everything, but no loop
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config()
    assert str(config_file) in str(caught.value)


def test_a_file_without_an_end_is_not_read_for_ever():
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        load_config(Path("/dev/zero"))


def test_a_file_that_is_no_utf8_names_the_line(config_file):
    config_file.write_bytes(b"# fine\nroots = ['caf\xe9']\n")
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(caught.value) == f"{config_file}:2: not valid UTF-8"


def test_a_config_from_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = "import sys; open(sys.argv[1], 'w').write('roots = [\"/x\"]')"
    writer = subprocess.Popen([sys.executable, "-c", code, str(pipe)])
    try:
        assert load_config(pipe).config.roots == [Path("/x")]
    finally:
        writer.wait()


def test_loading_is_imported_for_nothing():
    code = """
import sys
before = set(sys.modules)
import spadework.config.loader
heavy = {"pydantic", "pydantic_core", "tomllib", "tomlkit", "platformdirs", "typing_extensions"}
print(sorted(heavy & (set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
