import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.config.toml_files import get_value, remove_value, set_value
from spadework.errors import ConfigError

KEYS = ("embedded", "model")

COMMENTED = """\
# my config
roots = ["~/work"]   # everything

[embedded]  # the small one
context = 1024 # enough
model = 'old.gguf'   # a toy

[backends.koala]
kind = "ollama"
url  = "http://koala"
"""


def test_only_the_value_changes_and_every_comment_stays(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(COMMENTED)
    set_value(file, KEYS, "/m/new.gguf")
    assert file.read_text() == COMMENTED.replace("'old.gguf'", '"/m/new.gguf"')


def test_a_missing_file_is_made_with_its_folders_for_the_user_alone(tmp_path):
    file = tmp_path / "deep" / "config.toml"
    set_value(file, KEYS, "/m/new.gguf")
    assert tomllib.loads(file.read_text()) == {"embedded": {"model": "/m/new.gguf"}}
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "embedded.context = 1024\n",
        "embedded = {context = 1024}\n",
        "[embedded]\r\ncontext = 1024\r\n",
        "[embedded]\ncontext = 1024\n[tools]\n",
        "\ufeff[embedded]\ncontext = 1024",
    ],
    ids=["dotted", "inline", "windows", "crowded", "byte order mark"],
)
def test_a_table_is_extended_however_it_is_written(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode())
    set_value(file, KEYS, "m.gguf")
    assert tomllib.loads(file.read_bytes().decode())["embedded"] == {
        "context": 1024,
        "model": "m.gguf",
    }


def test_what_the_file_was_stands_beside_it(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(COMMENTED)
    remove_value(file, KEYS)
    assert (tmp_path / "config.toml.bak").read_text() == COMMENTED
    assert get_value(file, KEYS) is None


def test_no_change_writes_nothing(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(COMMENTED)
    set_value(file, KEYS, "old.gguf")
    remove_value(file, ("embedded", "slots"))
    remove_value(file, ("nothing", "here"))
    remove_value(tmp_path / "absent.toml", KEYS)
    assert file.read_text() == COMMENTED
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_the_mode_is_kept(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(COMMENTED)
    file.chmod(0o640)
    set_value(file, KEYS, "m.gguf")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_symlink_is_followed_and_stays_one(tmp_path):
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "spadework.toml").write_text(COMMENTED)
    link = tmp_path / "config.toml"
    link.symlink_to(dotfiles / "spadework.toml")
    set_value(link, KEYS, "m.gguf")
    assert link.is_symlink()
    assert get_value(dotfiles / "spadework.toml", KEYS) == "m.gguf"
    assert [path.name for path in dotfiles.iterdir()] == ["spadework.toml"]


@pytest.mark.parametrize(
    "edit", [lambda file: set_value(file, KEYS, "m"), lambda file: remove_value(file, KEYS)]
)
def test_a_symlink_to_nothing_is_refused(tmp_path, edit):
    link = tmp_path / "config.toml"
    link.symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"symlink to .*gone\.toml, which is not there"):
        edit(link)
    assert link.is_symlink()
    assert not (tmp_path / "gone.toml").exists()


def test_a_file_that_is_no_toml_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("[embedded\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        set_value(file, KEYS, "m.gguf")
    assert file.read_text() == "[embedded\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("text", ["embedded = 3\n", "embedded = [1]\n", "[[embedded]]\n"])
def test_what_is_no_table_cannot_hold_the_key(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="'embedded' is not a table"):
        set_value(file, KEYS, "m.gguf")
    assert file.read_text() == text


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abz_-. ", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    document=st.dictionaries(st.text("abz_-. ", min_size=1, max_size=4), VALUES, max_size=4),
    model=st.text(max_size=12),
)
def test_every_other_key_keeps_its_value(tmp_path_factory, document, model):
    import tomlkit  # noqa: PLC0415 - to write what is tested

    file = tmp_path_factory.mktemp("config") / "config.toml"
    file.write_text(tomlkit.dumps(document), encoding="utf-8", newline="")
    set_value(file, KEYS, model)
    assert tomllib.loads(file.read_bytes().decode()) == {**document, "embedded": {"model": model}}
    remove_value(file, KEYS)
    assert tomllib.loads(file.read_bytes().decode()) == {**document, "embedded": {}}


def test_no_earlier_backup_of_a_hand_written_config_is_overwritten(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("# by hand\nroots = []\n")
    first = set_value(file, ("embedded", "slots"), 3)
    second = set_value(file, ("embedded", "slots"), 4)
    assert (first, second) == (tmp_path / "config.toml.bak", tmp_path / "config.toml.bak.1")
    assert first.read_text() == "# by hand\nroots = []\n"
    assert "slots = 3" in second.read_text()
    file.write_text(first.read_text())
    assert set_value(file, ("embedded", "slots"), 5) == first  # has this very content already
    assert len(list(tmp_path.iterdir())) == 3
