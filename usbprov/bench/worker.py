"""A worker: one phone at a port, from the moment it is plugged in until it may be unplugged."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from usbprov.bench.again import Again, locks_nobody
from usbprov.bench.assignment import Wait
from usbprov.bench.desk import Desk
from usbprov.bench.leases import Lease
from usbprov.bench.pins import PinDesk
from usbprov.bench.roster import RosterEntry
from usbprov.bench.shop import Shop, Stopped
from usbprov.bench.states import PortState
from usbprov.bench.troubles import trouble_of
from usbprov.bench.users import Given
from usbprov.engine.diagnosis.model import Context
from usbprov.engine.events import Event, Mark, StepBegun, StepEnded, StepName, StepProgress
from usbprov.engine.job import Job, Services, SignsIn
from usbprov.engine.order import KeySource, Order
from usbprov.engine.result import Result
from usbprov.engine.runner import Runner
from usbprov.errors import (
    ClaimLost,
    CredentialRefused,
    Interrupted,
    JobBusy,
    LeftOut,
    NoUserForPhone,
    PhoneGone,
    UsbError,
    UsbprovError,
)
from usbprov.ledger.claims import ClaimKind
from usbprov.net.credentials import Way
from usbprov.phone.candidates import Candidate
from usbprov.phone.contract import Capability, PhoneIdentity, PhoneInfo
from usbprov.phone.holding import HeldPhone, hold

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

logger = logging.getLogger(__name__)

_FRESH = 5.0
"""Seconds for which a phone is not asked again what it is; it cannot have been out of hand."""


class Worker:
    """Works on one phone in a thread of its own. What is told to it comes from other threads.

    Attributes:
        desk: The port that it works at.
        candidate: The phone.
        phone: Which phone it is, as it said itself; None before that.
    """

    def __init__(
        self, shop: Shop, desk: Desk, candidate: Candidate, ended: "Callable[[Worker], None]"
    ) -> None:
        self._shop = shop
        self._ended = ended
        self._news = threading.Condition()
        self._poked = self._gone = self._left_out = False
        self._lamp_wanted: bool | None = None
        self._again = Again(shop.patience)
        self._phone_lease: Lease | None = None
        self._user_lease: Lease | None = None
        self._secret_used = False
        self._keyed_of: RosterEntry | None = None
        self._key_expected = False
        self._step = ""
        self._close_services: Callable[[], None] = lambda: None
        self._farewell: Callable[[], None] = lambda: None
        self.desk = desk
        self.candidate = candidate
        self.phone: PhoneIdentity | None = None
        self.result: Result | None = None
        self._thread = threading.Thread(target=self._run, name=f"port {desk.label}", daemon=True)

    # --- from other threads

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def gone(self) -> bool:
        """Whether the phone is no longer at its port."""
        return self._gone

    def join(self, seconds: float) -> bool:
        """Wait for its end; says whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def poke(self) -> None:
        """Say that something has changed: a scan, a button, the end of the bench."""
        with self._news:
            self._poked = True
            self._news.notify_all()

    def unplugged(self) -> None:
        """Say that the phone is no longer at its port."""
        self._gone = True
        self.poke()

    def leave_out(self) -> None:
        """Say that the operator does not want this phone done."""
        self._left_out = True
        self.poke()

    def light(self, *, on: bool) -> None:
        """Have the phone's lamp lit or put out, at the next moment when that disturbs nothing."""
        self._lamp_wanted = on
        self.poke()

    def say_farewell(self) -> None:
        """Show what it has come to; the bench calls this when buttons no longer lead here."""
        self._farewell()

    # --- in its own thread

    def _run(self) -> None:
        try:
            with self._shop.places:
                self._work()
        except Stopped:
            logger.info("port %s: stopped", self.desk.label)
            if self.phone is not None:
                self._shop.users.pulled(self.phone)  # another bench may go on with it at once
        except Exception as failure:  # a bug must not leave a port that shows work for ever
            logger.exception("port %s", self.desk.label)
            self._farewell = partial(self.desk.failed, trouble_of(failure, self._context()))
        finally:
            self._shop.leases.release(self._phone_lease)
            self._give_up_key()
            self._forget_pin()
            self._ended(self)

    def _work(self) -> None:
        while True:
            try:
                self.result = self._attempt()
            except UsbprovError as error:
                if not self._failed(error):
                    return
            else:
                self._done(self.result)
                return

    def _attempt(self) -> Result:
        """Hold the phone and do its job; when this returns, the phone is closed again."""
        self._secret_used, self._step = False, ""
        self._go_on()
        self.desk.show(PortState.IDENTIFYING, attempt=self._again.attempt)
        with ExitStack() as stack:
            held = stack.enter_context(hold(self.candidate))
            info, asked = self._identify(held), time.monotonic()
            given = self._user(held, info)
            entry = given.entry
            self._user_lease = given.lease
            self.desk.show(PortState.IDENTIFYING, user=entry.sip_uri or "", name=entry.name)
            job = self._job(held, given, stack)
            job.info = info if time.monotonic() - asked < _FRESH else None
            runner = Runner(job, lambda event: self._told(job, event))
            try:
                return runner.run()
            except UsbprovError:
                self.desk.show(job=job.record.id if job.record else None, user=job.user or "")
                raise

    def _identify(self, held: HeldPhone) -> PhoneInfo:
        info = held.phone.info()
        held.bind(info.identity)
        self.phone = info.identity
        self.desk.identified(info)
        if self._phone_lease is None:
            key, what = f"{info.serial} {info.mac}".lower(), str(info.identity)
            leases = self._shop.leases
            self._phone_lease = leases.take(ClaimKind.PHONE, key, self.desk.label, what)
        self._shop.returned(info.identity, self.desk.label)
        return info

    # --- whose phone it becomes

    def _user(self, held: HeldPhone, info: PhoneInfo) -> Given:
        """Return who gets the phone, waiting for a hand where one is needed."""
        identity, label = info.identity, self.desk.label
        slot = info.slots[self._shop.order.slot]
        settings = info.settings.sip_uri if info.settings else ""
        holds = settings if slot.active_certificate else None
        self._expect_key(info)
        lit = False
        try:
            while isinstance(given := self._shop.users.give(identity, holds, label), Wait):
                self.desk.show(PortState.WAITING, hand=given.hand)
                lit = lit or self._light(held, info, on=True)
                self._wait(None)
                self._go_on()
        finally:
            if lit:
                with suppress(UsbprovError):
                    self._light(held, info, on=False)
        self.desk.show(hand="")
        return given

    def _light(self, held: HeldPhone, info: PhoneInfo, *, on: bool) -> bool:
        """Light the lamp by which the phone is found, or put it out, where it has one."""
        if Capability.IDENTIFY not in info.capabilities:
            return False
        held.phone.identify(on=on)
        return on

    # --- the job

    def _job(self, held: HeldPhone, given: Given, stack: ExitStack) -> Job:
        shop, entry = self._shop, given.entry
        order = self._order(given)

        def ask() -> str:
            secret = self._secret(entry)
            self._secret_used = not locks_nobody(order.credential)
            return secret

        @cache
        def connect() -> Services:
            services = stack.enter_context(shop.servers.services(self._go_on))
            self._close_services = services.close
            return services

        @cache
        def reach() -> SignsIn:
            return stack.enter_context(shop.servers.registrar(self._go_on))

        job = Job(order, held.phone, shop.ledger, connect, ask, reach, held)
        job.retries, job.sleep = shop.retries, self._sleep
        job.make_key = self._make_key
        job.vault, job.sealing = shop.vault, shop.sealing
        job.bench, job.roster = shop.name, shop.users.roster.key
        return job

    def _secret(self, entry: RosterEntry) -> str:
        """Return the user's PIN or password; a PIN that no file has is keyed in now."""
        shop = self._shop
        if shop.pins is not None and shop.secrets.lacks(entry):
            self._have_keyed_in(shop.pins, entry)
        return shop.secrets.secret(entry)()

    def _have_keyed_in(self, pins: PinDesk, entry: RosterEntry) -> None:
        """Wait until the PIN was keyed in at a board, or left out there."""
        self._keyed_of = entry
        with pins.asked(self.desk.label, entry, self.poke) as question:
            if question.settled.is_set():
                return
            number = f" ({entry.extension})" if entry.name != entry.extension else ""
            asks = f"PIN of {entry.name}{number}"
            self.desk.show(PortState.WAITING, hand=f"key in the PIN of {entry.name}", asks=asks)
            try:
                while not question.settled.is_set():
                    self._wait(None)
                    self._go_on()
            finally:
                self.desk.show(hand="", asks="")
        self.desk.show(PortState.PUBLISHING)

    def _order(self, given: Given) -> Order:
        entry = given.entry
        credential = self._shop.secrets.order(entry)
        return replace(self._shop.order, user=entry.sip_uri, credential=credential)

    def _told(self, job: Job, event: Event) -> None:
        """Show an event; and stop here, between two effects, if the job must not go on."""
        self.desk.told(event)
        if isinstance(event, StepBegun):
            self._step = event.step
            self._go_on()
            self._lamp(job)
        elif isinstance(event, StepProgress):
            if self._shop.stopped.is_set():
                raise Stopped
        elif isinstance(event, StepEnded) and event.mark is not Mark.FAILED:
            self._came_further(job, event)

    def _came_further(self, job: Job, event: StepEnded) -> None:
        """Begin to count the attempts anew; and know the user as soon as the ticket says so."""
        if event.mark is Mark.DONE:
            self._again.reset()
        if event.step is StepName.PUBLISH:
            self._close_services()  # nothing more is asked of them, and a connection is memory
            self._shop.tidier.tidy()
        if event.step is StepName.TICKET:
            self._secret_used = False
            user = job.user or self.desk.view.user
            self.desk.show(user=user, job=job.record.id if job.record else None)

    def _lamp(self, job: Job) -> None:
        """Do what the button `find this phone` asked for."""
        wanted, self._lamp_wanted = self._lamp_wanted, None
        if wanted is not None and job.info and job.held:
            with suppress(UsbprovError):
                self._light(job.held, job.info, on=wanted)

    def _go_on(self) -> None:
        """See that the next effect may be begun.

        Raises:
            Stopped: The bench ends; the job goes on when it begins again.
            PhoneGone: The phone is no longer at its port.
            LeftOut: The operator does not want it done.
            ClaimLost: Another bench may have phone or user by now.
        """
        if self._shop.stopped.is_set():
            raise Stopped
        if self._gone:
            raise PhoneGone(self.candidate.facts.name)
        if self._left_out:
            raise LeftOut(self.candidate.facts.name)
        for lease in (self._phone_lease, self._user_lease):
            if lease is not None:
                lease.check()

    # --- keys made here

    def _expect_key(self, info: PhoneInfo) -> None:
        """Have a key made while user and ticket are seen to, if this phone cannot make one."""
        source, slot = self._shop.order.key, info.slots[self._shop.order.slot]
        makes = Capability.GENERATE_KEY in info.capabilities
        here = source is KeySource.HOST or (source is None and not makes)
        if here and slot.pending_key is None and not self._key_expected:
            self._key_expected = True
            self._shop.keys.expect()

    def _make_key(self, _bits: int) -> "RSAPrivateKey":
        expected, self._key_expected = self._key_expected, False
        return self._shop.keys.take(expected=expected)

    def _give_up_key(self) -> None:
        if self._key_expected:
            self._key_expected = False
            self._shop.keys.give_up()

    # --- ends

    def _done(self, result: Result) -> None:
        """Show that the cable may be pulled: proved, signed in where wanted, and closed."""
        if self.phone is not None:
            self._shop.users.finished(self.phone, self._phone_lease)
        if result.user:
            self._shop.servers.forget(result.user)
        certificate = result.certificate
        self._farewell = partial(
            self.desk.show,
            PortState.DONE,
            step="",
            percent=None,
            hand="",
            trouble=None,
            user=result.user or "",
            job=result.job,
            thumbprint=certificate.sha256 if certificate else "",
            not_after=certificate.not_after if certificate else None,
        )

    def _failed(self, error: UsbprovError) -> bool:
        """Show what happened; True when the job is to be tried again."""
        if isinstance(error, CredentialRefused) and self.phone and self._secret_used:
            self._shop.users.refused(self.phone)
        if isinstance(error, ClaimLost):
            self._let_go()
        if self._is_gone(error):
            return False
        wait = self._again.wait(error, secret_used=self._secret_used)
        if self._left_out or wait is None:
            self._release_if_unserved(error)
            self._farewell = partial(self.desk.failed, trouble_of(error, self._context()))
            return False
        self.desk.retrying(trouble_of(error, self._context(), retried=True))
        self._sleep(wait)
        return not self._gone or not self._away()

    def _forget_pin(self) -> None:
        """Forget a PIN that was keyed in: whoever tries the job again keys it in again."""
        if self._keyed_of is not None and self._shop.pins is not None:
            self._shop.pins.forget(self._keyed_of)

    def _let_go(self) -> None:
        """Give back the claims of which one is lost; the next attempt takes both anew."""
        if self.phone is not None:
            self._shop.users.pulled(self.phone)
        self._shop.leases.release(self._phone_lease)
        self._phone_lease = self._user_lease = None

    def _context(self) -> Context:
        """Return what is known besides the error."""
        ways = self._shop.secrets.account.order.ways if self._shop.secrets.account else (Way.PIN,)
        return Context(self._step, frozenset(way.value for way in ways), self.desk.view.phone)

    def _is_gone(self, error: UsbprovError) -> bool:
        """Say whether the phone was pulled; the port then shows that it is away."""
        lost = isinstance(error, PhoneGone | Interrupted | UsbError)
        if self._gone or (lost and self._at_port() is False):
            return self._away()
        return False

    def _away(self) -> bool:
        """Show that the phone was pulled, early where something was begun for it."""
        if self.phone is None or self._user_lease is None:
            self._farewell = partial(self.desk.clear, PortState.EMPTY)
        else:
            self._shop.users.pulled(self.phone)
            self._farewell = self.desk.away
        return True

    def _at_port(self) -> bool | None:
        """Look whether something is at the port; None: that cannot be said now.

        A phone that restarted may be there under another address.
        """
        try:
            present = self.candidate.at_present()
        except UsbprovError:
            return None
        self.candidate = present or self.candidate
        return present is not None

    def _release_if_unserved(self, error: UsbprovError) -> None:
        """Give the user back where the phone is not to have one."""
        if isinstance(error, NoUserForPhone | LeftOut | JobBusy) and self.phone:
            self._shop.users.given_up(self.phone)

    # --- waiting

    def _sleep(self, seconds: float) -> None:
        """Wait between two tries; a button or the end of the bench cuts it short.

        Raises:
            Stopped: The bench ends.
        """
        self._wait(seconds)
        if self._shop.stopped.is_set():
            raise Stopped

    def _wait(self, seconds: float | None) -> None:
        with self._news:
            self._news.wait_for(lambda: self._poked, seconds)
            self._poked = False
