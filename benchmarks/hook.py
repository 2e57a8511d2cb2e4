"""What the optional hook costs at every prompt and every Read, beside starting `true`.

The hook is started as the client starts it: its file, with its input on stdin. While the plugin
spadework-hints is not installed, which is the default, nothing is started at all. A Python that
starts and parses the input stands beside it, since the hook could have been that. Target: at most
half of that Python's time.

    python benchmarks/hook.py [RUNS]
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HOOK = Path(__file__).parents[1] / "plugin" / "hints" / "hooks" / "hint.sh"
RUNS = 100
TARGET_SHARE = 0.5
# Not what `python3` finds: where that is a shim of a version manager, it takes 80 ms and more.
PYTHON = [sys.executable, "-I", "-S", "-c"]
PYTHON_HOOK = "import json, sys; json.load(sys.stdin)"
LARGE = 200 * 1024


@dataclass
class Way:
    """One thing to start: its command, its input, its environment; milliseconds that it took."""

    title: str
    command: list[str]
    asked: bytes
    environment: dict[str, str] = field(default_factory=dict)
    speaks: bool = False
    milliseconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Start it once; what it says must be what it shall say."""
        environment = os.environ | self.environment
        began = time.perf_counter()
        done = subprocess.run(
            self.command, input=self.asked, env=environment, capture_output=True, check=True
        )
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        if bool(done.stdout) != self.speaks:
            raise RuntimeError(f"{self.title}: said {done.stdout!r}")

    @property
    def median(self) -> float:
        """The median of its runs in milliseconds."""
        return statistics.median(self.milliseconds)


def at_prompt(prompt: str) -> bytes:
    """Write a prompt's input as the client does."""
    return _compact({"hook_event_name": "UserPromptSubmit", "prompt": prompt})


def at_read(path: Path) -> bytes:
    """Write a Read's input as the client does."""
    asked = {"tool_name": "Read", "tool_input": {"file_path": str(path)}}
    return _compact({"hook_event_name": "PreToolUse", **asked})


def _compact(more: dict[str, object]) -> bytes:
    common = {"session_id": "0" * 36, "transcript_path": "/tmp/session.jsonl", "cwd": "/tmp"}
    return json.dumps(common | more, separators=(",", ":")).encode()


def ways(folder: Path) -> list[Way]:
    """List what is measured; the baseline first."""
    small, large = folder / "small.txt", folder / "large.txt"
    small.write_bytes(b"a\n")
    large.write_bytes(b"a" * LARGE)
    hook, muted = [str(HOOK)], {"SPADEWORK_HINTS": "0"}
    return [
        Way("true", [shutil.which("true") or "true"], b""),
        Way("muted by SPADEWORK_HINTS=0", hook, at_read(large), muted),
        Way("a small file", hook, at_read(small)),
        Way("a large file: reminds", hook, at_read(large), speaks=True),
        Way("an ordinary prompt", hook, at_prompt("Mend the parser.")),
        Way("a prompt of bulk work: reminds", hook, at_prompt("Summarize docs/."), speaks=True),
        Way("Python with json, for comparison", [*PYTHON, PYTHON_HOOK], at_read(large)),
    ]


def main() -> None:
    """Measure in rotation and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    os.environ.pop("SPADEWORK_HINTS", None)
    with tempfile.TemporaryDirectory() as folder:
        measured = ways(Path(folder))
        for _ in range(runs):
            for way in measured:
                way.run()
    baseline, *hooks, python = measured
    print(f"{'started':<34}{'median ms':>10}{'ratio':>7}")
    print(f"{'off (the default): nothing':<34}{0:>10.1f}{0:>7.1f}")
    for way in measured:
        print(f"{way.title:<34}{way.median:>10.1f}{way.median / baseline.median:>7.1f}")
    most = max(way.median for way in hooks)
    print(f"\nratio to `true`, at most: {most / baseline.median:.1f}")
    share = most / python.median
    met = "met" if share <= TARGET_SHARE else "missed"
    print(f"of a Python hook's time: {share:.0%}; target: at most {TARGET_SHARE:.0%}: {met}")


if __name__ == "__main__":
    main()
