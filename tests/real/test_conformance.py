"""The official conformance suites against Spadework's own core, both protocol revisions."""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from real.conformance_server import conformance_server
from real.node_tools import CONFORMANCE, node_program, node_tool

# The first test installs the suites.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BASELINES = Path(__file__).with_name("conformance")
ENTRY = re.compile(r"  - (?P<name>[\w:/-]+)(?: # (?P<reason>\S.*))?")

SUITES = {
    "2025-11-25": ["--suite", "all", "--spec-version", "2025-11-25"],
    "2026-07-28": ["--requirements", "2026-07-28"],
}
PASSED = {"2025-11-25": 10, "2026-07-28": 107}
"""How many checks pass at least: a suite that stops early would excuse all the others."""

# What Spadework is: nothing of it may be excused.
CORE = [
    "server-initialize",
    "ping",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "tools-call-with-progress",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "input-required-result-basic-list-roots",
    "server-stateless:sep-2575-server-implements-discover",
    "server-stateless:sep-2575-server-sends-subscription-ack",
    "server-stateless:sep-2575-server-sends-tools-list-changed-on-subscription",
    "server-stateless:sep-2575-server-no-log-without-loglevel",
    "caching:sep-2549-tools-list-caching-hints",
]


def entries(revision):
    """What a baseline excuses, and why: name -> reason."""
    lines = (BASELINES / f"{revision}.yml").read_text().splitlines()
    return dict(ENTRY.fullmatch(line).group("name", "reason") for line in lines if " - " in line)


async def run_suite(revision, url, *options):
    process = await asyncio.create_subprocess_exec(
        node_program(),
        node_tool(CONFORMANCE[revision]),
        "server",
        "--url",
        url,
        *map(str, options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize("revision", SUITES)
async def test_only_what_the_baseline_excuses_fails(revision, tmp_path):
    baseline, results = BASELINES / f"{revision}.yml", tmp_path / "results"
    options = [*SUITES[revision], "--expected-failures", baseline, "-o", results]
    async with conformance_server(tmp_path) as url:
        status, output = await run_suite(revision, url, *options)
    assert status == 0, output
    assert set(re.findall(r"^  ~ (\S+)", output, re.MULTILINE)) == set(entries(revision))
    checks = [
        check for file in results.rglob("checks.json") for check in json.loads(file.read_text())
    ]
    assert Counter(check["status"] for check in checks)["SUCCESS"] >= PASSED[revision]


@pytest.mark.parametrize("revision", SUITES)
def test_every_excuse_has_its_reason(revision):
    assert entries(revision)
    assert [name for name, reason in entries(revision).items() if not reason] == []


@pytest.mark.parametrize("revision", SUITES)
def test_nothing_of_the_core_is_excused(revision):
    excused = entries(revision)
    assert [name for name in CORE if {name, name.partition(":")[0]} & set(excused)] == []


@pytest.mark.parametrize("revision", SUITES)
@pytest.mark.parametrize(
    ("scenario", "excused", "said"),
    [
        ("tools-list", "tools-list", "Baseline is stale"),
        ("prompts-list", "tools-list", "Unexpected failures detected"),
    ],
)
async def test_a_stale_excuse_and_a_new_failure_fail_the_suite(
    revision, scenario, excused, said, tmp_path
):
    baseline = tmp_path / "baseline.yml"
    baseline.write_text(f"server:\n  - {excused}\n")
    async with conformance_server(tmp_path) as url:
        status, output = await run_suite(
            revision, url, "--scenario", scenario, "--expected-failures", baseline
        )
    assert status == 1
    assert said in output
