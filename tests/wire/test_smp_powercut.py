"""The power is cut (kill -9) while the phone works: what it said is durable is there, and whole."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from smp_links import NONCE, a_phone, issue, quiet

from usbprov.phone.contract import POSSESSION_PREFIX, ObjectKind, PhoneSettings
from usbprov.pki.keys import generate_rsa, key_digest, to_pkcs8

KEYS = [generate_rsa(), generate_rsa()]
CERTIFICATES = [issue(key.public_key()) for key in KEYS]
CHAINS = [b"".join([certificate] * 3) for certificate in CERTIFICATES]
SETTINGS = [PhoneSettings(f"sip:{name}@contoso.test", f"https://{name}/") for name in "ab"]

GIVEN = """
import signal, sys
from pathlib import Path
from smp_links import a_phone, quiet
from usbprov.phone.contract import Credential, PhoneSettings

folder = Path(sys.argv[1])
phone, _, _ = a_phone(folder, personality="import-key")

def install(count, progress):
    key, certificate = map(bytes.fromhex, (folder / str(count % 2)).read_text().split())
    name = "ab"[count % 2]
    phone.import_key(0, key, count.to_bytes(16), replace=True)
    settings = PhoneSettings(f"sip:{name}@contoso.test", f"https://{name}/")
    phone.install(0, Credential(certificate, [certificate] * 3), settings, progress)
"""

SWAPPER = (
    GIVEN
    + """
count = 0
while True:
    install(count, quiet)
    count += 1
    print(count, flush=True)
"""
)

COMMITTER = (
    GIVEN
    + """
def stop(percent):
    if percent >= int(sys.argv[2]):
        print(percent, flush=True)
        signal.pause()

install(0, quiet)
install(1, stop)
"""
)

KEYMAKER = """
import sys
from pathlib import Path
from smp_links import NONCE, a_phone
phone, _, _ = a_phone(Path(sys.argv[1]), personality="keygen-seconds=60")
phone.generate_key(0, 2048, NONCE, replace=False, progress=lambda _: print("at it", flush=True))
"""

SENDER = """
import sys
from pathlib import Path
from smp_links import a_phone
from usbprov_drivers.smp.messages import Kind
from usbprov_drivers.smp.transfer import Parcel, send_parcel

folder = Path(sys.argv[1])
phone, _, _ = a_phone(folder, personality="small-buffers latency=0.01")
parcel = Parcel(Kind.ROOT, (folder / "root").read_bytes())
send_parcel(phone._session, parcel, lambda at: print(at, flush=True))
"""


@contextmanager
def running(code: str, *arguments: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """A phone in a process of its own; it is killed in the end, whatever happens."""
    here = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", least: int) -> int:
    """Read numbers that the process prints until one is ``least`` or more."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= least:
            return int(line)
    raise AssertionError(f"the phone's process ended with {process.wait()}")


def cut_power(process: "subprocess.Popen[str]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_the_power_cut_while_credentials_are_swapped_leaves_one_of_them_whole(
    tmp_path: Path,
) -> None:
    """The moments come from pytest-randomly's seed, which the run's header shows."""
    write_keys(tmp_path)
    for _ in range(3):
        with running(SWAPPER, tmp_path) as process:
            read_until(process, 2)
            time.sleep(random.uniform(0, 0.03))  # noqa: S311
            cut_power(process)
        check_whole(tmp_path)


def write_keys(folder: Path) -> None:
    for number, key in enumerate(KEYS):
        lines = [to_pkcs8(key).hex(), CERTIFICATES[number].hex()]
        (folder / str(number)).write_text("\n".join(lines))


def check_whole(folder: Path) -> None:
    """Slot 0 holds one of the two credentials, key, certificate, chain and settings alike."""
    phone, _, _ = a_phone(folder, personality="import-key")
    certificate = phone.read(ObjectKind.CERTIFICATE, 0)
    number = CERTIFICATES.index(certificate)
    info = phone.info()
    assert info.settings == SETTINGS[number]
    assert phone.read(ObjectKind.CHAIN, 0) == CHAINS[number]
    key = KEYS[number].public_key()
    assert info.slots[0].active_key is not None
    assert info.slots[0].active_key.sha256 == key_digest(key)
    proof = phone.prove(0, NONCE)
    key.verify(proof, POSSESSION_PREFIX + NONCE, padding.PKCS1v15(), hashes.SHA256())


def test_the_power_cut_while_a_key_is_made_leaves_no_half_key(tmp_path: Path) -> None:
    with running(KEYMAKER, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at it\n"
        cut_power(process)
    phone, _, _ = a_phone(tmp_path)
    assert phone.info().slots[0].pending_key is None
    made = phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)
    assert phone.info().slots[0].pending_key == made


@pytest.mark.parametrize("least", [1, 3000, 6000])
def test_the_power_cut_during_a_transfer_loses_4096_bytes_at_most(
    tmp_path: Path, least: int
) -> None:
    root = issue(KEYS[0].public_key()) + bytes(8000)
    (tmp_path / "root").write_bytes(root)
    with running(SENDER, tmp_path) as process:
        said = read_until(process, least)
        cut_power(process)
    phone, _, firmware = a_phone(tmp_path)
    upload = firmware._store.state.inbox.uploads
    kept = len(upload[0].data) if upload else 0
    assert said - 4096 <= kept
    assert root.startswith(upload[0].data if upload else b"")
    assert phone.info().roots == frozenset()


@pytest.mark.parametrize(("stop", "new"), [(98, False), (100, True)], ids=["before", "after"])
def test_the_power_cut_around_a_commit(tmp_path: Path, stop: int, *, new: bool) -> None:
    """Before the commit's answer the old credential is in use, after it the new one."""
    write_keys(tmp_path)
    with running(COMMITTER, tmp_path, str(stop)) as process:
        read_until(process, stop)
        cut_power(process)
    check_whole(tmp_path)
    info = a_phone(tmp_path, personality="import-key")[0].info()
    assert info.slots[0].active_certificate == sha256(CERTIFICATES[new]).hexdigest()
    assert bool(info.slots[0].pending_key) is not new
