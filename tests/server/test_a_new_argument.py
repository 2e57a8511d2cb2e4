"""A new argument of every tool is its declaration and its use: nothing else has to know of it."""

import json
import subprocess
import sys

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from doubles.package_copy import copy_package, source_with

DECLARED = """
    tone: str = field(default="", metadata={ONE: "How it sounds.", EACH: "How each sounds."})
    drafts: int | None = field(default=None, metadata={ONE: "", "minimum": 2})
"""
USED = """
    if job.tone:
        spoken = f"{messages[-1].content} Sound {job.tone}."
        messages = (*messages[:-1], replace(messages[-1], content=spoken))
"""
PROGRAM = """
import json
from spadework.config.models import ASK_LOCAL_LLAMA, ToolConfig
from spadework.engine.answer_cache import question_of
from spadework.engine.batch.runner import _job
from spadework.engine.batch.table import BatchItem, EachJob
from spadework.engine.trust_policy import texts_of_job
from spadework.engine.tools import Tool
from spadework.errors import ArgumentError
from spadework.mcp.tool_arguments import parse_call
from spadework.references.material import Material
from spadework.engine.job import Job
from spadework.util.serialization import decode, encode

tool = Tool("ask_local_llama", ASK_LOCAL_LLAMA)
job = parse_call(tool, {"prompt": "x", "tone": "calm", "drafts": 3})
told = {"job": [job.tone, job.drafts, dict(job.arguments)]}
told["over the wire"] = decode(Job, json.loads(json.dumps(encode(job))), "job") == job
told["cache"] = question_of(ASK_LOCAL_LLAMA, job, (), 10)["tone"]
scanned = texts_of_job(job, Material((), ()), ())
told["scanned"] = [one.text for one in scanned if "tone" in one.label]
each = EachJob("ask_local_llama", {"prompt": "x"}, items=("a",), tone="calm")
told["of an item"] = _job(each, BatchItem(1, "a", text="a")).tone
try:
    ToolConfig(use_for="x", parameters={"prompt": "p", "tone": "t"})
except ValueError as error:
    told["reserved"] = "every tool has that argument by itself" in str(error)
print(json.dumps(told))
"""


@pytest.fixture
def environment(tmp_path, config_file):
    line = "    def shared(self) -> dict[str, Any]:"
    declared = source_with("config/call_arguments.py", line, f"{DECLARED}\n{line}")
    line = "    messages = build_messages(tool, job.arguments, material.sources, job.texts, form)\n"
    used = source_with("engine/prompt_messages.py", line, line + USED.lstrip("\n"))
    files = {"config/call_arguments.py": declared, "engine/prompt_messages.py": used}
    return copy_package(tmp_path / "copy", files)


def test_it_is_parsed_and_in_the_job_wherever_that_goes(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "job": ["calm", 3, {"prompt": "x"}],
        "over the wire": True,
        "cache": "calm",
        "scanned": ['"calm"'],
        "of an item": "calm",
        "reserved": True,
    }


async def test_a_client_sees_it_and_its_calls_are_checked(environment, project, openai_double):
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp", "--in-process"],
        env=environment | {"CLAUDE_PROJECT_DIR": str(project)},
        cwd=str(project),
    )
    async with Client(server) as client:
        listed = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        results = [
            await client.call_tool("ask_local_llama", {"prompt": "x"} | more)
            for more in ({"tone": 5}, {"drafts": "many"}, {"drafts": 1}, {"tone": "calm"})
        ]
    for name in ("ask_local_llama", "ask_coding_model"):
        properties = listed[name]["properties"]
        assert properties["tone"] == {"type": "string", "description": "How it sounds."}
        assert properties["drafts"] == {"type": "integer", "minimum": 2}
    assert listed["ask_each"]["properties"]["tone"]["description"] == "How each sounds."
    assert "drafts" not in listed["ask_each"]["properties"]
    errors = [result.content[0].text.split("\n")[0] for result in results[:3]]
    assert errors == [
        "ask_local_llama: argument 'tone': expected a string, got an integer: 5",
        "ask_local_llama: argument 'drafts': expected an integer, got a string: \"many\"",
        "ask_local_llama: argument 'drafts': expected an integer of at least 2, got 1",
    ]
    assert not results[3].is_error, results[3]
    [chat] = openai_double.chats
    assert chat.json["messages"][-1]["content"].endswith("Sound calm.")
