"""`spadework ask`, as a shell runs it."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from doubles.plays import Play

pytestmark = pytest.mark.slow


def prompt_of(double):
    return double.chats[0].json["messages"][-1]["content"]


def test_the_answer_is_plain_text_when_piped(spadework):
    done = spadework("ask", "How many lines?", "-f", "notes.md")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Three lines.\n", "")


def test_what_a_caller_should_know_goes_to_standard_error(spadework, project, openai_double):
    (project / "photo.bin").write_bytes(b"\x00" * 100)
    done = spadework("ask", "What?", "-f", ".")
    assert done.stdout == "Three lines.\n"
    assert done.stderr == "note: left out: photo.bin (binary)\n"


def test_what_git_shows_can_be_asked_about(spadework, project, openai_double):
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / ".env").write_text("hunter2")
    subprocess.run(["git", "add", "-f", "notes.md", ".env"], cwd=project, check=True)
    done = spadework("ask", "What changed?", "-f", "git:diff --staged", "-f", "git:diff")
    assert done.stdout == "Three lines.\n"
    assert done.stderr.splitlines() == [
        "note: empty: git:diff (nothing unstaged; for staged changes use git:diff --staged)",
        "note: left out: .env (credential file, never read)",
    ]
    assert "File git:diff --staged:\n```\n1| diff --git a/notes.md" in prompt_of(openai_double)
    assert "hunter2" not in prompt_of(openai_double)


def test_a_document_is_converted_and_a_note_says_so(spadework, project, openai_double):
    (project / "page.html").write_text("<h1>Title</h1>")
    done = spadework("ask", "What?", "-f", "page.html")
    assert done.stderr == "note: converted from HTML: page.html\n"
    assert "File page.html (converted from HTML):\n```\n1| # Title\n" in prompt_of(openai_double)


def test_the_embedded_model_is_called_a_demo_in_every_answer(spadework, data_with_demo, tmp_path):
    # Labels hold the toy to a short answer: left to itself it may ramble to the limit.
    config = tmp_path / "config.toml"
    sort = '\n[tools.sort]\nuse_for = "x"\nlabels = ["yes", "no"]\nmodels = ["embedded/*"]\n'
    config.write_text(config.read_text() + sort)
    done = spadework("ask", "Is it so?", "-t", "sort", "--json")
    assert "embedded demo model" in json.loads(done.stdout)["notes"]


def test_json_has_every_figure(spadework):
    done = spadework("ask", "How many lines?", "-f", "notes.md", "--json")
    told = json.loads(done.stdout)
    assert (told["outcome"], told["text"], told["model"]) == (
        "answered",
        "Three lines.",
        "koala/llama3-local",
    )
    assert told["figures"]["bytes_read"] == 34
    assert told["figures"]["prompt_tokens"] == 120


def test_a_label_or_json_by_a_schema_is_all_that_is_printed(spadework, project, openai_double):
    chances = ({"bug": 0.9, "wish": 0.1},)
    openai_double.plays(Play(pieces=("bug",), chances=chances, prompt_tokens=120))
    done = spadework("ask", "Which?", "--label", "wish", "-l", "bug")
    assert (done.returncode, done.stdout, done.stderr) == (0, "bug\n", "")
    told = json.loads(spadework("ask", "Which?", "-l", "wish", "-l", "bug", "--json").stdout)
    assert (told["text"], round(told["confidence"], 2), told["unsure"]) == ("bug", 0.8, False)
    openai_double.plays(reply='{ "lines": 3 }', prompt_tokens=300)
    schema = '{"type": "object", "properties": {"lines": {"type": "integer"}}}'
    (project / "schema.json").write_text(schema)
    for given in (schema, "schema.json"):
        done = spadework("ask", "How many?", "--schema", given)
        assert (done.returncode, done.stdout) == (0, '{"lines":3}\n')
    row = json.loads(spadework("log", "--json").stdout.splitlines()[2])
    assert (round(row["confidence"], 2), "label" in row["checks"]) == (0.8, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--schema", "nope.json"], "--schema nope.json: cannot be read"),
        (["--schema", "{"], "--schema is not valid JSON"),
        (["--schema", ""], "cannot be read"),
        (["--schema", "notes.md"], "--schema notes.md is not valid JSON"),
        (["--schema", '{"type": "objec"}'], "the schema is wrong at type"),
        (["--label", "one"], "nothing to choose"),
        (["--label", "a", "--label", "b", "--schema", "{}"], "exclude each other"),
    ],
)
def test_a_wrong_form_of_answer_is_one_line_and_exit_code_2(spadework, options, said):
    done = spadework("ask", "What?", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_prompt_may_come_from_standard_input(spadework, openai_double):
    assert spadework("ask", "-", stdin="Say hi.").stdout == "Three lines.\n"
    assert prompt_of(openai_double) == "Say hi."


def test_what_is_piped_in_besides_a_prompt_is_data(spadework, openai_double):
    spadework("ask", "Summarize.", stdin="log line 1\nlog line 2")
    assert "standard input:\n```\nlog line 1\nlog line 2\n```" in prompt_of(openai_double)
    assert prompt_of(openai_double).endswith("Summarize.")


def test_an_empty_pipe_is_told(spadework):
    """`git diff | spadework ask …` without a diff must not look like an answer about one."""
    done = spadework("ask", "Summarize.", stdin="")
    assert done.stderr.startswith("note: standard input is empty\n")


def test_a_model_or_a_pattern_can_be_named(spadework):
    done = spadework("ask", "Hi", "-m", "koala/code*", "--json")
    assert json.loads(done.stdout)["model"] == "koala/codellama-local"


def test_another_tool_takes_its_own_arguments(spadework, openai_double):
    spadework("ask", "Right?", "-t", "ask_coding_model", "-a", "code=x = 1")
    assert "code:\n```\nx = 1\n```" in prompt_of(openai_double)


def test_a_hand_back_says_what_was_tried_and_exits_with_1(spadework, openai_double):
    openai_double.plays(reply="")
    done = spadework("ask", "Hi")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith("error: no model of ask_local_llama")
    assert "- koala/llama3-local: empty answer" in done.stderr
    assert "- koala/codellama-local: empty answer" in done.stderr


def test_a_hand_back_as_json_has_the_tries(spadework, openai_double):
    openai_double.plays(reply="")
    done = spadework("ask", "Hi", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["outcome"] == "handed-back"
    assert len(told["tries"]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ask", "Hi", "-f", "../x"], 3, "error: reference '../x' refused"),
        (["ask", "Hi", "-f", "nothing.md"], 3, "not-found"),
        (["ask", "Hi", "-t", "ask_nobody"], 2, "error: unknown tool 'ask_nobody'"),
        (["ask", "Hi", "-m", "nobody/x"], 2, "no such backend"),
        (["ask", "Hi", "-m", "a/b", "-t", "c"], 2, "cannot be combined"),
        (["ask", "Hi", "-a", "code"], 2, "NAME=TEXT"),
        (["ask", "Hi", "--max-tokens", "0"], 2, "greater than or equal to 1"),
        (["--config", "nowhere.toml", "ask", "Hi"], 2, "nowhere.toml"),
    ],
)
def test_a_mistake_is_one_line_a_hint_and_an_exit_code(spadework, arguments, code, said):
    done = spadework(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_further_root_can_be_named(spadework, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.md").write_text("text\n")
    reference = str(tmp_path / "other" / "x.md")
    assert spadework("ask", "Hi", "-f", reference).returncode == 3
    assert spadework("ask", "Hi", "-f", reference, "--root", str(tmp_path / "other")).stdout


def signalled_while_asking(project, double, number):
    """Send a signal to a command whose model never ends; return its exit code and errors."""
    double.plays(Play(hangs_after=2))
    asking = subprocess.Popen(
        [sys.executable, "-m", "spadework", "ask", "Hi"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not double.chats and time.monotonic() < deadline:
        time.sleep(0.02)
    asking.send_signal(number)
    _out, err = asking.communicate(timeout=20)
    assert double.chats[0].wait_until_left()
    return asking.returncode, err


def test_ctrl_c_stops_the_model_and_exits_with_130(project, openai_double, spadework):
    code, err = signalled_while_asking(project, openai_double, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err
    assert spadework("log", "--json").stdout.count('"cancelled"') == 1


def test_sigterm_leaves_a_row_in_the_ledger_as_ctrl_c_does(project, openai_double, spadework):
    told = signalled_while_asking(project, openai_double, signal.SIGTERM)
    assert told == (143, "stopped\n")
    assert spadework("log", "--json").stdout.count('"cancelled"') == 1


def in_a_shell(project, script, **environment):
    return subprocess.run(
        ["bash", "-c", script.replace("spadework", f"{sys.executable} -m spadework")],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_full_disk_is_one_line(project, options):
    done = in_a_shell(project, f"spadework ask Hi {options} >/dev/full")
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")


def test_a_closed_standard_output_is_one_line(project, openai_double):
    done = in_a_shell(project, "spadework ask Hi >&-")
    assert (done.returncode, done.stderr) == (1, b"error: standard output is closed\n")
    assert openai_double.chats == []


def test_closed_standard_input_and_error_do_no_harm(project):
    done = in_a_shell(project, "spadework ask Hi <&- 2>&-")
    assert (done.returncode, done.stdout) == (0, b"Three lines.\n")
    assert b"missing prompt" in in_a_shell(project, "spadework ask <&-").stderr


def test_an_answer_that_the_encoding_lacks_is_printed_with_question_marks(project, openai_double):
    openai_double.plays(reply="caf\u00e9 \u4e2d", prompt_tokens=120)
    done = in_a_shell(project, "spadework ask Hi", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, b"caf? ?\n")


@pytest.mark.parametrize("command", ["ask Hi", "models"])
def test_a_deleted_folder_is_one_line(project, command):
    done = in_a_shell(project, f"mkdir gone && cd gone && rmdir ../gone && spadework {command}")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the current folder does not exist any more\n")


def test_a_loop_is_told_that_its_standard_input_goes_along(project, openai_double):
    loop = 'seq 3 | while read x; do spadework ask "n $x"{}; done'
    done = in_a_shell(project, loop.format(""))
    told = b"note: 4 bytes of standard input are passed on (--no-stdin skips them)\n"
    assert (done.stdout.count(b"Three lines."), done.stderr) == (1, told)
    done = in_a_shell(project, loop.format(" --no-stdin"))
    assert (done.stdout.count(b"Three lines."), done.stderr) == (3, b"")


def test_a_root_that_is_absent_is_refused(spadework):
    done = spadework("ask", "Hi", "--root", "/nope")
    assert done.returncode == 2
    assert done.stderr.startswith("error: root '/nope' is not a folder\n")


def test_what_was_tried_before_is_a_note(spadework, openai_double):
    openai_double.plays(reply="", model="llama3-local")
    openai_double.plays(reply="Whole.", prompt_tokens=120, model="codellama-local")
    done = spadework("ask", "Hi")
    assert done.stdout == "Whole.\n"
    assert done.stderr.startswith("note: tried before: koala/llama3-local: empty answer")


def test_an_unknown_tool_is_answered_with_the_nearest(spadework):
    assert "hint: did you mean ask_local_llama?" in spadework("ask", "Hi", "-t", "ask_llama").stderr


def test_a_reader_that_goes_away_is_no_traceback(project):
    command = f"{sys.executable} -m spadework ask Hi --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in {0, 141}


def on_a_terminal(project, *arguments):
    """Run the command with a terminal for its output and errors; return what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spadework", *arguments],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env=dict(os.environ, TERM="xterm"),
    )
    os.close(follower)
    shown = []
    while select.select([leader], [], [], 30)[0]:
        try:
            data = os.read(leader, 4096)
        except OSError:  # Linux tells the end of a terminal so
            break
        if not data:
            break
        shown.append((time.monotonic(), data))
    process.wait(30)
    os.close(leader)
    return shown


def test_a_terminal_sees_the_answer_grow_and_the_figures(project, openai_double):
    openai_double.plays(
        Play(reply="One two three four.", thinking="hm", pause=0.2, prompt_tokens=120)
    )
    shown = on_a_terminal(project, "ask", "Hi")
    whole = b"".join(data for _, data in shown).decode()
    assert "One two three four." in whole
    assert "hm" not in whole
    assert "[koala/llama3-local; 7 checks passed" in whole
    moment = {word: next(at for at, data in shown if word in data) for word in (b"One", b"four")}
    assert moment[b"four"] - moment[b"One"] > 0.3


def test_a_terminal_sees_that_a_model_failed_and_another_answers(project, openai_double):
    openai_double.plays(reply="Cut of", finish="length", model="llama3-local")
    openai_double.plays(reply="Whole.", prompt_tokens=120, model="codellama-local")
    whole = b"".join(data for _, data in on_a_terminal(project, "ask", "Hi")).decode()
    assert "--- koala/llama3-local: the answer was cut off" in whole
    assert whole.index("cut off") < whole.index("Whole.")


def test_terminal_escapes_of_a_model_do_not_reach_the_terminal(project, openai_double):
    openai_double.plays(reply="\x1b]0;evil\x07\x1b[31mred\x1b[0m text", prompt_tokens=120)
    whole = b"".join(data for _, data in on_a_terminal(project, "ask", "Hi")).decode()
    assert "red text" in whole
    assert "\x1b[31m" not in whole
    assert "evil" not in whole


@pytest.mark.parametrize(
    "pieces",
    [("I \u2764", "\ufe0f it."), ("\U0001f468\u200d", "\U0001f469 done."), ("one\r", "\ntwo.")],
)
def test_an_ordinary_answer_is_not_printed_twice_on_a_terminal(project, openai_double, pieces):
    openai_double.plays(Play(reply="".join(pieces), pieces=pieces, prompt_tokens=120))
    whole = b"".join(data for _, data in on_a_terminal(project, "ask", "Hi")).decode()
    assert "--- the checked answer" not in whole
    assert whole.count(pieces[1][1:]) == 1


def test_a_label_is_shown_once_and_never_raw(project, openai_double, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        config.read_text() + '\n[tools.sort]\nuse_for = "x"\nlabels = ["yes", "no"]\n'
    )
    openai_double.plays(reply='"yes"', prompt_tokens=120)
    whole = b"".join(data for _, data in on_a_terminal(project, "ask", "Hi", "-t", "sort")).decode()
    assert '"yes"' not in whole
    assert whole.count("yes") == 1


def test_empty_references_are_refused_but_go_along_with_standard_input(
    spadework, project, openai_double
):
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    done = spadework("ask", "What?", "-f", "git:diff")
    assert done.returncode != 0
    assert "nothing unstaged; for staged changes use git:diff --staged" in done.stderr
    assert openai_double.chats == []
    done = spadework("ask", "What?", "-f", "git:diff", stdin="three lines\n")
    assert done.stdout == "Three lines.\n"
