"""The program is killed (-9) while it prepares or applies a file; a repeat comes to the end."""

import os
import signal
import warnings
from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.engine.job import Job
from usbprov.engine.offline.preparing import prepare_course
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.runner import Runner
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import Way
from usbprov.offline.envelope import Lock
from usbprov.offline.files import SealedFile, open_sealed
from usbprov.offline.package import Package, present
from usbprov.offline.paper import PaperPhone
from usbprov.offline.unseen import unseen_phone
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest
from usbprov.pki.requests import load_request
from usbprov.pki.scrypt import Cost

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
ORDER = Order(URL, CredentialOrder((Way.PIN,), "1001"), registrar="fe01", key=KeySource.HOST)
PASSPHRASE = "correct horse battery"
CHEAP = Cost(1 << 12, 8, 1)
KEYS = cycle([generate_rsa() for _ in range(2)])


LOCK = Lock.new(PASSPHRASE, CHEAP)


@pytest.fixture(autouse=True)
def _what_takes_long_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each key, and derive the one of the file, once; other tests see to these."""
    monkeypatch.setattr("usbprov.offline.paper.from_pkcs8", cache(from_pkcs8))
    monkeypatch.setattr(Lock, "of", lambda *_: LOCK)


class LoggingServices(MemoryServices):
    """Writes down, beyond any kill, for which keys it was asked to publish."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def publish(self, *arguments: Any) -> bytes:
        answer = super().publish(*arguments)
        with self._log.open("a") as file:
            file.write(key_digest(load_request(arguments[1]).public_key()) + "\n")
        return answer


def prepare(folder: Path) -> Result:
    path = folder / "alice.usbprov"
    if path.exists():
        sealed, package = open_sealed(path, PASSPHRASE)
    else:
        blank = Package(present(), unseen_phone("02:00:00:00:00:01", None, None))
        sealed, package = SealedFile(path, LOCK), blank
    paper = PaperPhone(sealed, package)
    services = LoggingServices(folder / "published")
    with Ledger(folder / "ledger.sqlite3") as ledger:
        job = Job(ORDER, paper, ledger, lambda: services, lambda: "720511", MemoryRegistrar)
        job.make_key = lambda _bits: next(KEYS)
        return Runner(job, lambda _event: None, prepare_course(paper)).run()


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(where: object, name: str, *, after: bool) -> Callable[[], None]:
    """Return what makes this process die before or after a call, from then on."""

    def arm() -> None:
        real = getattr(where, name)

        def call(*arguments: Any, **named: Any) -> None:
            if after:
                real(*arguments, **named)
            die()

        setattr(where, name, call)

    return arm


def killed(folder: Path, arm: Callable[[], None]) -> None:
    """Prepare in a process of its own, which dies where it was armed to."""
    with warnings.catch_warnings():  # of threads: the child has none, and execs nothing
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            arm()
            prepare(folder)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


POINTS = [
    (where, name, after)
    for where, name in (
        (PaperPhone, "carry"),
        (PaperPhone, "import_key"),
        (PaperPhone, "request"),
        (LoggingServices, "publish"),
        (Ledger, "keep"),
        (PaperPhone, "install"),
        (PaperPhone, "prove"),
        (os, "fsync"),
    )
    for after in (False, True)
]


@pytest.mark.parametrize(
    ("where", "name", "after"),
    POINTS,
    ids=[f"{'after' if after else 'before'} {name}" for _, name, after in POINTS],
)
def test_a_repeat_of_prepare_goes_on_with_the_same_key(
    tmp_path: Path, where: object, name: str, after: bool
) -> None:
    killed(tmp_path, dying(where, name, after=after))
    path = tmp_path / "alice.usbprov"
    begun = open_sealed(path, PASSPHRASE)[1] if path.exists() else None
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        answered = [kept for job in ledger.jobs() for kept in ledger.artifacts(job.id)]
    asked_before = _published(tmp_path)

    result = prepare(tmp_path)
    assert result.outcome in {Outcome.PREPARED, Outcome.ALREADY_PREPARED}
    package = open_sealed(path, PASSPHRASE)[1]
    assert package.key is not None
    if begun and begun.key:
        assert package.key == begun.key
    assert set(_published(tmp_path)) == {package.key.sha256}
    if any(kept.kind == "certificate" for kept in answered):
        assert _published(tmp_path) == asked_before


def _published(folder: Path) -> list[str]:
    log = folder / "published"
    return log.read_text().split() if log.exists() else []
