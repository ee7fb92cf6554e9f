"""One phone's recovery, put together for the commands: look, plan, consent, job, result."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import click

from usbprov.cli import documents
from usbprov.cli.closing import show_result
from usbprov.cli.failure import ToldError
from usbprov.cli.provisioning import Manner, job_for, run_job
from usbprov.cli.recoveries import Case, show_case
from usbprov.engine.checks.network import RealNetwork
from usbprov.engine.order import Order
from usbprov.engine.recovery.actions import Need
from usbprov.engine.recovery.look import look
from usbprov.engine.recovery.remembered import Wish
from usbprov.engine.recovery.repair import Aim, error_of, proves_otherwise, repair_of
from usbprov.engine.recovery.sight import Inquest, StoredPair
from usbprov.engine.recovery.walk import consented, recovery_of
from usbprov.engine.result import Result
from usbprov.errors import CertificateNotAccepted
from usbprov.ledger.ledger import Ledger
from usbprov.phone.candidates import Candidate
from usbprov.phone.contract import PhoneIdentity
from usbprov.phone.holding import HeldPhone, hold


@dataclass(frozen=True)
class Recoverer:
    """Brings phones back to work, one after another.

    Attributes:
        ledger: The record of jobs.
        order: What the caller wants; what he did not say is empty.
        secret: Gives the PIN or password, when it is needed.
        manner: How it is run and shown.
        aim: What the command is after.
        may_replace: Whether what is in a slot may be given up.
        offline: Whether no server is to be asked.
        silent: Whether the caller shows what it came to.
    """

    ledger: Ledger
    order: Order
    secret: Callable[[], str]
    manner: Manner
    aim: Aim = field(default_factory=Aim)
    may_replace: bool = False
    offline: bool = False
    silent: bool = False

    def recover(self, candidate: Candidate) -> None:
        """Find out what is wrong with the phone, put it right, and show all of it.

        Raises:
            ToldError: It failed, or something is left undone; that stands in the JSON document.
            RecoveryError: Something is left undone.
            UsbprovError: The phone cannot be read, or the job failed.
        """
        case = self.attend(candidate)
        if self.manner.as_json:
            documents.show(case.document(planned=self.manner.dry_run))
        elif case.error is None and case.result is not None and not self.manner.quiet:
            show_result(case.result)
        if case.error is not None:
            raise ToldError(case.error) if self.manner.as_json else case.error

    def attend(self, candidate: Candidate) -> Case:
        """Do it, and return what it came to; an error of the job stands in there.

        Raises:
            UsbprovError: The phone cannot be read.
        """
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(hold(candidate))
            network = stack.enter_context(self._network()) if not self.offline else None
            case = self._put_right(held, self.look(held, network))
            if isinstance(case.error, CertificateNotAccepted) and self._is_worth_it(case):
                # What was taken up proves not to be published: now that is known.
                case = self._put_right(held, self.look(held, network))
        return case

    def _network(self) -> RealNetwork:
        return RealNetwork(self.manner.ca_file, self.manner.site)

    def _is_worth_it(self, case: Case) -> bool:
        """Say whether another look may find another way than the one that failed."""
        return case.result is not None and not self.aim.renews

    def look(self, held: HeldPhone, network: RealNetwork | None) -> Case:
        """Look at the phone, and plan; show both to people."""
        order, credential = self.order, self.order.credential
        at = Inquest(
            held.phone,
            self.ledger,
            network,
            Wish(order.user, credential.name, order.web_services_url or None, order.registrar),
            lambda: proves_otherwise(credential),
            self._stored,
            order.slot,
            self.may_replace,
        )
        sight = look(at)
        held.bind(sight.info.identity)
        sight = replace(sight, facts=self.aim.facts(sight.facts))
        case = Case(held.phone.facts, sight, recovery_of(sight.facts))
        if not self._is_silent:
            show_case(case)
        return self._consented(case)

    def _stored(self, phone: PhoneIdentity) -> list[StoredPair]:
        """Return the vault's pairs of a phone; their public part needs no passphrase."""
        entries = [item.stored.entry for item in self.manner.keeping.vault().items() if item.stored]
        return [
            StoredPair(entry.user, entry.sha256)
            for entry in entries
            if (entry.device.serial, entry.device.mac) == (phone.serial, phone.mac)
        ]

    @property
    def _is_silent(self) -> bool:
        manner = self.manner
        return self.silent or manner.as_json or (manner.quiet and not manner.dry_run)

    def _consented(self, case: Case) -> Case:
        """Ask at the terminal whether what the phone holds may be given up, if that is needed."""
        asks = any(finding.needs is Need.CONSENT for finding in case.recovery.needs)
        if not asks or self._is_silent or self.manner.dry_run or not sys.stdin.isatty():
            return case
        if not click.confirm("Make a new key, and give up what the phone holds?"):
            return case
        sight = replace(case.sight, facts=consented(case.sight.facts))
        return replace(case, sight=sight, recovery=recovery_of(sight.facts))

    def _put_right(self, held: HeldPhone, case: Case) -> Case:
        """Run the job that carries the plan out, if there is anything to be done."""
        if self.manner.dry_run:
            return case
        result = self._run(held, case)
        if result is not None and result.error is not None:
            return replace(case, result=result, error=result.error)
        lacking = self.aim.lacking(case.recovery)
        left = error_of(lacking, case.sight) if lacking else None
        return replace(case, result=result, error=left)

    def _run(self, held: HeldPhone, case: Case) -> Result | None:
        repair = repair_of(case.sight, case.recovery, self.order, self.aim)
        if repair is None:
            return None
        with contextlib.ExitStack() as stack:
            job = job_for(held.phone, repair.order, self.ledger, self.secret, self.manner, stack)
            job.held, job.return_seconds = held, self.manner.return_seconds
            last = case.sight.last
            job.roster = last.roster if last else None  # it stays that roster's phone
            return run_job(job, self.manner, repair.course)
