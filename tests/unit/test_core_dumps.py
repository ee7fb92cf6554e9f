"""A process that has, or had, a private key or another secret leaves no core dump."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as Linux has it")

CRASH = """
import ctypes, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (1 << 26, resource.RLIM_INFINITY))
{before}
print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
sys.stdout.flush()
os.abort()
"""
"""``PR_GET_DUMPABLE`` is 3."""

MAKERS = {
    "a key is made": "from usbprov.engine.job import make_key; make_key(2048)",
    "a passphrase is there": "from usbprov.pki.vault.keys import Passphrase; Passphrase('words')",
    "a key is sealed": "from usbprov.pki.sealing import SealingKey; SealingKey(bytes(32))",
    "keys are made ahead": """
from usbprov.bench.keypool import KeyPool
with KeyPool(2048, 1, 0) as keys:
    keys.take()
""",
}


TAKERS = {
    "a PIN is there": """
import os
from usbprov.cli.secret import secret_source
reader, writer = os.pipe()
os.write(writer, b"720511\\n")
secret_source("PIN", stdin=False, descriptor=reader, who="")()
""",
    "a file of PINs is there": """
import os
from pathlib import Path
from usbprov.bench.secrets import read_secrets
Path("pins.toml").touch(mode=0o600)
Path("pins.toml").write_text("[pins]")
read_secrets(Path("pins.toml"))
os.unlink("pins.toml")
""",
    "a roster is there": """
import os
from pathlib import Path
from usbprov.bench.rosterfile.reading import read_roster
Path("users.csv").write_text("extension,pin")
read_roster(Path("users.csv"))
os.unlink("users.csv")
""",
}


def crashed(before: str, folder: Path) -> tuple[str, list[Path]]:
    """Crash in a folder of its own; returns the limit and the flag, and what it left there."""
    done = subprocess.run(
        [sys.executable, "-c", CRASH.format(before=before)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -6, done.stderr
    return done.stdout.strip(), list(folder.iterdir())


@pytest.mark.parametrize("before", MAKERS.values(), ids=list(MAKERS))
def test_there_is_none(before: str, tmp_path: Path) -> None:
    assert crashed(before, tmp_path) == ("0 0", [])


@pytest.mark.parametrize("before", TAKERS.values(), ids=list(TAKERS))
def test_there_is_none_of_other_secrets(before: str, tmp_path: Path) -> None:
    """The process is one that others of its user may look at, all the same."""
    assert crashed(before, tmp_path) == ("1 1", [])


def test_a_process_without_a_key_stays_as_it_was(tmp_path: Path) -> None:
    """And the crash of the other tests is one that would leave a core, where this one does."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most != resource.RLIM_INFINITY:
        pytest.skip("core dumps are forbidden here anyway")
    said, left = crashed("", tmp_path)
    assert said == f"{1 << 26} 1"
    pattern = Path("/proc/sys/kernel/core_pattern").read_text("utf-8")
    if "/" not in pattern and not pattern.startswith("|"):
        assert left
