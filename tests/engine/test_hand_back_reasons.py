"""Every reason for a hand-back is in one table: its code, what it means, and where it arises."""

import ast
from pathlib import Path

import pytest

import spadework
from spadework import errors
from spadework.engine.hand_back_reasons import REASONS
from spadework.engine.job import Attempt

SOURCE = Path(spadework.__file__).parent
ERRORS = [
    one
    for one in vars(errors).values()
    if isinstance(one, type)
    and issubclass(one, errors.SpadeworkError)
    and one.retry_on_next_model
    and one is not errors.BackendError  # only its subclasses are raised by the engine
]
NAMES = {one.code: one.__name__ for one in ERRORS}
NOT_ASKED = {"private-refused", "trust-refused", "secret-refused"}


def test_every_error_after_which_the_next_model_is_asked_is_a_reason():
    assert len(NAMES) == len(ERRORS) > 10
    assert REASONS.keys() - NAMES.keys() == {"no-model", "too-many-parts", "too-long"}
    assert NAMES.keys() <= REASONS.keys()


@pytest.mark.parametrize("reason", REASONS.values(), ids=str)
def test_a_reason_arises_where_the_table_says(reason):
    name = NAMES.get(reason.code, reason.code.upper().replace("-", "_"))
    for path in reason.arises_in:
        place = SOURCE / path
        files = place.rglob("*.py") if place.is_dir() else [place]
        assert any(name in file.read_text("utf-8") for file in files), path


def made_in(file):
    """The names of the errors that a file makes, by calling the class or handing it on."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = [node.func, *node.args]
            names = {one.id for one in called if isinstance(one, ast.Name)}
            if "isinstance" not in names:
                yield from names


def test_a_reason_arises_nowhere_else():
    codes = {name: code for code, name in NAMES.items()}
    folders = ("backends", "checks", "engine", "references")
    files = [file for folder in folders for file in (SOURCE / folder).rglob("*.py")]
    made = {
        (codes[name], file.relative_to(SOURCE).as_posix())
        for file in files
        for name in made_in(file)
        if name in codes
    }
    assert len(made) > 20
    assert not [(code, path) for code, path in made if not path.startswith(REASONS[code].arises_in)]


def test_an_attempt_keeps_the_code_and_without_words_the_meaning():
    failure = errors.ServerFailed("the server failed (500)", backend="koala", model="llama")
    attempt = Attempt.failed("koala/llama", failure)
    assert (attempt.code, attempt.was_asked) == ("server-failed", True)
    assert str(attempt) == "koala/llama: the server failed (500)"
    assert attempt.without_words == "koala/llama: the server failed"


def test_models_that_may_not_have_a_job_were_not_asked():
    codes = {code for code in REASONS if not Attempt("koala/llama", code, "").was_asked}
    assert codes == NOT_ASKED
    assert Attempt("koala/llama", "of-a-later-version", "").was_asked
