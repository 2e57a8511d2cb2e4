"""Starting is cheap: what counts is which modules are imported, not how long this machine takes."""

import json
import subprocess
import sys

from typer.main import get_command

from spadework.cli.app import app

HEAVY = {
    "anyio",
    "asyncio",
    "charset_normalizer",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "jsonschema",
    "mcp",
    "ollama",
    "openai",
    "pathspec",
    "platformdirs",
    "pydantic",
    "rich",
    "ruamel",
    "sqlite3",
    "tomlkit",
    "xllamacpp",
}


def modules_after(code):
    """The top-level names of what a fresh interpreter has imported after the code, and how many."""
    program = f"""
import contextlib, io, json, sys
before = set(sys.modules)
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_importing_the_package_imports_nothing_but_itself():
    assert set(modules_after("import spadework")) <= {"spadework", "typing", "__future__"} | set(
        modules_after("import typing, __future__")
    )


def test_the_public_names_are_these_and_load_when_used():
    program = """
import spadework
print(sorted(spadework.__all__))
assert all(getattr(spadework, name) is not None for name in spadework.__all__)
assert set(spadework.__all__) <= set(dir(spadework))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(
        [
            "Answer",
            "ArgumentError",
            "BackendError",
            "ConfigError",
            "Figures",
            "HandedBack",
            "ReferenceRefused",
            "Row",
            "Spadework",
            "SpadeworkError",
            "Table",
            "__version__",
            "ask",
        ]
    )


def test_help_imports_the_command_line_and_nothing_heavy():
    names = modules_after(
        "sys.argv = ['spadework', '--help']; from spadework.cli import main; main()"
    )
    assert not HEAVY & {name.partition(".")[0] for name in names}
    typer_alone = set(modules_after("import typer.main, typer.core, typer.completion"))
    ours = {name for name in names if name.partition(".")[0] == "spadework"}
    assert len(set(names) - typer_alone - ours) <= 25
    # Each command's own file, and below the command line what is small.
    below = {name for name in ours if not name.startswith("spadework.cli")}
    assert below <= {"spadework", "spadework.errors", "spadework.util", "spadework.util.paths"}


def test_the_help_of_every_command_is_as_cheap():
    commands = get_command(app).commands
    assert len(commands) > 10
    for command in commands:
        names = modules_after(
            f"sys.argv = ['spadework', '{command}', '--help'];"
            " from spadework.cli import main; main()"
        )
        # typer itself reads a command's options through pydantic.
        heavy = (HEAVY - {"pydantic"}) & {name.partition(".")[0] for name in names}
        assert not heavy, command


def test_listing_the_tools_loads_no_sdk_of_a_model_server(openai_double, tmp_path):
    """It took a quarter of the first start of all."""
    program = f"""
import asyncio, pathlib, sys
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.mcp.tool_descriptions import define_tools

async def main():
    backend = {{"kind": "openai", "url": {openai_double.url!r}}}
    config = Config.model_validate({{"backends": {{"koala": backend}}}})
    async with Engine.from_config(config, {{}}) as engine:
        return await define_tools(engine, engine.tools(pathlib.Path.cwd()))

tools = asyncio.run(main())
assert "koala/llama3-local" in tools[0].description, tools[0].description
assert "openai" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert openai_double.asked("/v1/models")
