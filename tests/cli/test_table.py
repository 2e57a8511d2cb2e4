"""Tables stay readable in 80 columns."""

import pytest

from spadework.cli.console import print_table

HEADER = ["when", "tool", "model", "outcome", "in", "why"]
ROW = ["11-23 08:01", "ask_local_llama", "koala/llama3-local", "handed-back", "1200", "why " * 40]


@pytest.fixture
def on_a_terminal(monkeypatch, capsys):
    def show(columns, rows):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        print_table(HEADER, rows, spare=["in"])
        return capsys.readouterr().out.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()

    return show


def test_a_row_of_the_log_stays_one_readable_line_in_80_columns(on_a_terminal):
    head, line = on_a_terminal(80, [ROW])
    assert head.split() == ["when", "tool", "model", "outcome", "why"]
    for cell in ("11-23 08:01", "ask_local_llama", "koala/llama3-local", "handed-back"):
        assert cell in line
    assert line.endswith("…")
    assert len(line) <= 80


def test_a_wide_terminal_shows_every_column_and_cell(on_a_terminal):
    head, line = on_a_terminal(300, [ROW])
    assert "in" in head.split()
    assert line.count("why") == 40


def test_a_column_that_is_left_out_already_can_be_spared(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for columns in (20, 40, 80, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(HEADER, [ROW], spare=["run", "in", "in", *HEADER[:-1]])
        assert all(len(line) <= columns + 8 for line in capsys.readouterr().out.splitlines())


def test_wide_characters_are_measured_in_columns(on_a_terminal):
    _head, line = on_a_terminal(80, [[*ROW[:-1], "\u4e2d" * 50]])
    assert len(line) + line.count("\u4e2d") <= 80


def test_a_pipe_gets_whole_cells_without_a_header(capsys):
    print_table(HEADER, [ROW])
    assert capsys.readouterr().out == "\t".join(ROW) + "\n"
