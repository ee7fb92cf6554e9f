"""Recording one run of a job: its order, its steps, and all that passes the ports meanwhile."""

import logging
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime

from usbprov import __version__
from usbprov.engine.events import (
    Event,
    JobKnown,
    Listener,
    PhoneAwaited,
    StepBegun,
    StepEnded,
    StepRetry,
)
from usbprov.engine.order import Order
from usbprov.engine.result import Result
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord, NewJob
from usbprov.phone.candidates import Candidate
from usbprov.tape.deck import Recorder, recording
from usbprov.tape.events import FORMAT, Kind
from usbprov.tape.failures import error_document
from usbprov.tape.folder import TapeFolder, name_with_job
from usbprov.tape.writer import TapeWriter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conditions:
    """Under what a job runs, besides its order."""

    return_seconds: float = 0.0
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class JobTape:
    """Tells a recorder what happens to a job."""

    def __init__(self, to: Recorder, ledger: Ledger) -> None:
        self._to = to
        self._ledger = ledger
        self._over = False

    def listening(self, listener: Listener) -> Listener:
        """Return a listener that records what it is told, and passes it on."""

        def listen(event: Event) -> None:
            self._note(event)
            listener(event)

        return listen

    def begin(self, order: Order, candidate: Candidate, conditions: Conditions) -> None:
        """Record what the job is begun with. There is no secret in it: the job asks for that."""
        self._to.note(
            Kind.RUN,
            {
                "format": FORMAT,
                "usbprov": __version__,
                "platform": platform.platform(),
                "began": datetime.now(UTC).isoformat(),
                "order": order_document(order),
                "device": device_document(candidate),
                "return_seconds": conditions.return_seconds,
                "retries": dict(vars(conditions.retries)),
            },
        )

    def succeeded(self, result: Result) -> None:
        """Record a job that came to its end."""
        self._end({"outcome": result.outcome.value})

    def failed(self, error: BaseException) -> None:
        """Record what stopped the job, once; of a bug only what kind of exception it raised."""
        told: dict[str, object] = {
            "code": UsbprovError.code,
            "facts": {"type": type(error).__name__},
        }
        if isinstance(error, UsbprovError):
            told = error_document(error) | {"message": str(error)}
        elif isinstance(error, KeyboardInterrupt):
            told = {"code": "JOB-01", "facts": {}, "message": "stopped by the user"}
        self._end({"outcome": "failed", "error": told})

    def _end(self, body: dict[str, object]) -> None:
        if not self._over:
            self._to.note(Kind.ENDED, body)
            self._over = True  # what comes now, such as a look at the servers, is no part of it
            if isinstance(self._to, TapeWriter):
                self._to.close()

    def _note(self, event: Event) -> None:
        match event:
            case StepBegun():
                self._to.note(Kind.STEP_BEGUN, {"step": event.step})
            case StepEnded():
                learnt = self._to.hidden(event.learnt)
                told = {"step": event.step, "mark": event.mark, "ms": event.ms, "learnt": learnt}
                self._to.note(Kind.STEP_ENDED, told)
            case StepRetry():
                words = self._to.hidden(str(event.retry))
                self._to.note(Kind.RETRY, {"step": event.step, "words": words})
            case PhoneAwaited():
                told = {"step": event.step, "seconds": event.seconds, "why": event.why}
                self._to.note(Kind.AWAITED, told)
            case JobKnown():
                self._note_job(event)

    def _note_job(self, event: JobKnown) -> None:
        earlier = self._earlier(event.record) if event.earlier else None
        self._to.note(Kind.JOB, {"job": event.record.id, "earlier": earlier})
        if isinstance(self._to, TapeWriter):
            self._to.rename(name_with_job(self._to.path, event.record.id))

    def _earlier(self, record: JobRecord) -> dict[str, object]:
        """Describe what the ledger had of the job when this run began."""
        names = [column.name for column in fields(NewJob)]
        kept = self._ledger.artifacts(record.id)
        return {
            "record": {name: getattr(record, name) for name in names},
            "state": record.state.value,
            "artifacts": [{"kind": a.kind.value, "data": a.data} for a in kept],
            "steps": [step.name for step in self._ledger.steps(record.id)],
        }


@contextmanager
def taping(
    ledger: Ledger, order: Order, candidate: Candidate, conditions: Conditions
) -> Iterator[JobTape]:
    """Record the run of a job in the block, on a new tape beside the ledger."""
    with ExitStack() as stack:
        writer = TapeWriter(TapeFolder(ledger.path).new())
        stack.callback(writer.close)
        tape = JobTape(writer, ledger)
        tape.begin(order, candidate, conditions)
        stack.enter_context(recording(writer))
        try:
            yield tape
        except BaseException as error:
            tape.failed(error)
            raise


def order_document(order: Order) -> dict[str, object]:
    """Describe an order; its fields by their names."""
    credential = dict(vars(order.credential))
    return {**vars(order), "credential": credential}


def device_document(candidate: Candidate) -> dict[str, object]:
    """Describe a device, its driver's family and the kind of cable that was asked for."""
    facts = candidate.facts
    return {
        **vars(facts),
        "interfaces": [vars(interface) for interface in facts.interfaces],
        "serial_ports": [vars(port) for port in facts.serial_ports],
        "family": candidate.driver.family if candidate.driver else None,
        "link": candidate.reach.link,
    }
