"""The stage of one worker: a lab, one emulated phone on a bus, and the ledger's folder.

The phone and the servers are in this process, and live on when the program is killed. Between two
cut points everything is put back as it was before the first.
"""

import itertools
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa
from processes import own_environment

from cutpoints import disk
from cutpoints.programs import Command, Ended, Forge, Running
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.lab.layout import Layout
from usbprov.lab.up import Lab, LabOptions
from usbprov.pki.certificates import load_pem_certificates, to_der
from usbprov.pki.keys import to_pkcs8
from usbprov.usbip import Direction
from usbprov_drivers.smp import jobs
from usbprov_drivers.smp.emulator import boot, device_around
from usbprov_drivers.smp.state import State
from usbprov_drivers.smp.store import Store

PORT, OTHER_PORT = "1-1", "1-2"
MAC = "02:00:5e:00:00:01"
"""Of the phone."""

PIN = "730184265591"
"""Long enough not to be found by chance where it is looked for."""

PASSPHRASE = "seven wet geese 418"
"""Of sealed files."""

_KEYS = 3
"""How many keys one program makes at most."""

_USERS = f"""
[[users]]
sip_uri = "sip:alice@contoso.test"
extension = "1001"
pin = "{PIN}"
password = "Lab-word-1001"
"""


@dataclass
class Phone:
    """The emulated phone, and where it is plugged in."""

    spec: PhoneSpec
    exporter: Exporter
    port: str = PORT
    pulled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._boot()

    def _boot(self) -> None:
        self.firmware = boot(self.spec)
        self.device = device_around(self.firmware)
        self.device.watch(self._moved)
        self.pulled.clear()
        self.exporter.attach(self.port, self.device)

    def _moved(self, plugged: bool) -> None:
        if not plugged:
            self.pulled.set()

    @property
    def state(self) -> State:
        """What is in its durable memory, read from the file."""
        return Store(self.spec.state, _no_factory).state

    def pull_after(self, count: int) -> None:
        """Have the cable pulled within the next transfer to it, or right after its last byte."""
        self.device.faults.unplug_after(count, Direction.OUT)

    def pull(self) -> None:
        """Pull the cable now."""
        self.device.unplug()

    def put_back(self, port: str = PORT) -> None:
        """Put the cable back; the phone has been on all the time."""
        self.device.faults.clear()
        if port == self.port:
            self.device.plug()
            self.pulled.clear()
            return
        self.exporter.detach(self.port)
        self.port = port
        self.device.plug()
        self.pulled.clear()
        self.exporter.attach(port, self.device)

    def lose_power(self) -> None:
        """Cut the power; what comes back is what the durable memory has."""
        self.take_away()
        self.port = PORT
        self._boot()

    def take_away(self) -> None:
        """Take the phone out, and its power with it."""
        self.device.unplug()
        self.firmware.restart()
        self.exporter.detach(self.port)


def _no_factory() -> State:
    raise AssertionError("the phone has lost its memory")


@dataclass(frozen=True)
class Snapshot:
    """Everything that lasts, as it was before a job: phone, ledger, published certificates."""

    phone: bytes | None
    ledger: Path
    published: tuple[tuple[object, ...], ...]


class Stage:
    """A context manager; its folder should be on a disk that is memory."""

    def __init__(
        self,
        folder: Path,
        forge: Forge,
        keys: Sequence[rsa.RSAPrivateKey],
        *,
        may_mount: bool = False,
    ) -> None:
        self.folder, self._forge, self._may_mount = folder, forge, may_mount
        self._stack = ExitStack()
        self._keys = itertools.cycle(keys)
        self._calls: list[str] = []
        self.home = folder / "home"
        self.mistake: str | None = None
        self._last: tuple[tuple[str, str], Ended, Snapshot, list[str]] | None = None

    def __enter__(self) -> Self:
        from lab_keys import seed

        for name in ("home", "lab"):
            (self.folder / name).mkdir(mode=0o700)
        self.has_disk = self._may_mount and disk.mount(self.home)
        self._stack.callback(disk.unmount, self.home)
        users = self.folder / "users.toml"
        users.write_text(_USERS)
        options = LabOptions(seed(self.folder / "lab"), users_file=users)
        self.lab = self._stack.enter_context(Lab(options, self._calls.append))
        self.exporter = self._stack.enter_context(Exporter({}))
        roots = load_pem_certificates(Path(self.lab.facts.ca_file).read_bytes())
        self._roots = tuple(map(to_der, roots))
        jobs.generate_rsa = lambda _bits=2048: next(self._keys)
        self.phone: Phone | None = None
        self._warm_up()
        return self

    def _warm_up(self) -> None:
        """Run the program once where all others are forked from."""
        self.clear({})
        arguments = ["provision", "--extension", "1001", "--pin-stdin", "--json"]
        arguments += [*self.servers, *self.trusting]
        warm = replace(self.command(arguments, None, None), warms=True)
        with self._forge.run(warm) as running:
            ended = running.wait()
        assert ended.code == 0, ended.err

    def __exit__(self, *_: object) -> None:
        if self.phone is not None:
            self.phone.take_away()
        self._stack.close()

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.home / "ledger.sqlite3"

    # --- the world before a job

    def clear(self, personality: dict[str, str]) -> None:
        """Have a new phone, an empty ledger, and nothing published."""
        self.put(Snapshot(None, Path(os.devnull), ()), personality)

    def put(self, snapshot: Snapshot, personality: dict[str, str]) -> None:
        """Put everything back as it was."""
        if self.phone is not None:
            self.phone.take_away()
        self.lab.faults.clear()
        for old in self.home.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        if snapshot.ledger.is_dir():
            shutil.copytree(snapshot.ledger, self.home, dirs_exist_ok=True)
        state = self.folder / "phone.state"
        state.unlink(missing_ok=True)
        if snapshot.phone is not None:
            state.write_bytes(snapshot.phone)
        self._publish(snapshot.published)
        self.phone = Phone(PhoneSpec(1, state, self._roots, personality), self.exporter)
        self._calls.clear()

    def keep(self, name: str) -> Snapshot:
        """Keep everything as it is."""
        kept = self.folder / name
        shutil.copytree(self.home, kept)
        state = (self.folder / "phone.state").read_bytes()
        return Snapshot(state, kept, tuple(self.published()))

    def after(self, key: tuple[str, str], cut: Callable[[], Ended]) -> Ended:
        """Have the world as it is after a cut, which is made only once for several points."""
        if self._last is None or self._last[0] != key:
            ended = cut()
            shutil.rmtree(self.folder / "last", ignore_errors=True)
            self._last = key, ended, self.keep("last"), list(self._calls)
        _, ended, snapshot, calls = self._last
        assert self.phone is not None
        self.put(snapshot, dict(self.phone.spec.personality))
        self._calls[:] = calls
        return ended

    # --- the other side

    @property
    def _store(self) -> Path:
        (store,) = Layout(self.folder / "lab").stores.glob("*.sqlite")
        return store

    def published(self) -> list[tuple[object, ...]]:
        """Return the rows of the user store."""
        with closing(sqlite3.connect(self._store)) as store:
            return store.execute("SELECT * FROM certificate").fetchall()

    def certificates(self) -> list[bytes]:
        """Return the published certificates, DER."""
        with closing(sqlite3.connect(self._store)) as store:
            return [der for (der,) in store.execute("SELECT der FROM certificate")]

    def private_parts(self) -> list[bytes]:
        """Return a piece of each private key that there is: what must be nowhere else."""
        assert self.phone is not None
        slot = self.phone.state.slots[0]
        return [key.pkcs8[-64:] for key in (slot.key, slot.pending_key) if key]

    def _publish(self, rows: Sequence[tuple[object, ...]]) -> None:
        with closing(sqlite3.connect(self._store, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            store.execute("DELETE FROM certificate")
            for row in rows:
                marks = ",".join("?" * len(row))
                store.execute(f"INSERT INTO certificate VALUES ({marks})", row)  # noqa: S608
            store.execute("COMMIT")

    def calls(self, *words: str) -> int:
        """Say how many calls the lab has seen whose line has all these words."""
        return sum(all(word in line for word in words) for line in self._calls)

    def settle(self) -> None:
        """Wait until the phone has done all that it was told, and nobody holds it."""
        assert self.phone is not None
        deadline = time.monotonic() + 20
        while self.exporter._connections or self.phone.firmware._jobs.running():
            assert time.monotonic() < deadline, "the phone does not come to rest"
            time.sleep(0.001)

    def settle_servers(self, sent: int) -> None:
        """Wait until the Web Services are through with so many calls, whoever still listens."""
        deadline = time.monotonic() + 20
        while self.calls(" GET /") + self.calls(" POST /") < sent:
            assert time.monotonic() < deadline, "the server does not end its calls"
            time.sleep(0.001)

    # --- the program

    def command(self, arguments: Sequence[str], at: str | None, act: str | None) -> Command:
        """Put a command together."""
        assert self.phone is not None
        start = ["--bus", self.exporter.uri, "--ledger", str(self.ledger)]
        locks = {"USBPROV_LOCK_DIR": str(self.folder / "locks")}
        environment = own_environment(self.folder) | locks
        keys = [to_pkcs8(next(self._keys)).hex() for _ in range(_KEYS)]
        words = [*start, *arguments]
        return Command(
            words,
            PIN + "\n",
            environment,
            str(self.folder),
            at=at,
            act=act,
            mistake=self.mistake,
            whispered=PASSPHRASE + "\n",
            keys=keys,
        )

    @contextmanager
    def running(
        self, arguments: Sequence[str], at: str | None = None, act: str | None = None
    ) -> Iterator[Running]:
        """Run the program in the background."""
        with self._forge.run(self.command(arguments, at, act)) as running:
            yield running

    def run(self, arguments: Sequence[str], at: str | None = None, act: str | None = None) -> Ended:
        """Run the program to its end."""
        with self.running(arguments, at, act) as running:
            return running.wait()

    @property
    def servers(self) -> list[str]:
        """The options that name the servers."""
        facts = self.lab.facts
        return ["--web-services-url", facts.web_services_url, "--registrar", facts.registrar]

    @property
    def trusting(self) -> list[str]:
        """The option by which they are trusted."""
        return ["--ca-file", str(self.lab.facts.ca_file)]
