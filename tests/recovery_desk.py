"""Phones that stop working, for the tests of ``recover`` and its kin, at a lab in this process."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from check_desk import CheckDesk

from usbprov.lab import store
from usbprov.lab.registrar.signins import sign_ins
from usbprov.lab.single import SingleOptions, serve_pty
from usbprov.net.credentials import PinCredential
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.contract import Credential, Phone, PhoneSettings, SlotState
from usbprov.phone.endpoint import Endpoint, endpoint_of
from usbprov.phone.selection import select
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import build_request
from usbprov.usb.buses import open_bus
from usbprov.webservices.client import WebServices
from usbprov_drivers.smp.state import Slot
from usbprov_drivers.smp.store import Store

KILLED = Path(__file__).with_name("killed_runs.py")


class Terminal(io.StringIO):
    """Standard input at which somebody types."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Told:
    """What a command printed as JSON, and its exit code."""

    code: int
    document: dict[str, Any]

    @property
    def met(self) -> list[str]:
        return [row["name"] for row in self.document["situations"]]

    @property
    def steps(self) -> dict[str, str]:
        return {step["name"]: step["state"] for step in self.document["job"]["steps"]}

    @property
    def error(self) -> str | None:
        return self.document["error"]["code"] if "error" in self.document else None


def tell(desk: CheckDesk, command: str, phone: str, *more: str) -> Told:
    """Run a command with the lab's CA; no phone is named where ``phone`` is ""."""
    named = [phone] if phone else []
    ca_file = str(desk.lab.facts.ca_file)
    code, out, err = desk.run(command, *named, "--ca-file", ca_file, "--json", *more)
    assert out, err
    return Told(code, json.loads(out))


def recover(desk: CheckDesk, phone: str, *more: str) -> Told:
    """Recover without any secret."""
    return tell(desk, "recover", phone, *more)


def recover_with_pin(desk: CheckDesk, phone: str, *more: str, name: str = "alice") -> Told:
    """Recover with a PIN at hand; whether it is sent is another matter."""
    user = desk.user(name)
    with desk.secret("pin", user.pin) as secret:
        return recover(desk, phone, "--extension", user.extension, *secret, *more)


def servers(desk: CheckDesk) -> list[str]:
    """Options that name the lab's servers."""
    facts = desk.lab.facts
    return ["--web-services-url", facts.web_services_url, "--registrar", facts.registrar]


def signs_in(desk: CheckDesk, phone: str, name: str = "alice") -> None:
    """See, at the Registrar, that the phone signed in last of all, and what it would do alone."""
    user = desk.user(name).sip_uri
    with opened(desk, phone) as there:
        info = there.info()
    assert info.settings == PhoneSettings(
        user, desk.lab.facts.web_services_url, desk.lab.facts.registrar
    )
    assert info.slots[0].pending_key is None
    device = str(endpoint_of(info.mac).instance)
    last = [one for one in sign_ins(desk.folder / "lab") if one.device_id == device][-1]
    assert (last.sip_uri, last.scheme, last.outcome) == (user, "TLS-DSK", "signed out")
    published = [one for one in store.published(desk.folder / "lab") if one.device_id == device]
    assert info.slots[0].active_certificate in [one.sha256 for one in published]


def is_well(desk: CheckDesk, phone: str) -> None:
    """See the same, and that another look finds nothing to do."""
    before = slot_of(desk, phone)
    told = recover(desk, phone)
    assert (told.code, told.met, told.document["outcome"]) == (0, ["well"], "well"), told.document
    assert told.document["job"] is None
    assert told.document["state"]["published"] is True
    assert told.document["state"]["trusts"] is True
    assert slot_of(desk, phone) == before


@contextmanager
def opened(desk: CheckDesk, phone: str) -> Iterator[Phone]:
    """Open a phone, to do to it what no command does."""
    bus = desk.lab.facts.bus
    assert bus is not None
    with closing(select(candidates([open_bus(bus)], Reach()), phone or None, []).open()) as there:
        yield there


def slot_of(desk: CheckDesk, phone: str) -> SlotState:
    with opened(desk, phone) as there:
        return there.info().slots[0]


def publish(
    desk: CheckDesk, endpoint: Endpoint, request: bytes | None = None, name: str = "alice"
) -> bytes:
    """Have a certificate published, as another program or computer would."""
    user, facts = desk.user(name), desk.lab.facts
    if request is None:
        request = build_request(generate_rsa(), user.sip_uri)
    with WebServices(facts.web_services_url, ca_file=facts.ca_file) as services:
        ticket = services.ticket(PinCredential(user.extension, user.pin), endpoint, user.sip_uri)
        return services.publish(ticket, request, endpoint)


def give(desk: CheckDesk, phone: str, *faults: str, name: str = "alice") -> None:
    """Give a phone a key and a certificate that the program would not: the lab misbehaves."""
    user, facts = desk.user(name), desk.lab.facts
    with opened(desk, phone) as there:
        there.generate_key(0, 2048, bytes(16), replace=True, progress=lambda _: None)
        desk.fault(*faults)
        endpoint = endpoint_of(there.info().mac)
        request = there.request(0, user.sip_uri.removeprefix("sip:"))
        issued = publish(desk, endpoint, request, name)
        desk.heal()
        there.set_clock(load_certificate(issued).not_valid_after_utc - timedelta(seconds=1))
        settings = PhoneSettings(user.sip_uri, facts.web_services_url, facts.registrar)
        there.install(0, Credential(issued), settings, lambda _: None)
        there.set_clock(datetime.now(UTC))


def kill_provisions(desk: CheckDesk, cases: Sequence[tuple[str | None, str, list[str]]]) -> None:
    """Provision phones, and kill each program (-9) at its moment.

    Args:
        desk: The lab.
        cases: Moment, or None for a program that comes to its end; phone; and further options.
    """
    facts, user = desk.lab.facts, desk.user()
    front = ["--bus", str(facts.bus), "--ledger", str(desk.folder / "ledger.sqlite3"), "provision"]
    back = ["--extension", user.extension, *servers(desk), "--ca-file", str(facts.ca_file)]
    given = [(moment, [*front, phone, *back, *more], user.pin) for moment, phone, more in cases]
    ended = subprocess.run(
        [sys.executable, KILLED],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    expected = [0 if moment is None else -9 for moment, _, _ in cases]
    assert json.loads(ended.stdout or "[]") == expected, ended.stderr


@dataclass
class Alone:
    """A phone on a line of its own, whose memory can be changed while it has no power."""

    desk: CheckDesk
    folder: Path
    index: int
    personality: Mapping[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def plug(self) -> CheckDesk:
        """Give it power; returns the desk at which it is."""
        options = SingleOptions(self.folder, self.index, personality=self.personality)
        facts = self._stack.enter_context(serve_pty(options))
        lab = _LabOfPhone(self.desk.lab, facts.bus)
        return replace(self.desk, lab=lab)  # type: ignore[arg-type]

    def pull(self) -> None:
        self._stack.close()

    def change(self, **changes: Any) -> None:
        """Change what its memory holds: fields of ``State``, or of slot 0."""
        store = Store(self.folder / "phones" / f"{self.index:03}.state", _nothing)
        state, slot = store.state, store.state.slots[0]
        of_slot = {name: value for name, value in changes.items() if hasattr(Slot(), name)}
        of_phone = {name: value for name, value in changes.items() if name not in of_slot}
        state = state.with_slot(0, replace(slot, **of_slot))
        store.update(replace(state, **of_phone))


def _nothing() -> Any:
    raise AssertionError("the phone has no state yet")


class _LabOfPhone:
    """The lab, and another bus."""

    def __init__(self, lab: Any, bus: str | None) -> None:
        self._lab = lab
        self.facts = replace(lab.facts, bus=bus)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lab, name)
