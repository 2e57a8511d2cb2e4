import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.embedded.model_file import trained_context
from spadework.errors import EmbeddedError


def test_the_trained_window_is_found_behind_texts_numbers_and_lists(make_gguf):
    path = make_gguf(
        general__architecture="llama",
        tokenizer__tokens=["<s>", "", "größe"],
        tokenizer__types=[1, 2, 3],
        llama__rope__original_context_length=512,
        llama__context_length=8192,
    )
    assert trained_context(path) == 8192


@pytest.mark.parametrize("entries", [{}, {"llama__context_length": 0}])
def test_a_file_that_tells_no_window_gives_none(make_gguf, entries):
    assert trained_context(make_gguf(general__architecture="llama", **entries)) is None


def test_the_real_model_tells_its_window(demo_model):
    assert trained_context(demo_model) == 8192


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(EmbeddedError, match=r"none\.gguf cannot be read: No such file") as caught:
        trained_context(tmp_path / "none.gguf")
    assert "spadework embedded install" in caught.value.hint
    assert "spadework embedded pull OWNER/REPO FILE" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04", b"<!doctype html>"])
def test_what_is_no_gguf_file_is_named_so(tmp_path, content):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(EmbeddedError, match="is not a GGUF file: it begins with"):
        trained_context(path)


@pytest.mark.parametrize("version", [0, 1, 4, 2_483_315_141])
def test_a_version_that_nobody_knows_is_a_broken_head(make_gguf, version):
    with pytest.raises(EmbeddedError, match="is corrupt: its head cannot be read"):
        trained_context(make_gguf(version=version))


def test_a_head_that_was_cut_off_is_broken_at_every_length(make_gguf):
    whole = make_gguf(tokens=["a", "b"], numbers=[1, 2], llama__context_length=512)
    content = whole.read_bytes()
    for length in range(4, len(content)):
        whole.write_bytes(content[:length])
        with pytest.raises(EmbeddedError, match="corrupt"):
            trained_context(whole)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    for head in (b"GGUF\x03\0\0\0", b"GGUF\x03\0\0\0" + bytes(8) + b"\xff" * 8):
        path.write_bytes(head + content)
        try:
            window = trained_context(path)
        except EmbeddedError:
            continue
        assert window is None or window > 0
