"""What goes over the wire comes out the same at the other end, and what is wrong is told."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework import errors
from spadework.backends.base import ModelInfo
from spadework.engine.job import Answer, Attempt, Figures, HandBack, Job, Progress, Session
from spadework.engine.model_inventory import ModelInventory
from spadework.errors import BackendError, ConfigError, ReferenceRefused, SpadeworkError
from spadework.remote import messages
from spadework.util.serialization import MalformedData, decode, encode

load_job = partial(decode, Job, where="job")
load_progress = partial(decode, Progress, where="progress")
load_inventory = partial(decode, ModelInventory, where="survey")

# File names that are no UTF-8 come as lone surrogates.
TEXT = st.text(st.characters(exclude_categories=[]))
COUNT = st.none() | st.integers(0, 2**60)
SECONDS = st.none() | st.floats(0, 1e9)
TRIES = st.lists(st.builds(Attempt, TEXT, TEXT, TEXT, TEXT, st.booleans()), max_size=3).map(tuple)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
FIGURES = st.builds(
    Figures, COUNT, COUNT, SECONDS, SECONDS, st.floats(0, 1e9), st.integers(0), st.integers(0)
)
JOBS = st.builds(
    Job,
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.dictionaries(TEXT, TEXT, max_size=3),
    TEXTS,
    st.sampled_from(["interactive", "batch"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    files=TEXTS,
    max_tokens=COUNT,
    labels=TEXTS,
    schema=st.none() | st.dictionaries(TEXT, VALUES, max_size=3),
)
FOLDERS = TEXT.map(lambda name: Path("/") / name)
SESSIONS = st.builds(Session, FOLDERS, st.lists(FOLDERS, max_size=3).map(tuple), TEXT, run=TEXT)
STAGES = st.sampled_from(["reading", "away", "asking", "answering", "next-model"])
STEPS = st.builds(Progress, STAGES, TEXT, st.integers(0))
OUTCOMES = st.builds(
    Answer, TEXT, TEXT, FIGURES, TRIES, TEXTS, VALUES, SECONDS, st.booleans(), TEXTS
) | st.builds(HandBack, TEXT, TRIES, FIGURES, TEXT)
MODELS = st.builds(ModelInfo, TEXT, TEXT, COUNT, TEXT, st.none() | st.booleans(), TEXT)
SURVEYS = st.builds(
    ModelInventory,
    st.lists(MODELS, max_size=3).map(tuple),
    TRIES,
    st.dictionaries(TEXT, TEXTS, max_size=3),
)


def over_the_wire(data):
    """One line, as the socket carries it."""
    line = messages.line_of({"it": data})
    assert line.count(b"\n") == 1
    return messages.load_message(line.rstrip(b"\n"))["it"]


@given(JOBS)
def test_a_job_arrives_as_it_was(job):
    assert load_job(over_the_wire(encode(job))) == job


@given(SESSIONS, st.dictionaries(TEXT, TEXT, max_size=2))
def test_a_session_arrives_as_it_was_but_its_keys_go_another_way(session, keys):
    data = messages.session_data(replace(session, keys={"KEY": "it-is-secret"}))
    assert "it-is-secret" not in json.dumps(data)
    assert messages.load_session(over_the_wire(data), keys) == replace(session, keys=keys)


def test_a_session_of_an_older_version_has_no_run():
    data = messages.session_data(Session(Path("/p"), run="run-1"))
    del data["run"]
    assert messages.load_session(data, {}).run == ""


@given(STEPS)
def test_a_step_arrives_as_it_was(step):
    assert load_progress(over_the_wire(encode(step))) == step


@given(OUTCOMES)
def test_an_outcome_arrives_as_it_was(outcome):
    assert messages.load_outcome(over_the_wire(messages.outcome_data(outcome))) == outcome


@given(SURVEYS)
def test_a_survey_arrives_as_it_was(survey):
    assert load_inventory(over_the_wire(encode(survey))) == survey


def every_class(kind=SpadeworkError):
    for one in kind.__subclasses__():
        yield one
        yield from every_class(one)


@st.composite
def raised(draw):
    """An error of any class of the tree."""
    kind = draw(st.sampled_from([SpadeworkError, *every_class()]))
    more = {"hint": draw(TEXT)}
    if issubclass(kind, ReferenceRefused):
        return kind(draw(TEXT), draw(TEXT), draw(TEXT), draw(TEXT), **more)
    if issubclass(kind, errors.SecretRefused):
        return kind(draw(TEXT), draw(st.integers(1, 9)), draw(TEXT))
    if issubclass(kind, errors.CheckFailed):
        return kind(draw(TEXT), draw(TEXT), **more)
    if issubclass(kind, BackendError):
        more |= {"backend": draw(TEXT), "model": draw(TEXT)}
    if issubclass(kind, errors.ContextExceeded):
        more |= {"tokens": draw(COUNT), "window": draw(COUNT)}
    if issubclass(kind, errors.Overloaded):
        more |= {"retry_after": draw(SECONDS)}
    if issubclass(kind, errors.HandedBack):
        more |= {"tries": draw(TEXTS)}
    if issubclass(kind, ConfigError):
        more |= {"problems": tuple(map(ConfigError, draw(TEXTS)))}
    return kind(draw(TEXT), **more)


@given(raised())
def test_an_error_is_raised_as_it_was_with_all_that_it_holds(error):
    again = messages.load_error(over_the_wire(messages.error_data(error)))
    assert described(again) == described(error)


def described(error):
    held = dict(vars(error))
    problems = [described(one) for one in held.pop("problems", ()) if one is not error]
    return type(error), str(error), held, problems


def test_an_error_of_a_newer_version_is_one_of_ours():
    error = messages.load_error(
        {"kind": "TooHot", "message": "the card is too hot", "hint": "wait"}
    )
    assert (type(error), str(error), error.hint) == (SpadeworkError, "the card is too hot", "wait")


@pytest.mark.parametrize("kind", ["annotations", "Exception", "__name__"])
def test_only_the_tree_of_errors_is_raised(kind):
    assert type(messages.load_error({"kind": kind, "message": "x"})) is SpadeworkError


def test_an_error_of_an_older_version_lacks_no_attribute():
    error = messages.load_error({"kind": "ReferenceRefused", "message": "x"})
    assert (error.reference, error.path, error.rule) == ("", "", "")


def test_what_a_newer_version_says_besides_is_left_out():
    assert load_job({"tool": "t", "arguments": {}, "colour": "red"}) == Job("t", {})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "job: expected dict, got NoneType"),
        ([], "job: expected dict, got list"),
        ({"arguments": {}}, "job.tool is missing"),
        ({"tool": 1, "arguments": {}}, "job.tool: expected str, got int"),
        ({"tool": "t", "arguments": {"task": 1}}, "job.arguments['task']: expected str, got int"),
        ({"tool": "t", "arguments": {}, "files": "a.md"}, "job.files: expected list, got str"),
        ({"tool": "t", "arguments": {}, "files": [{}]}, "job.files[0]: expected str, got dict"),
        (
            {"tool": "t", "arguments": {}, "max_tokens": True},
            "job.max_tokens: expected int, got bool",
        ),
        (
            {"tool": "t", "arguments": {}, "kind": "x"},
            "job.kind: expected one of interactive, batch",
        ),
        (
            {"tool": "t", "arguments": {}, "kind": []},
            "job.kind: expected one of interactive, batch",
        ),
    ],
)
def test_what_is_wrong_with_a_job_is_told_by_its_place(data, said):
    with pytest.raises(MalformedData) as raised:
        load_job(data)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    "data",
    [{"project": "docs"}, {"project": "/", "roots": ["docs"]}, {"roots": []}, {"project": None}],
)
def test_a_session_names_whole_folders(data):
    with pytest.raises(MalformedData, match="session"):
        messages.load_session(data, {})


def test_relative_folders_are_made_whole_before_they_travel(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = messages.session_data(Session(Path("a"), (Path("b"),)))
    assert (data["project"], data["roots"]) == (str(tmp_path / "a"), [str(tmp_path / "b")])


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"1", b"\xff", b'"x"', b"[" * 100_000, b"1" * 5000, b"{'a': 1}"],
)
def test_a_line_that_is_no_message_is_told(line):
    with pytest.raises(MalformedData):
        messages.load_message(line)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_line_is_understood_or_told_and_never_a_traceback(line):
    readers = [
        load_job,
        load_progress,
        messages.load_outcome,
        load_inventory,
        messages.load_error,
        lambda data: messages.load_session(data, {}),
    ]
    for read in readers:
        with pytest.raises(MalformedData):
            read(messages.load_message(line))


def test_any_mapping_may_hold_arguments():
    job = Job("t", MappingProxyType({"task": "x"}))
    assert load_job(encode(job)).arguments == {"task": "x"}


@pytest.mark.parametrize("odd", [object(), {1: "a"}, b"bytes"])
def test_what_has_no_place_in_a_message_is_a_mistake_of_ours(odd):
    with pytest.raises(TypeError):
        encode(odd)
