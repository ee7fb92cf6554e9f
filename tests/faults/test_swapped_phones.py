"""Phones are pulled, swapped and moved while a job runs: nothing reaches the wrong one."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.engine.events import Event, PhoneAwaited
from usbprov.engine.job import Job
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome
from usbprov.engine.runner import Runner
from usbprov.errors import Interrupted, PhoneChanged, UsbError, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState
from usbprov.net.credentials import Way
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.holding import hold
from usbprov.phone.selection import select
from usbprov.pki import keys
from usbprov.usb.buses import open_bus
from usbprov.usb.locks import PhoneLocks
from usbprov.usbip import Direction
from usbprov_drivers.smp.emulator import EMULATOR

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
ORDER = Order(URL, CredentialOrder((Way.PIN,), "1001"), key=KeySource.HOST)
OURS, OTHERS, EMPTY = "1-1", "1-2", "1-3"
TAKES = {"import-key": ""}
KEY = keys.generate_rsa()


@dataclass
class Bench:
    """Two phones on one bus, and a hand that moves them."""

    folder: Path
    exporter: Exporter
    ours: UsbDevice
    other: UsbDevice

    def put(self, ours: str, other: str) -> None:
        """Pull both cables and plug them in elsewhere."""
        for path in (OURS, OTHERS, EMPTY):
            self.exporter.detach(path)
        for path, phone in ((ours, self.ours), (other, self.other)):
            phone.unplug()
            self.exporter.attach(path, phone)
            phone.plug()

    def memory(self, index: int) -> bytes:
        """What a phone's flash holds."""
        return (self.folder / str(index)).read_bytes()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(keys, "generate_rsa", lambda _bits: KEY)
    ours, other = (EMULATOR.make(PhoneSpec(i, tmp_path / str(i), (), TAKES)) for i in (1, 2))
    with Exporter({OURS: ours, OTHERS: other}) as exporter:
        yield Bench(tmp_path, exporter, ours, other)


PLACES = {"back": (OURS, OTHERS), "swapped": (OTHERS, OURS), "moved": (EMPTY, OTHERS)}


@dataclass
class Ended:
    error: UsbprovError | None
    outcome: Outcome


def provision(bench: Bench, ledger: Ledger, hand: "Hand") -> Ended:
    bus = open_bus(bench.exporter.uri)
    found = candidates([bus], Reach(locks=PhoneLocks(bench.folder / "locks")))
    with hold(select(found, "serial:EMU0001", [bus])) as held:
        services = MemoryServices()
        job = Job(
            ORDER, held.phone, ledger, lambda: services, lambda: "7205", MemoryRegistrar, held, 1.0
        )
        runner = Runner(job, hand)
        try:
            return Ended(None, runner.run().outcome)
        except UsbprovError as error:
            return Ended(error, runner.result(error).outcome)


class Hand:
    """Pulls our phone after so many bytes, and plugs it in again when the job waits for it."""

    def __init__(self, bench: Bench, dice: random.Random) -> None:
        self.bench = bench
        self.place = dice.choice(list(PLACES))
        way = dice.choice(list(Direction))
        bench.ours.faults.unplug_after(dice.randrange(40, 6000), way)
        self._done = threading.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhoneAwaited) and not self._done.is_set():
            self._done.set()
            self.bench.put(*PLACES[self.place])


@pytest.mark.parametrize("seed", range(30))
def test_only_the_phone_of_the_job_is_ever_written_to(bench: Bench, seed: int) -> None:
    untouched = bench.memory(2)
    hand = Hand(bench, random.Random(seed))  # noqa: S311
    with Ledger(bench.folder / "ledger.sqlite3") as ledger:
        try:
            ended = provision(bench, ledger, hand)
        except UsbError as gone:  # before the job was begun
            ended = Ended(gone, Outcome.FAILED)
        assert bench.memory(2) == untouched, f"seed {seed}, {hand.place}"
        awaited = hand._done.is_set()
        if awaited and hand.place == "swapped":
            assert isinstance(ended.error, PhoneChanged)
        if awaited and hand.place == "moved":
            assert isinstance(ended.error, Interrupted | UsbError)
        if ended.error is None:
            assert ended.outcome is Outcome.PROVISIONED
        bench.ours.faults.clear()
        if not awaited:
            bench.put(OURS, OTHERS)
        calm = provision(bench, ledger, hand)  # wherever the phone is now
        assert calm.error is None, f"seed {seed}, {hand.place}: {calm.error}"
        (done,) = [job for job in ledger.jobs() if job.state is JobState.DONE]
        certificates = [
            record
            for record in ledger.artifacts(done.id)
            if record.kind is ArtifactKind.CERTIFICATE
        ]
        assert len(certificates) == 1
        assert bench.memory(2) == untouched
