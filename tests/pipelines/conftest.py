"""The real command before a double of a model server, in folders of its own."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile
from unittest.mock import patch

import pytest

from spadework.cli import main

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"
slots = {slots}

[tools.ask_local_llama]
models = ["koala/llama3-local"]
"""
ASKING = """
from spadework.pipelines import Item, ask, pipeline

@pipeline
async def describe(item: Item) -> str:
    \"\"\"Say what each item is.\"\"\"
    answer = await ask("ask_local_llama", "What is it?", texts=item.texts, files=item.files)
    return answer.text
"""
FINISHING = """
@describe.finish
async def count(rows):
    answer = await ask("ask_local_llama", "How many rows?", texts={"rows": str(len(rows))})
    return f"{len(rows)} rows: {answer.text}"
"""
WAIT = 60.0


class Place:
    """A folder with a config and a pipeline, and the command in it."""

    def __init__(self, folder: Path, double) -> None:
        self.folder = folder
        self.double = double
        self.out = folder / "out.jsonl"
        self.configure()
        self.write("describe.py", ASKING + FINISHING)

    def configure(self, *, slots: int = 16, more: str = "") -> None:
        """Write the config anew."""
        text = CONFIG.format(url=self.double.url, slots=slots) + more
        (self.folder / "config.toml").write_text(text)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        (self.folder / name).write_text(text)
        return self.folder / name

    def items(self, count: int) -> str:
        """Write a file of items; each has a mark that its requests carry."""
        lines = (json.dumps({"text": f"<item-{number}>"}) for number in range(1, count + 1))
        self.write("items.jsonl", "\n".join(lines) + "\n")
        return "items.jsonl"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the user's own: no key, no data folder."""
        kept = {name: value for name, value in os.environ.items() if "ANTHROPIC" not in name}
        return kept | {
            "SPADEWORK_CONFIG": str(self.folder / "config.toml"),
            "SPADEWORK_DATA": str(self.folder / "data"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "HOME": str(self.folder),
        }

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Start the command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=self.folder,
            env=self.environment | options.pop("environment", {}),
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run_apart(self, *arguments: str, stdin: str | None = None, **options):
        """Run the command to its end as `run`, in a process of its own."""
        pipe = {"stdin": subprocess.PIPE} if stdin is not None else {}
        with self.start(*arguments, **pipe, **options) as process:
            try:
                out, err = process.communicate(stdin, timeout=WAIT * 2)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run(self, *arguments: str, environment: dict[str, str] | None = None):
        """Run the command to its end; gives its exit code and both outputs.

        In this process: a start of its own would be most of what it costs.
        """
        with (
            TemporaryFile("w+", encoding="utf-8") as out,
            TemporaryFile("w+", encoding="utf-8") as err,
            patch.dict(os.environ, self.environment | (environment or {}), clear=True),
            patch.object(sys, "argv", ["spadework", *arguments]),
            patch.object(sys, "stdin", io.StringIO()),
            patch.object(sys, "path", [*sys.path]),
            chdir(self.folder),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                code = 0
            except SystemExit as left:
                code = left.code or 0
            finally:
                logging.getLogger("dbos").handlers.clear()  # they hold the streams
                for name, module in tuple(sys.modules.items()):  # they may be written anew
                    if str(getattr(module, "__file__", None)).startswith(str(self.folder)):
                        del sys.modules[name]
            for stream in (out, err):
                stream.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), err.read())

    def rows(self) -> list[dict]:
        """The results; every line must be whole."""
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def asked(self) -> list[int]:
        """The numbers of the items that the double was asked about, as often as it was."""
        bodies = (request.body for request in tuple(self.double.requests))
        return [int(found[1]) for body in bodies if (found := re.search(rb"<item-(\d+)>", body))]


@pytest.fixture
def place(tmp_path, openai_double):
    openai_double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    return Place(tmp_path, openai_double)
