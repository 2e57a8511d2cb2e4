import os
import subprocess
import sys
from pathlib import Path

import pytest

import spadework
from spadework.config.models import EmbeddedConfig
from spadework.embedded.model_file import check_engine, configured_model, name_of, window_of
from spadework.embedded.model_store import (
    find_stored,
    one_fetch_at_a_time,
    remove_stored,
    require_space,
    stored_models,
)
from spadework.errors import EmbeddedError
from spadework.util.paths import models_folder


def place(*parts: str, content: bytes = b"GGUF") -> Path:
    path = models_folder().joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Qwen3-4B-Q4_K_M.gguf", "qwen3-4b-q4_k_m"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4_1"),
        ("My Model (new).gguf", "my-model-new"),
        ("größe/模型.gguf", "model"),
    ],
)
def test_a_model_is_named_after_its_file(file, name):
    assert name_of(Path(file)) == name


def test_without_a_config_it_is_the_demonstration_model_and_says_so():
    model = configured_model(EmbeddedConfig())
    assert (model.name, model.note) == ("smollm2", "embedded demo model")
    assert configured_model(EmbeddedConfig(model=model.path)) == model


def test_another_model_carries_no_note(tmp_path):
    model = configured_model(EmbeddedConfig(model=tmp_path / "Real.gguf"))
    assert (model.name, model.path, model.note) == ("real", tmp_path / "Real.gguf", "")


@pytest.mark.parametrize(
    ("context", "window"), [(4096, (2048, "model file")), (2048, (2048, "config"))]
)
def test_the_window_is_never_more_than_the_model_was_trained_for(make_gguf, context, window):
    path = make_gguf(llama__context_length=2048)
    config = EmbeddedConfig(model=path, context=context)
    assert window_of(configured_model(config), config) == window


def test_a_missing_engine_says_how_each_installer_gets_it():
    script = (
        "from spadework.embedded.model_file import check_engine\n"
        "try: check_engine()\n"
        "except Exception as error: print(error, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],  # -S: no site-packages, so no xllamacpp
        env={**os.environ, "PYTHONPATH": str(Path(spadework.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the embedded engine is not installed (xllamacpp is missing)" in done.stdout
    for command in ("pipx install --force", "uv tool install", "pip install"):
        assert command in done.stdout
    check_engine()  # and here it is


def test_models_are_listed_by_place_and_found_by_name_or_place():
    place("smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    big = place("owner", "repo", "Big.gguf", content=b"GGUF" * 10)
    place("owner", "repo", ".Big.gguf.0123.partial")
    assert [(model.name, model.size) for model in stored_models()] == [("big", 40), ("smollm2", 4)]
    assert find_stored("big").path == find_stored("owner/repo/Big.gguf").path == big


def test_a_name_that_two_models_have_asks_which():
    place("a", "one", "Same.gguf")
    place("b", "two", "Same.gguf")
    with pytest.raises(EmbeddedError, match="more than one model is named 'same'") as caught:
        find_stored("same")
    assert "a/one/Same.gguf, b/two/Same.gguf" in caught.value.hint


def test_an_unknown_name_says_what_there_is():
    place("a", "one", "Some.gguf")
    with pytest.raises(EmbeddedError, match="no model 'other'") as caught:
        find_stored("other")
    assert "some" in caught.value.hint


def test_removing_a_model_takes_the_empty_folders_along_and_nothing_else():
    place("owner", "one", "A.gguf")
    kept = place("owner", "two", "B.gguf")
    remove_stored(find_stored("a"))
    assert sorted(models_folder().rglob("*")) == [kept.parents[1], kept.parent, kept]


def test_no_room_says_how_much_is_needed_and_how_much_is_free():
    models_folder().mkdir(parents=True)
    with pytest.raises(EmbeddedError, match=r"no room in .*: 1,000,\d\d\d,\d\d\d MB are needed"):
        require_space(10**15)
    require_space(1)


def test_a_models_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(EmbeddedError, match=r"the models folder .* cannot be written"):
        one_fetch_at_a_time(None).__enter__()


def test_what_a_killed_fetch_left_is_cleared_by_the_next():
    left = place(".fetching-dead", "half.gguf")
    with one_fetch_at_a_time(None) as scratch:
        assert not left.parent.exists()
        (scratch / "half.gguf").write_bytes(b"half")
    assert [path.name for path in models_folder().iterdir()] == [".lock"]


def test_a_second_fetch_waits_for_the_first_and_says_so():
    script = (
        "import sys\nfrom spadework.embedded.model_store import one_fetch_at_a_time\n"
        "with one_fetch_at_a_time(sys.stderr): print('mine', flush=True)\n"
    )
    with one_fetch_at_a_time(None):
        second = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        waiting = second.stderr.readline()
        assert "another process is fetching a model; waiting for it" in waiting
        assert second.poll() is None
    out, _ = second.communicate(timeout=20)
    assert out == "mine\n"
