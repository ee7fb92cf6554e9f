"""``check all``: everything that can be looked at without a secret, side by side."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from usbprov.checks import CheckResult, Verdict, failed
from usbprov.engine.checks import enrolment
from usbprov.engine.checks.bootstrap import (
    CHAIN_DOWNLOAD,
    CHALLENGE,
    DISCOVERY,
    REGISTRAR_NAME,
    REGISTRAR_TLS,
    WEB_NAME,
    WEB_TLS,
    Steps,
)
from usbprov.engine.checks.inquiry import FACTS, Inquiry
from usbprov.engine.checks.network import RealNetwork
from usbprov.engine.checks.phone import PHONE, PHONE_FACTS, PhoneCheck
from usbprov.engine.checks.sequence import CheckStep, Told, not_done, run_steps
from usbprov.engine.checks.tracks import Track, Tracks
from usbprov.errors import JobBusy, UsbprovError
from usbprov.phone.candidates import Candidate
from usbprov.phone.holding import hold
from usbprov.webservices.trust.servers import Server

WEB_SERVICES: Steps = (
    WEB_NAME,
    WEB_TLS,
    CheckStep("offer", enrolment.offers, ("web_server",)),
    CHAIN_DOWNLOAD,
)
REGISTRAR: Steps = (REGISTRAR_NAME, REGISTRAR_TLS, CHALLENGE)

_DISCOVERY, _WEB, _REGISTRAR, _PHONES = "discovery", "web services", "registrar", "phones"


@dataclass
class Everything:
    """What is looked at.

    Attributes:
        seconds: How long each track may take.
        open_network: Opens the network anew: each track has its own connections.
        ask: Makes an inquiry over a network, as the options say.
        candidates: Searches the buses.
        local: Checks of this computer, by group; each returns its results at once.
    """

    seconds: float
    open_network: Callable[[], RealNetwork]
    ask: Callable[[RealNetwork], Inquiry]
    candidates: Callable[[], Sequence[Candidate]]
    local: Mapping[str, Callable[[], Sequence[CheckResult]]] = field(default_factory=dict)

    def run(self, told: Told) -> tuple[CheckResult, ...]:
        """Look at everything; returns the results in the order of the groups."""
        tracks = Tracks(self.seconds)
        looked = Looked(self.seconds)
        for group, checks in self.local.items():
            tracks.start(group, _telling(checks))
        tracks.start(_DISCOVERY, lambda tell: self._find(tell, tracks, looked))
        tracks.start(_PHONES, lambda tell: self._list(tell, tracks, looked))
        results = tracks.results(told)
        order = [*self.local, _DISCOVERY, _WEB, _REGISTRAR, _PHONES]
        return tuple(sorted(results, key=lambda result: _place(result.group, order)))

    def _find(self, tell: Told, tracks: Tracks, looked: "Looked") -> None:
        """Find the servers, then look at both at the same time."""
        inquiry: Inquiry | None = None
        try:
            with self.open_network() as network:
                inquiry = self.ask(network)
                run_steps((DISCOVERY,), inquiry, FACTS, tell)
        finally:
            if inquiry is None:
                looked.end(2)
        for group, steps in ((_WEB, WEB_SERVICES), (_REGISTRAR, REGISTRAR)):
            tracks.start(group, self._looker(steps, inquiry, looked))

    def _looker(self, steps: Steps, found: Inquiry, looked: "Looked") -> Track:
        def track(tell: Told) -> None:
            with self.open_network() as network:
                inquiry = self.ask(network)
                inquiry.url, inquiry.web_address = found.url, found.web_address
                inquiry.registrar_address = found.registrar_address
                try:
                    run_steps(steps[:2], inquiry, FACTS, tell)
                finally:
                    looked.add(inquiry.presented)
                run_steps(steps[2:], inquiry, FACTS, tell)

        return track

    def _list(self, tell: Told, tracks: Tracks, looked: "Looked") -> None:
        """List what is attached, then ask all phones at the same time."""
        try:
            found = self.candidates()
        except UsbprovError as error:
            tell(failed("list", error))
            return
        phones = [c for c in found if c.driver is not None and not c.driver.detects_only]
        tell(_listed(found, phones))
        ports = Counter(candidate.facts.port_path for candidate in phones)
        for candidate in phones:
            path = candidate.facts.port_path
            name = path if ports[path] == 1 else candidate.address
            tracks.start(f"phone {name}", _asker(candidate, looked))


@dataclass
class Looked:
    """What the servers presented, for the phones to judge; they wait for it."""

    seconds: float
    _servers: list[Server] = field(default_factory=list)
    _open: int = 2
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, servers: Sequence[Server]) -> None:
        """Say what one of the two tracks has seen; it sees nothing more."""
        with self._changed:
            self._servers += servers
        self.end(1)

    def end(self, tracks: int) -> None:
        """Say that some tracks will see nothing more."""
        with self._changed:
            self._open -= tracks
            self._changed.notify_all()

    def servers(self) -> Sequence[Server]:
        """Return all that was seen, as soon as that is everything, or after a part of the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._open <= 0, self.seconds / 2)
            return tuple(self._servers)


def _telling(checks: Callable[[], Sequence[CheckResult]]) -> Track:
    def track(tell: Told) -> None:
        for result in checks():
            tell(result)

    return track


def _asker(candidate: Candidate, looked: Looked) -> Track:
    def track(tell: Told) -> None:
        try:
            with hold(candidate) as held:
                run_steps(PHONE, PhoneCheck(held.phone, looked.servers), PHONE_FACTS, tell)
        except JobBusy as busy:
            tell(not_done("identity", str(busy)))
        except UsbprovError as error:
            tell(failed("identity", error))

    return track


def _listed(found: Sequence[Candidate], phones: Sequence[Candidate]) -> CheckResult:
    others = len(found) - len(phones)
    words = f"{len(phones)} phones attached" + (f", and {others} other devices" if others else "")
    told = tuple(f"{c.address}: {c.facts.problem}" for c in found if c.facts.problem)
    return CheckResult("list", Verdict.NOTE if told else Verdict.GOOD, words, detail=told)


def _place(group: str, order: Sequence[str]) -> tuple[int, str]:
    return (order.index(group), "") if group in order else (len(order), group)
