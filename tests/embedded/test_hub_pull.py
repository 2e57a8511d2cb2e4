"""The real command, with the real client of the hub, against a hub on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from embedded.hub_double import COMMIT, REPO, HubDouble
from spadework.util.paths import models_folder, user_config_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FILE = "sub/Tiny-Q4.gguf"
SMALL = b"GGUF" + bytes(range(256)) * 400
LARGE = b"GGUF" + os.urandom(26_000_000)
CHUNK = 10 * 2**20  # huggingface_hub writes in chunks of this size


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error line: there is exactly one."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return line

    @property
    def hint(self) -> str:
        return "".join(line for line in self.err.splitlines() if line.startswith("hint: "))


@pytest.fixture
def spadework(tmp_path):
    def start(hub, *arguments, **environment):
        own = {
            "HF_ENDPOINT": hub if isinstance(hub, str) else hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }
        inherited = {key: value for key, value in os.environ.items() if key[:3] != "HF_"}
        return subprocess.Popen(
            [sys.executable, "-m", "spadework", "embedded", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, **own, **environment},
        )

    return start


@pytest.fixture
def pull(spadework):
    def run(hub, *arguments, **environment) -> Done:
        process = spadework(hub, "pull", *(arguments or (REPO, FILE)), **environment)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        return Done(process.returncode, out, err)

    return run


def target() -> Path:
    return models_folder() / REPO / FILE


def stored() -> list[str]:
    folder = models_folder()
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_file_arrives_whole_is_checked_and_becomes_the_embedded_model(pull):
    user_config_file().write_text("# mine\nroots = []\n")
    with HubDouble({FILE: SMALL}) as hub:
        done = pull(hub)
        assert done.code == 0, done.err
        again = pull(hub)
    assert target().read_bytes() == SMALL
    assert stored() == [".lock", f"{REPO}/{FILE}"]
    assert f"pulled: {target()}" in done.out
    config = user_config_file().read_text()
    assert config.startswith("# mine\nroots = []\n")
    assert tomllib.loads(config)["embedded"]["model"] == str(target())
    assert "to undo: spadework embedded use smollm2" in done.out
    assert again.code == 0
    assert "is unchanged" in again.out
    assert len(hub.storage_saw) == 1, "the second pull fetched it again"


def test_the_content_is_taken_from_the_commit_that_was_looked_up(pull):
    with HubDouble({FILE: SMALL}) as hub:
        assert pull(hub, REPO, FILE, "--revision", "main", "--no-use").code == 0
    assert [seen.path for seen in hub.hub_saw] == [
        f"/{REPO}/resolve/main/{FILE}",
        f"/{REPO}/resolve/{COMMIT}/{FILE}",
    ]
    assert not user_config_file().exists()


def test_the_token_goes_to_the_hub_and_not_to_its_storage(pull):
    with HubDouble({FILE: SMALL}) as hub:
        assert pull(hub, HF_TOKEN="hf_secret").code == 0
    assert {seen.headers.get("authorization") for seen in hub.hub_saw} == {"Bearer hf_secret"}
    assert all("authorization" not in seen.headers for seen in hub.storage_saw)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(pull):
    with HubDouble({FILE: LARGE}, cut_at=CHUNK + 5000) as hub:
        done = pull(hub)
    assert done.code == 0, done.err
    assert hub.ranges() == [None, f"bytes={CHUNK}-"]
    assert target().read_bytes() == LARGE


def test_a_pull_that_was_interrupted_goes_on_when_it_is_pulled_again(spadework, pull):
    with HubDouble({FILE: LARGE}, stall_at=CHUNK + 5000) as hub:
        process = spadework(hub, "pull", REPO, FILE)
        deadline = time.monotonic() + 30
        while not (partial := list(models_folder().rglob("*.partial"))) or (
            partial[0].stat().st_size < CHUNK
        ):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert not target().exists()
        hub.stall_at = None
        done = pull(hub)
    assert done.code == 0, done.err
    assert hub.ranges() == [None, f"bytes={CHUNK}-"]
    assert target().read_bytes() == LARGE
    assert stored() == [".lock", f"{REPO}/{FILE}"]


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(pull):
    with HubDouble({FILE: SMALL}, stored=SMALL[:-1] + b"!") as hub:
        done = pull(hub)
    assert done.code == 1
    assert "did not arrive as the hub has it (its SHA-256 differs)" in done.error
    assert stored() == [".lock"]
    assert not user_config_file().exists()


def test_a_file_that_is_no_gguf_is_refused_and_nothing_is_kept(pull):
    with HubDouble({FILE: b"PK" + SMALL}) as hub:
        done = pull(hub)
    assert done.code == 1
    assert "is not a GGUF file" in done.error
    assert stored() == [".lock"]


def test_a_missing_file_names_those_that_there_are(pull):
    with HubDouble({FILE: SMALL, "other.gguf": SMALL}) as hub:
        done = pull(hub, REPO, "nothing.gguf")
    assert done.code == 1
    assert done.error == f"error: {REPO} has no file nothing.gguf"
    assert done.hint == f"hint: its GGUF files: {FILE}, other.gguf"


def test_a_missing_repository_and_a_missing_revision_are_named(pull):
    with HubDouble({FILE: SMALL}) as hub:
        assert "shows no repository owner/none" in pull(hub, "owner/none", FILE).error
        revision = pull(hub, REPO, FILE, "--revision", "v9").error
    assert f"{REPO} has no revision 'v9'" in revision


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, "RepoNotFound", "the hub shows no repository"),
        (401, "", "the hub refused to give owner/tiny-GGUF (401)"),
        (403, "GatedRepo", "is gated, and you have no access"),
        (403, "", "the hub refused to give owner/tiny-GGUF (403)"),
        (503, "", "the hub refused to give owner/tiny-GGUF (503)"),
    ],
)
def test_a_refusal_says_what_to_do(pull, status, code, says):
    with HubDouble({FILE: SMALL}, refuse=(status, code)) as hub:
        done = pull(hub)
    assert done.code == 1
    assert says in done.error
    assert ("HF_TOKEN" in done.hint) == (status in {401, 403})


def test_a_hub_that_is_not_there_is_named_at_once(pull):
    with HubDouble({}) as hub:
        url = hub.url
    done = pull(url)
    assert done.code == 1
    assert "the hub cannot be reached" in done.error
    assert "HF_ENDPOINT" in done.hint


def test_a_name_that_cannot_be_is_wrong_usage(pull):
    done = pull("http://127.0.0.1:1", "tiny", FILE)
    assert (done.code, done.error) == (2, "error: 'tiny' is not written OWNER/REPO")


def test_offline_mode_is_honoured(pull):
    with HubDouble({FILE: SMALL}) as hub:
        done = pull(hub, HF_HUB_OFFLINE="1")
    assert "the hub's client is set to offline" in done.error
    assert hub.hub_saw == []


def test_a_file_larger_than_the_disk_is_not_begun(pull):
    with HubDouble({FILE: SMALL}, promised_size=10**15) as hub:
        done = pull(hub)
    assert "no room in" in done.error
    assert hub.storage_saw == []
