import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from configuration_page import example as complete_example
from spadework.config.loader import load_config
from spadework.config.models import Config
from spadework.config.project_file import load_project_tools
from spadework.errors import ConfigError

CANARY = "hunter2"
VALID = complete_example()
PROJECT = """\
[tools.notes]
use_for = "notes"
labels = ["a", "b"]
[tools.more]
use_for = '''
x
'''
"""
PYDANTIC = re.compile(r"Input should|_forbidden|validation error|pydantic|type=|Value error")
PIECES = st.sampled_from(
    [
        "=", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "#", "\n", "\r", ",", ".",
        "\\", " = 3\n", "x = 1\n", "[tools]\n", "[[tools]]\n", "true", "inf", "1979-05-27", "-1",
        "\x00", "\ufeff", "\u202e", "é", "kind", "api_key", "\nroots = 3\n", '"koala/x"', "sk-",
    ]
)  # fmt: skip


@st.composite
def mutated(draw, text):
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.sampled_from([0, 0, 1, 2, 5, 20, 200])))
        text = text[:at] + draw(st.one_of(PIECES, st.text(max_size=4), st.just(""))) + text[to:]
    return text


@st.composite
def shuffled(draw, text):
    """The same lines in another order, some of them lost, some twice."""
    lines = text.split("\n")
    return "\n".join(draw(st.lists(st.sampled_from(lines), max_size=40)))


def check_error(error, file, content):
    lines = content.count(b"\n") + 1
    for problem in error.problems:
        message = str(problem)
        assert message.startswith(f"{file}:")
        line = re.match(r"(\d+)[: ]", message.removeprefix(f"{file}:"))
        assert line, message
        assert 1 <= int(line[1]) <= lines
        assert message.isprintable()
        assert CANARY not in message + problem.hint
        assert not PYDANTIC.search(message + problem.hint)
    assert str(error).startswith(str(error.problems[0]))


@st.composite
def with_a_secret(draw, text):
    """A document that holds a key under a name that says so, well written or not."""
    name = draw(st.sampled_from(["api_key", "password", "access-token", '"my secret"']))
    value = draw(st.one_of(st.just(f' = "{CANARY}"'), mutated(f' = "{CANARY}" # c\n')))
    lines = draw(st.one_of(st.just(text), shuffled(text))).split("\n")
    at = draw(st.integers(0, len(lines)))
    return "\n".join([*lines[:at], name + value, *lines[at:]])


anything_goes = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@anything_goes
@given(st.one_of(mutated(VALID), shuffled(VALID), with_a_secret(VALID)))
@example("")
@example(f"[backends]\napi_key = '{CANARY}'")
def test_a_mutated_config_loads_or_names_its_file_and_a_line_that_is_there(tmp_path, text):
    file = tmp_path / "config.toml"
    content = text.encode("utf-8", "surrogatepass")
    file.write_bytes(content)
    try:
        load_config(file)
    except ConfigError as error:
        check_error(error, file, content)


@anything_goes
@given(st.one_of(mutated(PROJECT), shuffled(PROJECT), with_a_secret(PROJECT)))
def test_a_mutated_project_file_does_too(tmp_path, text):
    file = tmp_path / ".spadework.toml"
    content = text.encode("utf-8", "surrogatepass")
    file.write_bytes(content)
    try:
        load_project_tools(tmp_path, Config())
    except ConfigError as error:
        check_error(error, file, content)


@anything_goes
@given(st.binary(max_size=60))
def test_any_bytes_do_too(tmp_path, content):
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    try:
        load_config(file)
    except ConfigError as error:
        check_error(error, file, content)


def test_the_complete_example_is_valid_before_it_is_mutated(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(VALID)
    assert load_config(file).config.backends
