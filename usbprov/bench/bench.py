"""The bench: every phone that is plugged in gets a worker, and every board the same views."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from usbprov.bench.admission import Rules
from usbprov.bench.again import Patience
from usbprov.bench.assignment import Assigner
from usbprov.bench.desk import Desk, Numbers
from usbprov.bench.feed import Feed
from usbprov.bench.keypool import KeyPool
from usbprov.bench.leases import LEASE_SECONDS, Leases
from usbprov.bench.limits import Bounds
from usbprov.bench.neighbours import Neighbours
from usbprov.bench.pins import PinDesk
from usbprov.bench.rates import Rates
from usbprov.bench.roster import Roster
from usbprov.bench.secrets import Secrets
from usbprov.bench.servers import Servers
from usbprov.bench.shop import Shop
from usbprov.bench.states import PortState
from usbprov.bench.users import Users
from usbprov.bench.views import BenchView, PortView
from usbprov.bench.worker import Worker
from usbprov.engine.order import Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import BenchRuns, LedgerError, NoSuchPort, NotNow, UsbprovError
from usbprov.ledger import benches
from usbprov.ledger.ledger import Ledger
from usbprov.phone.candidates import Candidate, Reach, address_of
from usbprov.phone.contract import Capability, PhoneIdentity
from usbprov.phone.holding import hold
from usbprov.phone.registry import driver_for
from usbprov.usb.devices import AttachedDevice, Bus
from usbprov.usb.hotplug import Arrived, Changed, Event, Left
from usbprov.usb.watcher import Watcher

if TYPE_CHECKING:
    from usbprov.engine.sealing import SealingKeys
    from usbprov.pki.vault.vault import Vault

logger = logging.getLogger(__name__)

_AT_REST = frozenset({PortState.EMPTY, PortState.DONE, PortState.FAILED, PortState.AWAY})
"""States in which nothing is being done at a port."""

_FIRST_LOOK = 0.05
"""Seconds between two questions whether every bus has been looked at."""

_TICK = 1.0
"""Seconds after which the main thread looks round in any case."""

_FAREWELL = 20.0
"""Seconds for the workers to come to a point where they can stop; a phone may have to answer."""


@dataclass(frozen=True)
class Setup:
    """How a bench is to run.

    Attributes:
        name: The bench's name, the same whenever it is started.
        roster: Who is to be served.
        assigner: How a phone gets its user.
        secrets: PINs and passwords.
        order: What every job does; user and credential are filled in from the roster.
        rules: What was told about second phones, and phones that are provisioned already.
        bounds: How much is done at a time.
        patience: Within what bounds a job is tried again.
        retries: The same of a single call.
        lease_seconds: How long the claims of a bench that died stand in the way.
        pins: Has PINs keyed in that no file has, or None.
        vault: Gives the stored key pairs, where the order asks for them.
        sealing: Gives the key that seals host-made keys; None: the file beside the ledger.
        return_seconds: With ``once``: how long a phone that was pulled early, or restarts, is
            waited for.
    """

    name: str
    roster: Roster
    assigner: Assigner
    secrets: Secrets
    order: Order
    rules: Rules = field(default_factory=Rules)
    bounds: Bounds = field(default_factory=Bounds)
    patience: Patience = field(default_factory=Patience)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    lease_seconds: float = LEASE_SECONDS
    return_seconds: float = 30.0
    pins: PinDesk | None = None
    vault: "Callable[[], Vault] | None" = None
    sealing: "SealingKeys | None" = None


@dataclass
class _Port:
    """A port: what it shows, who works there, and what waits to be worked on."""

    desk: Desk
    candidate: Candidate | None = None
    worker: Worker | None = None
    phone: PhoneIdentity | None = None
    away_since: float = 0.0


class Bench:
    """Runs the workers. A context manager; its methods may be called from any thread.

    Attributes:
        feed: What the boards read.
    """

    def __init__(
        self,
        setup: Setup,
        servers: Servers,
        ledger: Ledger,
        buses: Sequence[Bus],
        reach: Reach,
        label_of: Callable[[str], str] = str,
    ) -> None:
        """Prepare; nothing is done before the block.

        Args:
            setup: How it is to run.
            servers: How the servers are reached.
            ledger: Where everything is recorded.
            buses: Where phones are plugged in.
            reach: How phones are reached.
            label_of: Gives the label of a port by its address.
        """
        self.feed = Feed()
        self._setup = setup
        self._ledger = ledger
        self._buses = buses
        self._reach = reach
        self._label_of = label_of
        self._numbers = Numbers()
        self._rates = Rates()
        self._started = datetime.now(UTC)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._ports: dict[str, _Port] = {}
        # By their hash, which takes a fifth of the memory, and is of 64 bits: a shift in which
        # two phones have the same will not be seen.
        self._done: set[int] = set()
        self._served = 0
        self._workers: set[Worker] = set()
        self._stack = contextlib.ExitStack()
        self._stopped = threading.Event()
        self._end_by = 0.0
        self._looked = False
        self._broken: Exception | None = None
        self._leases = Leases(ledger.claims, setup.name, setup.lease_seconds)
        self._neighbours = Neighbours(ledger.benches, setup.name, self.feed, self._numbers.next)
        bounds = setup.bounds
        self._users = Users(setup.roster, setup.assigner, setup.rules, ledger, self._leases)
        self._shop = Shop(
            name=setup.name,
            order=setup.order,
            users=self._users,
            secrets=setup.secrets,
            servers=servers,
            keys=KeyPool(
                setup.order.bits,
                bounds.key_threads,
                bounds.keys_ahead,
                most=len(setup.roster.entries),
            ),
            ledger=ledger,
            leases=self._leases,
            patience=setup.patience,
            retries=setup.retries,
            places=threading.BoundedSemaphore(bounds.ports),
            stopped=self._stopped,
            returned=self._returned,
            pins=setup.pins,
            vault=setup.vault,
            sealing=setup.sealing,
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            self._register(undo)
            undo.enter_context(self._leases)
            undo.enter_context(self._shop.keys)
            undo.enter_context(self._neighbours)
            undo.callback(self._stop_workers)
            self._served = self._users.done()
            self._stack = undo.pop_all()
        self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._stack.close()

    # --- what the operator does

    def retry(self, label: str) -> None:
        """Try a phone that failed again, or at once what is tried again later.

        Raises:
            NoSuchPort: There is no such port.
            NotNow: Nothing has failed there.
            RosterError: The secrets file, in which a PIN may have been corrected, is unusable.
        """
        with self._lock:
            port = self._port_of(label)
            if port.worker is not None and port.desk.view.trouble is not None:
                port.worker.poke()
            elif port.desk.state is PortState.FAILED and port.candidate is not None:
                self._setup.secrets.read_again()
                if port.phone is not None:
                    self._users.try_again(port.phone)
                self._begin(port, port.candidate)
            else:
                raise NotNow(label, "retry", port.desk.state)

    def skip(self, label: str) -> None:
        """Leave a phone out: it stays as it is, and its user may have another.

        A phone that has begun to be a user's, by the ledger, stays that user's.

        Raises:
            NoSuchPort: There is no such port.
            NotNow: There is nothing to be left out.
        """
        with self._lock:
            port = self._port_of(label)
            if port.worker is not None:
                port.worker.leave_out()
            elif port.desk.state in {PortState.FAILED, PortState.AWAY}:
                self._forget(port)
                state = PortState.EMPTY if port.candidate is None else PortState.FAILED
                port.desk.show(state, hand="")
                if state is PortState.EMPTY:
                    port.desk.clear(state)
            else:
                raise NotNow(label, "skip", port.desk.state)
            self._show()

    def find(self, label: str, *, on: bool) -> None:
        """Light the lamp of the phone at a port, or put it out.

        Raises:
            NoSuchPort: There is no such port.
            NotNow: No phone is there.
            UsbprovError: The phone cannot be reached.
        """
        with self._lock:
            port = self._port_of(label)
            worker, candidate = port.worker, port.candidate
        if worker is not None:
            worker.light(on=on)
        elif candidate is None:
            raise NotNow(label, "find this phone", port.desk.state)
        else:
            with hold(candidate) as held:
                if Capability.IDENTIFY in held.phone.info().capabilities:
                    held.phone.identify(on=on)

    def scan(self, text: str) -> str:
        """Take a scan in; returns what it did, in words.

        Raises:
            ScanError: It leads to nothing.
            UsageError: This bench does not assign by scan.
        """
        words = self._users.scan(text)
        self._poke_waiting()
        return words

    def key_in(self, label: str, pin: str | None) -> None:
        """Take the PIN that a port waits for, or None: it is left out, and the job fails.

        The first answer counts, at whichever board it is given.

        Raises:
            NoSuchPort: There is no such port.
            NotNow: No PIN is waited for there, or it was keyed in at another board.
            PinUnusable: It is no PIN; the port goes on waiting.
        """
        with self._lock:
            desk, pins = self._port_of(label).desk, self._setup.pins
        if pins is None or not pins.answer(desk.label, pin):
            raise NotNow(label, "key in a PIN", desk.state)

    def stop(self) -> None:
        """Have everything end at the next point where it can be gone on with later."""
        with self._lock:
            if not self._stopped.is_set():
                self._end_by = time.monotonic() + _FAREWELL
            self._stopped.set()
            self._changed.notify_all()
            for worker in self._workers:
                worker.poke()

    def finish(self, told: Callable[[int], None]) -> None:
        """Once it was told to stop: wait until no phone is worked on, or 20 seconds are over.

        Args:
            told: Is called with the number of phones that are, now and then.
        """
        with self._changed:
            while self._workers and (left := self._end_by - time.monotonic()) > 0:
                told(len(self._workers))
                self._changed.wait(min(left, _TICK))

    def abandon(self) -> None:
        """Wait for no phone: each is left as after a power cut, and goes on from there later."""
        self.stop()
        self._end_by = time.monotonic()

    # --- the run

    def run(self, *, once: bool = False, until: int | None = None) -> BenchView:
        """Work until it is told to stop.

        Args:
            once: End when everything that is plugged in now is done or has failed.
            until: End when so many phones are done in this run, and nothing is under way.
        """
        with Watcher(self._buses) as watcher:
            hotplug = threading.Thread(
                target=self._watch, args=(watcher,), name="hotplug", daemon=True
            )
            hotplug.start()
            with self._changed:
                while not self._is_over(once=once, until=until):
                    self._changed.wait(_TICK)
        hotplug.join(_FAREWELL)
        if self._broken is not None:
            raise self._broken
        return self.view()

    def view(self) -> BenchView:
        """Return how the bench is now."""
        with self._lock:
            states = [port.desk.state for port in self._ports.values()]
            served, running = self._served, len(self._workers)
        roster = len(self._setup.roster.entries)
        return BenchView(
            number=self._numbers.next(),
            name=self._setup.name,
            started=self._started,
            roster=roster,
            done=served,
            failed=states.count(PortState.FAILED),
            running=running,
            per_hour=self._rates.per_hour(),
            left=self._rates.left(max(0, roster - served)),
        )

    @property
    def done(self) -> int:
        """How many phones were done in this run; one that was done before counts, too."""
        return len(self._done)

    def unfinished(self) -> list[PortView]:
        """Return the ports whose phones are not done: failed, pulled early, or at work."""
        with self._lock:
            views = [port.desk.view for port in self._ports.values()]
        return [view for view in views if not view.may_unplug]

    def _is_over(self, *, once: bool, until: int | None) -> bool:
        if self._stopped.is_set() or self._broken is not None:
            return True
        if self._workers:
            return False
        if until is not None and self.done >= until:
            return True
        return once and self._looked and not self._somebody_returns()

    def _somebody_returns(self) -> bool:
        """Say whether a phone that is away may come back soon."""
        since = time.monotonic() - self._setup.return_seconds
        ports = self._ports.values()
        return any(p.desk.state is PortState.AWAY and p.away_since > since for p in ports)

    # --- hotplug

    def _watch(self, watcher: Watcher) -> None:
        try:
            while not watcher.closed:
                whole = watcher.has_looked
                events = watcher.next(None if self._looked else _FIRST_LOOK)
                for event in events:
                    self._take(event)
                if whole and not self._looked:
                    with self._changed:
                        self._looked = True
                        self._changed.notify_all()
        except Exception as failure:  # told where somebody sees it
            with self._changed:
                self._broken = failure
                self._changed.notify_all()

    def _take(self, event: Event) -> None:
        if isinstance(event, Arrived | Changed):
            self._arrived(event.device, is_new=isinstance(event, Arrived))
        elif isinstance(event, Left):
            self._left(address_of(event.facts))
        else:
            logger.warning("bus %s: %s", event.bus, event.problem or "it can be searched again")

    def _arrived(self, device: AttachedDevice, *, is_new: bool) -> None:
        driver = driver_for(device.facts)
        if driver is None or driver.detects_only:
            return
        bus = next(bus for bus in self._buses if bus.uri == device.facts.bus)
        candidate = Candidate(device, driver, bus, self._reach)
        with self._lock:
            port = self._port_at(candidate.address)
            port.candidate = candidate
            due = is_new or port.desk.state is PortState.FAILED
            if due and port.worker is None and not self._stopped.is_set():
                self._begin(port, candidate)

    def _left(self, address: str) -> None:
        with self._lock:
            port = self._ports.get(address)
            if port is None:
                return
            port.candidate = None
            self._users.unplugged(port.desk.label)
            if port.worker is not None:
                port.worker.unplugged()
            elif port.desk.state is not PortState.AWAY:
                self._forget(port)
                port.desk.clear(PortState.EMPTY)
            self._show()

    def _port_at(self, address: str) -> _Port:
        port = self._ports.get(address)
        if port is None:
            label = self._label_of(address)
            desk = Desk(self._setup.name, label, address, self.feed, self._numbers)
            port = self._ports[address] = _Port(desk)
        return port

    def _port_of(self, label: str) -> _Port:
        found = (p for p in self._ports.values() if p.desk.label.casefold() == label.casefold())
        port = next(found, None)
        if port is None:
            raise NoSuchPort(label)
        return port

    # --- workers

    def _begin(self, port: _Port, candidate: Candidate) -> None:
        """Begin to work at a port; the lock is held."""
        port.desk.clear(PortState.PLUGGED)
        worker = Worker(self._shop, port.desk, candidate, lambda ended: self._ended(port, ended))
        port.worker = worker
        self._workers.add(worker)
        worker.start()
        self._show()

    def _ended(self, port: _Port, worker: Worker) -> None:
        """Take note that a worker has ended; called by its thread as the last thing."""
        with self._changed:
            self._workers.discard(worker)
            if port.phone is not None and worker.phone not in {None, port.phone}:
                self._forget(port)  # it was pulled, and another phone is there now
            port.worker, port.phone = None, worker.phone or port.phone
            worker.say_farewell()
            if worker.result is not None and worker.phone is not None:
                self._note_done(worker.phone, worker.result)
            port.away_since = time.monotonic()
            is_away = port.desk.state is PortState.AWAY
            if self._is_elsewhere(port) if is_away else worker.gone:
                self._forget(port)
                port.desk.clear(PortState.EMPTY)
            if worker.gone and port.candidate is not None and not self._stopped.is_set():
                self._begin(port, port.candidate)
            self._show()
            self._changed.notify_all()
        self._poke_waiting()
        self._shop.tidier.tidy()

    def _note_done(self, phone: PhoneIdentity, result: Result) -> None:
        """Count a phone; one that was done before is no news."""
        self._done.add(hash(phone))
        if result.outcome is Outcome.PROVISIONED:
            self._rates.note_done()
            self._count_served()

    def _count_served(self) -> None:
        """Ask the ledger who has a phone, on all benches; without an answer nothing changes."""
        with contextlib.suppress(LedgerError):
            self._served = self._users.done()

    def _forget(self, port: _Port) -> None:
        """Give up the phone that was at a port; one that is at another by now keeps its user."""
        if port.phone is not None and not self._is_elsewhere(port):
            self._users.given_up(port.phone)
        port.phone = None

    def _returned(self, phone: PhoneIdentity, label: str) -> None:
        """Take note that a phone was recognised at a port: it is away from no other any more."""
        with self._lock:
            for port in self._ports.values():
                if port.phone == phone and port.desk.label != label:
                    port.phone = None
                    if port.desk.state is PortState.AWAY:
                        port.desk.clear(PortState.EMPTY)

    def _is_elsewhere(self, port: _Port) -> bool:
        """Say whether the phone that was at a port has been recognised at another one since."""
        others = (other for other in self._ports.values() if other is not port)
        return any(
            port.phone in {other.phone, other.worker and other.worker.phone} for other in others
        )

    def _poke_waiting(self) -> None:
        with self._lock:
            waiting = [w for w in self._workers if w.desk.state is PortState.WAITING]
        for worker in waiting:
            worker.poke()

    def _show(self) -> None:
        self.feed.publish(self.view())

    def _stop_workers(self) -> None:
        """Wait until all have ended; one that a phone or server holds up is left to its end."""
        self.finish(lambda _: None)
        with self._lock:
            labels = sorted(worker.desk.label for worker in self._workers)
        if labels:
            logger.warning("not ready to stop, and left as they are: %s", ", ".join(labels))

    # --- among other benches

    def _register(self, undo: contextlib.ExitStack) -> None:
        """Be the bench of this name, in the ledger."""
        registry, setup = self._ledger.benches, self._setup
        host, pid = socket.gethostname(), os.getpid()
        begun = registry.begin(setup.name, host, pid, setup.lease_seconds)
        if isinstance(begun, benches.BenchRecord):
            if begun.host != host or _runs(begun.pid):
                raise BenchRuns(begun.name, begun.host, begun.pid)
            begun = registry.begin(setup.name, host, pid, setup.lease_seconds, instead=True)
        if isinstance(begun, benches.BenchRecord):
            raise BenchRuns(begun.name, begun.host, begun.pid)
        mine = begun

        def beat() -> None:
            registry.keep_alive(mine, setup.lease_seconds)
            self._count_served()
            self._show()

        def end() -> None:
            with contextlib.suppress(UsbprovError):
                registry.end(mine)

        self._leases.beat = beat
        undo.callback(end)


def _runs(pid: int) -> bool:
    """Say whether a process of this computer runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
