"""The official conformance suites against the HTTP face itself: guard, limits, streams and all.

tests/real/test_conformance.py runs them against the core, over the SDK's own HTTP application.
"""

import json
import re
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from doubles.openai_compatible import OpenAIDouble
from real.conformance_server import ARGUMENTS, CHANGE, PLAYS, _config
from real.test_conformance import BASELINES, PASSED, SUITES, run_suite
from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.mcp.http.http_server import HttpServer, HttpSettings
from spadework.mcp.reloading_engine import ReloadingEngine

# The first test installs the suites.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# What the core does and the face does not, with the number of checks that pass there alone.
MORE = {
    "2025-11-25": {},
    # Over HTTP no client is asked for its folders: they are on another disk.
    "2026-07-28": {"input-required-result-basic-list-roots": 2},
}


@asynccontextmanager
async def face(folder):
    with OpenAIDouble(*PLAYS) as double:
        for name, play in PLAYS.items():
            double.plays(play, model=name)
        config_file = folder / "config.toml"
        config_file.write_text(_config(double.url, folder))
        async with Engine.from_config(load_config(config_file).config, {}) as engine:
            face = HttpServer(ReloadingEngine(engine, config_file), HttpSettings("127.0.0.1:0"))
            _answer_the_suite(face)
            try:
                yield await face.start()
            finally:
                await face.stop()


def _answer_the_suite(face):
    """Put the arguments in that the suite leaves out, and tell of a change when it asks for it."""
    server = face.connection.server
    own = server.get_request_handler("tools/call")

    async def call(context, params):
        result = await own.handler(context, params.model_copy(update={"arguments": ARGUMENTS}))
        if params.name == CHANGE:
            face.connection._told = {}
            await face.connection.tools_changed()
        return result

    server.add_request_handler("tools/call", own.params_type, call)


@pytest.mark.parametrize("revision", SUITES)
async def test_the_face_passes_what_the_core_passes(revision, tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    baseline, results = tmp_path / "baseline.yml", tmp_path / "results"
    excused = (BASELINES / f"{revision}.yml").read_text()
    baseline.write_text(excused + "".join(f"  - {name}\n" for name in MORE[revision]))
    options = [*SUITES[revision], "--expected-failures", baseline, "-o", results]
    async with face(tmp_path) as url:
        status, output = await run_suite(revision, url, *options)
    assert status == 0, output
    failed = set(re.findall(r"^  ~ (\S+)", output, re.MULTILINE))
    assert set(MORE[revision]) <= failed
    checks = [
        check for file in results.rglob("checks.json") for check in json.loads(file.read_text())
    ]
    passed = Counter(check["status"] for check in checks)["SUCCESS"]
    assert passed >= PASSED[revision] - sum(MORE[revision].values())
