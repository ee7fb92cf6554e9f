"""What stands on the table: a lab, a bus with ports to plug phones into, and the bench."""

import contextlib
import http.client
import itertools
import json
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from board_client import link_in, session
from processes import Station, wait_for

from soak.hands import Staged
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.lab.layout import Layout
from usbprov.lab.users import LabUser, synthetic_users, write_users
from usbprov.pki.certificates import load_pem_certificates, to_der
from usbprov_drivers.smp.emulator import EMULATOR
from usbprov_drivers.smp.store import Store

WRONG_PIN = "000000"
"""No user of the lab has it."""

_WRONG_EVERY = 50
"""Every so many users' PIN in the roster is wrong."""

_KINDS: Sequence[Mapping[str, str]] = (
    {}, {}, {}, {"no-keygen": ""}, {"no-keygen": ""}, {"restarts": ""},
)  # fmt: skip
"""What phones are like, each as often as any other."""

_KEYGEN_SECONDS = (1, 12)
"""How long a phone takes to make its key, at least and at most."""

_FAREWELL = 60.0
"""Seconds for the bench to end."""


class Box:
    """Where fresh phones come from, and where they go. Each has a number of its own."""

    def __init__(self, lab: Path, bus: Exporter, chance: random.Random) -> None:
        layout = Layout(lab)
        self._folder = layout.phones
        self._roots = tuple(map(to_der, load_pem_certificates(layout.root_ca.read_bytes())))
        self._bus = bus
        self._chance = chance
        self._numbers = itertools.count(1)

    def fresh(self) -> "Phone":
        """Take a phone out of its box."""
        index = next(self._numbers)
        kind = dict(self._chance.choice(_KINDS))
        kind["keygen-seconds"] = str(self._chance.randint(*_KEYGEN_SECONDS))
        state = self._folder / f"{index:05}.state"
        device = EMULATOR.make(PhoneSpec(index, state, self._roots, kind))
        return Phone(device, state, self._bus)


class Phone:
    """An emulated phone and its cable (``soak.hands.Cable``)."""

    def __init__(self, device: UsbDevice, state: Path, bus: Exporter) -> None:
        self._state = state
        self._device = device
        self._bus = bus
        self._path = ""

    @property
    def serial(self) -> str:
        """Its serial number."""
        return self._device.identity.serial or ""

    def plug(self, path: str) -> None:
        """Plug it in; the phone itself has its power from elsewhere."""
        self._path = path
        self._bus.attach(path, self._device)
        self._device.plug()

    def pull(self) -> None:
        """Pull the cable."""
        self._device.unplug()
        self._bus.detach(self._path)

    def put_away(self, said: Staged | None) -> str:
        """See that it holds what the bench said, and throw it away; returns what is wrong."""
        holds = self.holds()
        self._state.unlink()
        return "" if holds == said else f"it holds {holds}, and the bench said {said}"

    def holds(self) -> Staged | None:
        """Return whose certificate is in force, by the phone's own memory; None: nobody's."""
        slot = Store(self._state, _no_state).state.slots[0]
        if slot.certificate is None or slot.settings is None:
            return None
        return Staged(slot.settings.sip_uri or "", sha256(slot.certificate).hexdigest())


def _no_state() -> NoReturn:
    msg = "the phone has no memory"
    raise AssertionError(msg)


def write_lab_users(path: Path, count: int) -> None:
    """Write a users file of the lab."""
    write_users(path, synthetic_users(count))


def write_roster(path: Path, users: Sequence[LabUser]) -> None:
    """Write the lab's users as a roster; some have a wrong PIN in it."""
    lines = ["extension,sip address,pin"]
    for number, user in enumerate(users, 1):
        pin = WRONG_PIN if number % _WRONG_EVERY == 0 else user.pin
        lines.append(f"{user.extension},{user.sip_uri},{pin}")
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


class Bench:
    """The program's process, and who reads what it says."""

    def __init__(self, process: "subprocess.Popen[str]", take: Callable[[Any], None]) -> None:
        self.process = process
        self.summary: dict[str, Any] = {}
        self._take = take
        self._reader = threading.Thread(target=self._read, name="bench-views")
        self._reader.start()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def end(self) -> int:
        """Ask it to end, as Ctrl-C does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(_FAREWELL)
        self._reader.join()
        return code

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if not line.startswith('{"view"'):
                return  # an error, which is told in several lines, and is the last
            view = json.loads(line)
            if view["view"] == "port":
                self._take(view)
            elif view["view"] == "summary":
                self.summary = view


@contextlib.contextmanager
def bench(at: Station, bus: Exporter, roster: Path, take: Callable[[Any], None]) -> Iterator[Bench]:
    """Run the bench; what it says besides goes to a file beside the roster."""
    facts = at.facts
    servers = ["--web-services-url", facts["web_services_url"], "--ca-file", facts["ca_file"]]
    options = ["--registrar", facts["registrar"], "--name", "soak", "--board", "0", "--json"]
    command = at.command("bench", "run", str(roster), *servers, *options, bus=bus.uri)
    with roster.with_suffix(".err").open("w") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=at.environment,
        )
    try:
        yield Bench(process, take)
    finally:
        process.kill()
        process.wait()


class Browser:
    """Looks at the board again and again, and is closed in the middle of it each time."""

    def __init__(self, errors: Path, looks: float = 5.0, pauses: float = 10.0) -> None:
        """Begin.

        Args:
            errors: The file in which the bench says where its board is.
            looks: Seconds that it looks on.
            pauses: Seconds until it is opened again.
        """
        self.looked = 0
        self._link = wait_for(lambda: link_in(errors.read_text()), "the board")
        self._looks, self._pauses = looks, pauses
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="browser")
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._pauses):
            port, token = self._link
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with contextlib.closing(connection):
                self._look(connection, token)

    def _look(self, connection: http.client.HTTPConnection, token: str) -> None:
        _, headers = session(connection, token)
        connection.request("GET", "/events", headers=headers)
        with connection.getresponse() as stream:
            if not stream.readline().startswith(b"event: state"):
                return
            self.looked += 1
            self._over.wait(self._looks)
