"""Code in an answer parses, or is told of; an answer that is one fence becomes what is in it."""

import os

import pytest

from spadework.checks.answer_check import AnswerRequirements, ValidatedReply
from spadework.checks.code_syntax import check_code
from spadework.errors import CheckFailed

GOOD = {
    "python": "def f(x: int) -> int:\n    return x",
    "py": "    def method(self):\n        pass",
    "json": '{"a": [1, 2]}',
    "yaml": "a:\n  - b\n  - !custom c",
    "toml": '[a]\nb = "c"',
    "bash": "for x in 1 2; do\n  echo $x\ndone",
}
BROKEN = {
    "python": "def f(:\n    return",
    "json": '{"a": 1,}',
    "yaml": "a: [1, 2",
    "toml": "a = ",
    "sh": "if true; then\n  echo",
}


def check(text):
    return check_code(ValidatedReply(text), AnswerRequirements())


@pytest.mark.parametrize(("tag", "code"), GOOD.items())
def test_an_answer_that_is_one_fence_is_unwrapped(tag, code):
    found = check(f"```{tag}\n{code}\n```")
    assert (found.text, found.checks, found.notes) == (code, ("code",), ())


@pytest.mark.parametrize(("tag", "code"), BROKEN.items())
def test_an_answer_that_is_broken_code_fails(tag, code):
    with pytest.raises(CheckFailed, match="does not parse") as caught:
        check(f"```{tag}\n{code}\n```")
    assert caught.value.check == "code"


@pytest.mark.parametrize(("tag", "code"), BROKEN.items())
def test_broken_code_beside_prose_is_told_of(tag, code):
    text = f"First:\n\n```{tag}\n{code}\n```\n\nThat is it."
    found = check(text)
    assert found.text == text
    assert not found.checks
    assert "code block 1 is" in found.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "```\nno language\n```",
        "```rust\nfn main() {\n```",
        "```python\n>>> 1 +\n```",
        '```json\n{"a": 1, ...}\n```',
        "```bash\n$ make test\n(\n```",
        "plain",
        "`a` and ``` are no fences",
        "```python\nnever closed (",
        "```markdown\n# A title\n\n- (\n```",
    ],
)
def test_what_is_no_whole_program_of_a_known_language_is_left_alone(text):
    found = check(text)
    assert (found.checks, found.notes) == ((), ())


def test_a_stray_backslash_and_deep_nesting_are_no_crash():
    assert check('```python\nx = "\\d"\n```').checks
    with pytest.raises(CheckFailed):
        check(f"```python\n{'(' * 5000}\n```")
    with pytest.raises(CheckFailed):
        check(f"```json\n{'[' * 100_000}\n```")


def test_nothing_of_a_shell_block_is_run(tmp_path):
    mark = tmp_path / "ran"
    check(f"```bash\ntouch {mark}; $(touch {mark})\n```")
    assert not mark.exists()


def test_without_bash_a_shell_block_is_marked_as_not_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = check("```bash\necho hello\n```")
    assert found.notes == (
        "code block 1 was not checked: bash is not installed, so it cannot be parsed",
    )
    assert os.environ["PATH"] == str(tmp_path)


@pytest.mark.parametrize("piece", ["[", "[? ", "{a: "])
def test_yaml_of_brackets_in_brackets_is_not_given_to_its_parser(piece):
    """libyaml takes time by the square of them, and lets no other thread run meanwhile."""
    with pytest.raises(CheckFailed, match="nested too deeply"):
        check(f"```yaml\n{piece * 20_000}\n```")
