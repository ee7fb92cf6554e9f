"""A bench over phones and servers in memory, at a table where phones are plugged and pulled."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import wait_for

from doubles.bus import MemoryBus
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices
from usbprov.bench.again import Patience
from usbprov.bench.assignment import Assigner, Next
from usbprov.bench.bench import Bench, Setup
from usbprov.bench.limits import Bounds, CallLimit, LimitedRegistrar, LimitedServices
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.secrets import Secrets
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView
from usbprov.engine.job import SignsIn
from usbprov.engine.order import CredentialOrder, Order
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import CredentialRefused, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import PinCredential
from usbprov.phone.candidates import Reach
from usbprov.phone.contract import Capability
from usbprov.phone.endpoint import Endpoint
from usbprov.usb.locks import PhoneLocks

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
BUS = "usbip://127.0.0.1:1"
PIN = "720511"
HURRIED = Patience(seconds=60, first_wait=0.02, longest_wait=0.1, occupied_wait=0.02)


def roster(count: int, name: str = "shift") -> Roster:
    """Users 1001 …, whose PIN is always the same."""
    lines = range(1, count + 1)
    entries = (RosterEntry(n, str(1000 + n), f"sip:u{1000 + n}@contoso.test") for n in lines)
    return Roster(name, tuple(entries), dict.fromkeys(lines, PIN))


@dataclass
class UserServices(MemoryServices):
    """Web Services for every extension: the certificate is the ticket's user's."""

    servers: "MemoryServers | None" = None

    def ticket(self, credential: Any, endpoint: Endpoint, user: str | None) -> Any:
        assert self.servers is not None
        assert isinstance(credential, PinCredential)
        self.servers.pins.append((credential.extension, credential.pin))
        self.servers.called("ticket", credential.extension)
        if credential.extension in self.servers.wrong_pins:
            raise CredentialRefused("pool.contoso.test", "the PIN is wrong")
        self.user = f"sip:u{credential.extension}@contoso.test"
        ticket = super().ticket(credential, endpoint, user)
        self.servers.tickets[self.user] = ticket
        return ticket

    def kept_ticket(self, user: str) -> Any:
        assert self.servers is not None
        return self.servers.tickets.get(user)

    def publish(self, ticket: Any, request: bytes, endpoint: Endpoint) -> bytes:
        assert self.servers is not None
        self.servers.called("publish", ticket.sip_uri)
        self.user = ticket.sip_uri
        certificate = super().publish(ticket, request, endpoint)
        self.servers.published[ticket.sip_uri] += 1
        return certificate

    def close(self) -> None:
        self.calls.append("close")


@dataclass
class MemoryServers:
    """Counts what is asked; ``errors`` are raised first, one a call, whoever asks."""

    limit: CallLimit = field(default_factory=lambda: CallLimit(16))
    errors: dict[str, list[UsbprovError]] = field(default_factory=dict)
    wrong_pins: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    pins: list[tuple[str, str]] = field(default_factory=list)
    published: Counter[str] = field(default_factory=Counter)
    tickets: dict[str, Any] = field(default_factory=dict)
    registrar_double: MemoryRegistrar = field(default_factory=MemoryRegistrar)
    hold: threading.Event | None = None
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def called(self, call: str, whose: str) -> None:
        with self.lock:
            self.calls.append((call, whose))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            failing = self.errors.get(call)
            error = failing.pop(0) if failing else None
        if self.hold is not None:
            assert self.hold.wait(30)
        with self.lock:
            self.at_once -= 1
        if error is not None:
            raise error

    @contextmanager
    def services(self, go_on: Callable[[], None]) -> Iterator[LimitedServices]:
        services = UserServices(servers=self)
        yield LimitedServices(services, self.limit, go_on, lambda ask: ask())

    @contextmanager
    def registrar(self, go_on: Callable[[], None]) -> Iterator[SignsIn]:
        yield LimitedRegistrar(self.registrar_double, self.limit, go_on)

    def forget(self, user: str) -> None:
        self.tickets.pop(user, None)


def phone(number: int, **more: Any) -> MemoryPhone:
    """Phone ``number``: the same serial number and MAC address whenever it is asked for."""
    return MemoryPhone(serial=f"MEM{number}", mac=f"02:00:00:00:00:{number:02x}", **more)


NO_KEYGEN = ALL - {Capability.GENERATE_KEY}


@dataclass
class Table:
    """A bench that runs, and the hands at it."""

    bench: Bench
    bus: MemoryBus
    servers: MemoryServers
    ledger: Ledger
    running: threading.Thread
    views: list[BenchView]

    def plug(self, path: str, what: MemoryPhone) -> None:
        what.fail_at = None
        self.bus.phones = {**self.bus.phones, path: what}

    def pull(self, path: str) -> None:
        """Pull a cable: every call to the phone fails from now on."""
        self.bus.phones[path].fail_at = "*"
        self.bus.phones = {at: p for at, p in self.bus.phones.items() if at != path}

    def view(self, path: str) -> PortView | None:
        ports = (v for v in self.bench.feed.latest() if isinstance(v, PortView))
        return next((view for view in ports if view.label == path), None)

    def wait(self, path: str, *states: PortState) -> PortView:
        def there() -> PortView | None:
            view = self.view(path)
            return view if view is not None and view.state in states else None

        found: PortView = wait_for(there, f"{path} to be {' or '.join(states)}")
        return found

    def stop(self) -> None:
        self.bench.stop()
        self.running.join(30)
        assert not self.running.is_alive()


def make_setup(users: Roster, assigner: Assigner | None = None, **more: Any) -> Setup:
    order = Order(URL, CredentialOrder(()), registrar="fe01.contoso.test")
    options: dict[str, Any] = {
        "bounds": Bounds(key_threads=2, keys_ahead=0),
        "patience": HURRIED,
        "retries": RetryPolicy(attempts=1),
        "return_seconds": 20,
    }
    found = options | more
    order = found.pop("order", order)
    return Setup("one", users, assigner or Next(users), Secrets((users,)), order, **found)


@contextmanager
def table(
    folder: Path,
    setup: Setup,
    *,
    phones: dict[str, MemoryPhone] | None = None,
    servers: MemoryServers | None = None,
    once: bool = False,
    until: int | None = None,
) -> Iterator[Table]:
    """Run a bench in a thread; the ledger is in ``folder``, so that another may go on with it."""
    bus, others = MemoryBus(BUS, dict(phones or {})), servers or MemoryServers()
    reach = Reach(locks=PhoneLocks(folder / "locks"))
    views: list[BenchView] = []
    with (
        Ledger(folder / "ledger.sqlite3") as ledger,
        Bench(setup, others, ledger, [bus], reach, _label) as bench,
    ):
        running = threading.Thread(
            target=lambda: views.append(bench.run(once=once, until=until)), daemon=True
        )
        here = Table(bench, bus, others, ledger, running, views)
        running.start()
        try:
            yield here
        finally:
            here.stop()


def _label(address: str) -> str:
    return address.rpartition("/")[2]
