"""Every command in the docs is run: here, or where the table below says."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

# What cannot be run inside a test run, or is run by a test of its own.
RUN_ELSEWHERE = {
    "make demo": "test_make_demo_works_in_a_clean_clone",
    "make demo-pipeline": "test_make_demo_works_in_a_clean_clone",
    "make test": "CI: .ci/run",
    "make lint": "CI: .ci/run",
    "make quick": "a part of make test",
    "make format": "test_every_target_of_make_that_the_docs_name_exists",
    "make site": "a part of make lint, which builds it too",
    "make docs": "tests/cli/test_other_commands.py and tests/config/test_config_reference.py",
    "pipx install 'spadework[embedded]'": "tests/real/test_install.py",
    "uv tool install 'spadework[embedded]'": "tests/real/test_install.py",
    "claude mcp add spadework -- spadework mcp": "tests/real/test_claude_client.py",
    "spadework setup --http http://koala:8765/mcp": "tests/real/test_setup_client.py",
    "spadework serve --http 127.0.0.1:8765": "tests/http/test_http_serve.py",
    "spadework serve --http 0.0.0.0:8765": "test_http_serve.py and test_http_guard.py",
    "spadework token revoke laptop": "tests/http/test_http_tokens.py",
    "claude mcp add --transport http spadework http://koala:8765/mcp "
    '--header "Authorization: Bearer TOKEN"': "tests/real/test_claude_client_http.py",
    "spadework doctor": "tests/claude_code/test_doctor_command.py",
    "spadework doctor --json": "tests/claude_code/test_doctor_command.py",
    "spadework doctor --probe": "tests/claude_code/test_doctor_probe.py",
    "spadework comply": "tests/claude_code/test_comply_command.py",
    "spadework comply --profile ~/.zshrc --env-file batch.env --json": "test_comply_command.py",
    **dict.fromkeys(
        (
            "claude plugin marketplace add ./",
            "claude plugin install spadework@spadework",
            "claude mcp list",
            "claude mcp remove spadework",
            "claude plugin install spadework-hints@spadework",
            "claude plugin disable spadework-hints@spadework",
            "claude plugin uninstall spadework-hints@spadework",
            "claude plugin uninstall spadework@spadework",
            "claude plugin marketplace remove spadework",
        ),
        "tests/real/test_plugin.py",
    ),
    "spadework agents lint": "tests/claude_code/agents/test_agents_lint.py",
    "spadework agents undo": "tests/claude_code/agents/test_agents_editing.py",
    'spadework ask "What is it about?" -f README.md --label software --label cooking': (
        "tests/cli/test_ask_command.py"
    ),
    'spadework each "Is this about code or about people?" -f "*.md" -l code -l people': (
        "tests/cli/test_each_command.py"
    ),
    "spadework embedded install": "tests/embedded/test_install_demo.py",
    "spadework embedded pull OWNER/REPO FILE.gguf": "tests/embedded/test_hub_pull.py",
    "spadework embedded use smollm2": "tests/embedded/test_embedded_cli.py",
}
LITELLM = "tests/litellm/test_litellm_config_command.py"
RUN_ELSEWHERE |= {
    "spadework litellm check config.yaml": "tests/litellm/test_litellm_check_command.py",
    "spadework litellm check http://koala:4000": "tests/real/test_litellm_config.py",
    "spadework litellm check http://koala:4000 --ask": "tests/real/test_litellm_config.py",
    "spadework litellm config --host koala --out config.yaml": LITELLM,
    "spadework litellm config --merge config.yaml --dry-run": LITELLM,
    "spadework litellm config --merge config.yaml --yes": LITELLM,
    "spadework litellm config --merge config.yaml --mcp --mcp-url http://koala:8765/mcp --yes": (
        "tests/real/test_litellm_config.py"
    ),
}
RUN_ELSEWHERE |= dict.fromkeys(
    (
        "spadework pipeline run analyze-documents docs/ --out results.jsonl",
        (
            "spadework pipeline run triage tickets.jsonl --set labels=bug,billing,other "
            "--out sorted.jsonl"
        ),
        "spadework pipeline run review-changes --out review.jsonl",
        "spadework pipeline run analyze-documents docs/ --dry-run",
    ),
    "tests/pipelines/test_pipeline_ready_runs.py",
)
# What shows or ends a daemon needs one that runs.
OF_A_DAEMON = ("spadework status", *(f"spadework daemon {x}" for x in ("stop", "status", "logs")))


def commands():
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield page.relative_to(ROOT).as_posix(), line.removeprefix("$ ")


HERE = [(page, command) for page, command in commands() if command not in RUN_ELSEWHERE]


@pytest.fixture
def sandbox(tmp_path, monkeypatch, openai_double, runtime_folder):
    """A project that has what the docs speak of, before a double."""
    openai_double.plays(reply="Done.", prompt_tokens=5000)
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text("def add(a, b):\n    return a + b\n")
    for name in ("README.md", "notes.md"):
        (project / name).write_text("A line of notes.\n" * 30)
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    author = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    begin = [*author, "commit", "-q", "--allow-empty", "-m", "Begin"]
    subprocess.run(["git", *begin], cwd=project, check=True)
    subprocess.run(["git", "add", "-N", "notes.md"], cwd=project, check=True)  # a change to show
    config = tmp_path / "config.toml"
    config.write_text(
        f'[backends.koala]\nkind = "openai"\nurl = "{openai_double.url}"\n'
        '[backends.koala.windows]\n"llama3-local" = 32768\n"codellama-local" = 32768\n'
    )
    agents = tmp_path / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "summarizer.md").write_text("---\nname: summarizer\ndescription: Sums up.\n---\n")
    monkeypatch.setenv("SPADEWORK_CONFIG", str(config))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return project


def test_the_docs_hold_commands():
    assert len(HERE) >= 8
    assert {command for _, command in commands()} >= set(RUN_ELSEWHERE)


def named_tests(where):
    """The files that a place names: by path, by file name or by the name of a test in one."""
    files = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
    for word in re.findall(r"[\w/.]*test_\w+(?:\.py)?", where):
        name = word.rsplit("/", 1)[-1]
        if name.endswith(".py"):
            yield files[name]
        else:
            yield next(path for path in files.values() if f"def {name}(" in path.read_text())


@pytest.mark.parametrize(
    ("command", "where"),
    [(command, where) for command, where in RUN_ELSEWHERE.items() if "test_" in where],
)
def test_what_is_run_elsewhere_is_run_there(command, where):
    """The files exist, and have the words of the command that are not of the user's choice."""
    text = "".join(path.read_text() for path in named_tests(where))
    parts = shlex.split(command)[1:]
    names = itertools.takewhile(lambda part: re.fullmatch("[a-z]+", part), parts)
    options = (part for part in parts if re.fullmatch("--[a-z-]+", part))
    missing = [word for word in (*names, *options) if word.removeprefix("--") not in text]
    assert text
    assert missing == []


@pytest.mark.parametrize(("page", "command"), HERE, ids=[command for _, command in HERE])
def test_a_command_of_the_docs_works(sandbox, page, command, tmp_path, monkeypatch):
    if command.startswith("spadework config init"):
        monkeypatch.delenv("SPADEWORK_CONFIG")
        command = command.replace("--yes", "").replace("koala", "localhost") + " --yes"
        command += f" && test -s {shlex.quote(str(tmp_path))}/home/spadework/config.toml"
    if command.startswith("spadework setup"):
        command = command.replace("--yes", "").replace("koala", "localhost") + " --yes"
    if command.startswith(OF_A_DAEMON):
        command = f"spadework daemon start && {command}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=sandbox,
        env=dict(os.environ, XDG_CONFIG_HOME=str(tmp_path / "home"), HOME=str(tmp_path)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("number", [0, 1])
def test_the_python_of_the_docs_works(sandbox, number):
    block = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", block[number]],
        cwd=sandbox,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Done." in done.stdout


def test_every_target_of_make_that_the_docs_name_exists():
    for _, command in commands():
        if command.startswith("make "):
            target = command.split()[1]
            subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_pins_name_no_address_and_no_lock_file_is_kept():
    """Where packages come from is the user's own choice."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    pins = [name for name in tracked if name.endswith(("constraints.txt", "pyproject.toml"))]
    assert len(pins) == 3
    for name in pins:
        assert "://" not in (ROOT / name).read_text(), name
    assert not [name for name in tracked if name.endswith((".lock", "package-lock.json"))]


@pytest.mark.timeout(500)
def test_make_demo_works_in_a_clean_clone(tmp_path, demo_model):
    """As a new user would: clone, and run the first command of the README; then that of pipelines.

    A key in the environment is not used by it.
    """
    clone = tmp_path / "spadework"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    data = tmp_path / "data"
    (data / "models" / "smollm2").mkdir(parents=True)
    shutil.copy(demo_model, data / "models" / "smollm2" / demo_model.name)
    done = subprocess.run(
        ["make", "demo", "demo-pipeline", f"PYTHON={sys.executable}"],
        cwd=clone,
        env={
            **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            "SPADEWORK_DATA": str(data),
            "HOME": str(tmp_path),
            "ANTHROPIC_API_KEY": "sk-ant-api03-none",
        },
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" bytes by reference") == 3
    assert "Written by the local model embedded/smollm2, not by Claude" in done.stdout
