"""One phone's job, put together for the commands: services, runner, progress, result."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from usbprov.cli import documents
from usbprov.cli.closing import show_result
from usbprov.cli.diagnosing import context_of
from usbprov.cli.failure import ToldError
from usbprov.cli.keeping import Keeping
from usbprov.cli.progress import progress
from usbprov.engine.course import PROVISION, Course
from usbprov.engine.diagnosis.examining import examine
from usbprov.engine.diagnosis.probes.contract import Scene
from usbprov.engine.events import StepName
from usbprov.engine.job import Job, Services, SignsIn
from usbprov.engine.order import Order
from usbprov.engine.result import Result
from usbprov.engine.retry import RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.engine.taping import Conditions, JobTape, taping
from usbprov.errors import UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.net.site import Site
from usbprov.phone.candidates import Candidate
from usbprov.phone.contract import Phone
from usbprov.phone.holding import hold
from usbprov.webservices.ticket import TicketCache


@dataclass(frozen=True)
class Manner:
    """How the job is run and shown.

    Attributes:
        may_look: Whether servers may be looked at by themselves, when something fails.
        keeping: How keys that this computer makes are kept.
    """

    ca_file: Path | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False
    site: Site = field(default_factory=Site)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    return_seconds: float = 0.0
    tickets: TicketCache = field(default_factory=TicketCache)
    tape: bool = True
    may_look: bool = True
    keeping: Keeping = field(default_factory=Keeping)

    def scene(self, order: Order, step: str) -> Scene | None:
        """Return the servers that may be looked at, to tell the causes of a failure apart."""
        if not self.may_look:
            return None
        at_registrar = step == StepName.SIGN_IN
        return Scene(order.web_services_url, self.ca_file, self.site, at_registrar)


def provision_one(
    candidate: Candidate, order: Order, ledger: Ledger, secret: Callable[[], str], manner: Manner
) -> Result:
    """Open the phone, run the job, and show what comes of it.

    Raises:
        ToldError: The job failed, and its JSON document was printed.
        UsbprovError: The job failed.
    """
    result = run_at_phone(candidate, order, ledger, secret, manner).result
    _show(result, manner)
    return result


@dataclass(frozen=True)
class Run:
    """A job that came to its end, and its result."""

    job: Job
    result: Result


def run_at_phone(
    candidate: Candidate,
    order: Order,
    ledger: Ledger,
    secret: Callable[[], str],
    manner: Manner,
    course: Course = PROVISION,
) -> Run:
    """Open the phone and run a job; raises as ``provision_one``, and shows only the steps."""
    with contextlib.ExitStack() as stack:
        tape = _tape(candidate, order, ledger, manner, stack)
        held = stack.enter_context(hold(candidate))
        job = job_for(held.phone, order, ledger, secret, manner, stack)
        job.held, job.return_seconds = held, manner.return_seconds
        return run_shown(job, manner, course, tape)


def job_for(
    phone: Phone,
    order: Order,
    ledger: Ledger,
    secret: Callable[[], str],
    manner: Manner,
    stack: contextlib.ExitStack,
) -> Job:
    """Put a job together; what it connects to is closed with ``stack``."""
    connect = _connector(order.web_services_url, manner, stack)
    reach = _registrar(order.registrar, manner, stack)
    return Job(order, phone, ledger, connect, secret, reach, retries=manner.retries)


def run_shown(job: Job, manner: Manner, course: Course, tape: JobTape | None = None) -> Run:
    """Run a job, show its steps, and say on failure what is known of the cause.

    Raises:
        ToldError: The job failed, and its JSON document was printed.
        UsbprovError: The job failed.
    """
    return Run(job, told(run_job(job, manner, course, tape), manner))


def told(result: Result, manner: Manner) -> Result:
    """Return a result that came to its end; of another the document is shown.

    Raises:
        ToldError: The job failed, and its JSON document was printed.
        UsbprovError: The job failed.
    """
    if result.error is None:
        return result
    if not manner.as_json:
        raise result.error
    documents.show(documents.result(result))
    raise ToldError(result.error)


def run_job(job: Job, manner: Manner, course: Course, tape: JobTape | None = None) -> Result:
    """Run a job and show its steps; an error that stops it is diagnosed, and in the result."""
    shown = progress(silent=manner.as_json or manner.quiet)
    secret = job.secret

    def ask() -> str:
        shown.close()  # a spinner that turned on would wipe the question away
        return secret()

    job.secret = ask
    job.vault = cache(partial(manner.keeping.vault, shown.close))
    job.sealing = manner.keeping.sealing
    runner = Runner(job, tape.listening(shown) if tape else shown, course)
    try:
        result = runner.run(dry_run=manner.dry_run)
    except UsbprovError as error:
        if tape:
            tape.failed(error)
        failed = runner.result(error)
        context = context_of(job, failed)
        examine(error, context, manner.scene(job.order, context.step))
        return failed
    finally:
        shown.close()
    if tape:
        tape.succeeded(result)
    return result


def _tape(
    candidate: Candidate, order: Order, ledger: Ledger, manner: Manner, stack: contextlib.ExitStack
) -> JobTape | None:
    """Record the job from here on, unless nothing is done, or it is not wished."""
    if manner.dry_run or not manner.tape:
        return None
    conditions = Conditions(manner.return_seconds, manner.retries)
    return stack.enter_context(taping(ledger, order, candidate, conditions))


def _connector(url: str, manner: Manner, stack: contextlib.ExitStack) -> Callable[[], Services]:
    """Give what connects on first use, once, and is closed with the job."""

    @cache
    def connect() -> Services:
        from usbprov.webservices.client import WebServices

        services = WebServices(
            url, ca_file=manner.ca_file, site=manner.site, tickets=manner.tickets
        )
        return stack.enter_context(services)

    return connect


def _registrar(
    address: str | None, manner: Manner, stack: contextlib.ExitStack
) -> Callable[[], SignsIn]:
    """Give what reaches the Registrar, which is closed with the job."""

    @cache
    def reach() -> SignsIn:
        from usbprov.registrar.client import Registrar, RegistrarAddress

        where = RegistrarAddress.parse(address or "")
        return stack.enter_context(Registrar(where, ca_file=manner.ca_file, site=manner.site))

    return reach


def _show(result: Result, manner: Manner) -> None:
    if manner.as_json:
        documents.show(documents.result(result))
    elif not manner.quiet or manner.dry_run:
        show_result(result)
