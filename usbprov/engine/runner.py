"""The runner: takes a job through its steps, with the ledger written before and after each."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from usbprov.engine.course import PROVISION, Course
from usbprov.engine.events import (
    JobKnown,
    Listener,
    Mark,
    PhoneAwaited,
    StepBegun,
    StepEnded,
    StepName,
    StepProgress,
    StepRetry,
)
from usbprov.engine.job import Job, known
from usbprov.engine.plan import Plan
from usbprov.engine.result import Outcome, Result, StepReport
from usbprov.engine.retry import Retrier, Retry
from usbprov.engine.steps.contract import Step, prepares
from usbprov.errors import (
    CertificateUnfit,
    ClaimLost,
    Interrupted,
    LedgerError,
    PhoneChanged,
    PhoneGone,
    UsbError,
    UsbprovError,
)
from usbprov.ledger.gathering import GatheringLedger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.pki.certificates import load_certificate, summarise
from usbprov.tape.clock import now

logger = logging.getLogger(__name__)

_RETURNS = 3
"""How often a phone may go away and come back within one step."""


class Runner:
    """Runs one job and remembers its steps; ``result`` may be asked for at any time."""

    def __init__(self, job: Job, listener: Listener, course: Course = PROVISION) -> None:
        self._job = job
        self._course = course
        job.ledger = self._ledger = GatheringLedger(job.ledger)
        self._listener = listener
        self._reports: list[StepReport] = []
        self._passed: list[StepRetry] = []
        self._plan: Plan | None = None
        self._outcome = Outcome.FAILED
        self._key_begun = False

    def run(self, *, dry_run: bool = False) -> Result:
        """Take the job to its end.

        Raises:
            Interrupted: The phone went or the user stopped it, and a repeat will go on.
            UsbprovError: A step failed; ``result`` then has the steps so far.
        """
        self._look(StepName.IDENTIFY, self._identify)
        self._look(StepName.PLAN, self._make_plan)
        plan = known(self._plan)
        if dry_run:
            self._outcome = Outcome.PLANNED
        elif plan.done:
            self._confirm(plan)
        else:
            self._open(plan)
            self._take_all()
            self._outcome = self._course.outcome
        return self.result()

    def result(self, error: UsbprovError | None = None) -> Result:
        """Say what the run has come to so far."""
        job = self._job
        certificate = summarise(load_certificate(job.certificate)) if job.certificate else None
        return Result(
            outcome=Outcome.FAILED if error else self._outcome,
            facts=job.phone.facts,
            info=job.info,
            job=job.record.id if job.record else None,
            user=job.user,
            key_source=job.key_source,
            certificate=certificate,
            steps=tuple(self._reports),
            proof=job.proof,
            plan=self._plan,
            error=error,
            signed_in=job.signed_in,
            passed=tuple(self._passed),
            old_tls=job.order.old_tls,
        )

    # --- before the ledger knows of the job

    def _identify(self) -> str:
        job = self._job
        job.info = info = job.info or job.phone.info()
        if job.held:
            job.held.bind(info.identity)
        if info.clock is not None:
            job.clock_behind = now() - info.clock
        return f"{info.vendor} {info.model}, firmware {info.firmware}, MAC {info.mac}"

    def _make_plan(self) -> str:
        course = self._course
        self._plan = plan = course.plan(self._job, course.steps)
        if plan.done:
            return f"nothing to do: {course.outcome} by job {plan.done.id}"
        if plan.resumes:
            return f"goes on with job {plan.resumes.id}"
        return f"key: {self._job.key_source}, slot {self._job.order.slot}"

    def _look(self, name: StepName, look: Callable[[], str]) -> None:
        """Do a step that reads only and comes before there is a job in the ledger."""
        self._listener(StepBegun(name))
        started = time.monotonic()
        try:
            learnt = look()
        except UsbprovError as error:
            self._ended(name, Mark.FAILED, started, str(error))
            raise
        self._ended(name, Mark.DONE, started, learnt)

    def _confirm(self, plan: Plan) -> None:
        """Show again that the finished job holds; asks the server nothing, records nothing."""
        job, record = self._job, known(plan.done)
        job.record, job.user = record, record.user
        self._listener(JobKnown(record, earlier=True))
        job.certificate = job.ledger.artifact(record.id, ArtifactKind.CERTIFICATE)
        for step in self._course.confirm:
            if step.already(job) is None:
                self._look(step.name, partial(step.run, job))
        self._outcome = self._course.again

    def _open(self, plan: Plan) -> None:
        job = self._job
        job.record = plan.resumes or job.ledger.open_job(plan.new)
        job.user = job.record.user
        self._listener(JobKnown(job.record, earlier=plan.resumes is not None))
        if plan.resumes is None:
            job.kept = dict.fromkeys(ArtifactKind)
        else:  # it may have made its key in an earlier run
            job.resumed = True
            earlier = job.ledger.steps(job.record.id)
            self._key_begun = any(step.name == StepName.KEY for step in earlier)
        for report in self._reports:
            state = StepState(report.mark.value)
            job.ledger.note_step(job.record.id, report.name, state, report.ms, report.learnt)

    # --- the steps proper

    def _take_all(self) -> None:
        """Take the steps in order; whatever ends them, what was learnt so far is written."""
        try:
            for step in self._course.steps:
                self._take(step)
            self._finish(known(self._plan))
        except ClaimLost:  # somebody else may write of this job now
            self._ledger.drop()
            raise
        finally:
            with suppress(LedgerError):  # the first error is the one to tell
                self._ledger.flush()

    def _finish(self, plan: Plan) -> None:
        """End the job; one that was gone on with, and is not at its end, stays as it is."""
        job = known(self._job.record).id
        if plan.left is None:
            self._ledger.finish(job, self._course.end)
        elif plan.resumes is None:
            self._ledger.finish(job, JobState.FAILED, plan.left)

    def _take(self, step: Step) -> None:
        """Do one step, unless it is found done, and record it before and after."""
        started = time.monotonic()
        self._listener(StepBegun(step.name))
        self._job.progress = lambda percent: self._listener(StepProgress(step.name, percent))
        try:
            self._do(step, started, _RETURNS)
        except (UsbprovError, KeyboardInterrupt) as error:
            self._stop(step.name, started, error)
        self._key_begun |= step.name is StepName.KEY

    def _do(self, step: Step, started: float, returns: int) -> None:
        """Do a step, and go on with it when the phone went away and came back meanwhile."""
        job = self._job
        try:
            reason = step.already(job)
            if reason is None:
                self._run(step, started)
                return
        except PhoneGone as error:
            if not returns or not self._came_back(step.name, error):
                raise
            self._do(step, started, returns - 1)
            return
        ms = self._ended(step.name, Mark.SKIPPED, started, reason)
        job.ledger.note_step(known(job.record).id, step.name, StepState.SKIPPED, ms, reason)

    def _came_back(self, name: StepName, error: PhoneGone) -> bool:
        """Wait for the phone as long as the job allows; False when it is not waited for."""
        job = self._job
        if job.held is None or not job.return_seconds:
            return False
        logger.info("step %s: %s; waiting for it to come back", name, error)
        self._ledger.flush()  # it may be waited for until the program is ended
        self._listener(PhoneAwaited(name, job.return_seconds, str(error)))
        job.phone = job.held.wait_back(job.return_seconds)
        job.info = job.phone.info()
        return True

    def _run(self, step: Step, started: float) -> None:
        if prepares(step):
            step.prepare(self._job)
        attempt = _Attempt(self._job, step.name)
        again: list[StepRetry] = []
        self._key_begun |= step.name is StepName.KEY

        def tell(retry: Retry) -> None:
            attempt.again(retry)
            again.append(StepRetry(step.name, retry))
            self._listener(again[-1])

        self._job.retry = Retrier(self._job.retries, tell, sleep=self._job.sleep)
        try:
            if self._job.held:
                self._job.held.verify()
            learnt = step.run(self._job)
        except (UsbprovError, KeyboardInterrupt) as error:
            code = error.code if isinstance(error, UsbprovError) else Interrupted.code
            if isinstance(error, ClaimLost):
                raise
            with suppress(LedgerError):  # the first error is the one to tell
                attempt.end(StepState.FAILED, code=code)
            raise
        self._passed += again[-1:]
        self._ended(step.name, Mark.DONE, started, learnt)
        attempt.end(StepState.DONE, learnt)

    def _stop(
        self, name: StepName, started: float, error: UsbprovError | KeyboardInterrupt
    ) -> NoReturn:
        """Record where the job stands, and say what stopped it and whether it can go on."""
        told = self._told(name, error)
        self._ended(name, Mark.FAILED, started, str(told))
        if isinstance(told, ClaimLost):  # somebody else may write of this job now
            raise told from None
        ledger, job = self._job.ledger, known(self._job.record).id
        with suppress(LedgerError):
            if isinstance(told, CertificateUnfit):  # a repeat is to ask anew
                ledger.reject(job, ArtifactKind.CERTIFICATE)
            ledger.finish(job, self._state(told), told)
        raise told from None

    def _told(self, name: StepName, error: UsbprovError | KeyboardInterrupt) -> UsbprovError:
        job = str(known(self._job.record).id)
        if isinstance(error, KeyboardInterrupt):
            return Interrupted(job, name, "stopped by the user")
        if self._key_begun and isinstance(error, UsbError):
            return Interrupted(job, name, str(error))
        return error

    def _state(self, error: UsbprovError) -> JobState:
        """Nothing is left to go on with before a key was begun."""
        if not self._key_begun and not isinstance(error, Interrupted):
            return JobState.FAILED
        goes_on = error.retryable or isinstance(error, PhoneChanged)  # with the right phone
        return JobState.OPEN if goes_on else JobState.STUCK

    def _ended(self, name: StepName, mark: Mark, started: float, learnt: str) -> int:
        ms = _ms(started)
        logger.info("step %s %s after %d ms: %s", name, mark, ms, learnt)
        self._reports.append(StepReport(name, mark, ms, learnt))
        self._listener(StepEnded(name, mark, ms, learnt))
        return ms


class _Attempt:
    """One attempt at a step in the ledger; a repeat within the step is an attempt of its own."""

    def __init__(self, job: Job, name: StepName) -> None:
        self._ledger = job.ledger
        self._job = known(job.record).id
        self._name = name
        self._begin()

    def _begin(self) -> None:
        self._started = time.monotonic()
        self._number = self._ledger.begin_step(self._job, self._name)

    def end(self, state: StepState, learnt: str = "", code: str | None = None) -> None:
        self._ledger.end_step(self._number, state, _ms(self._started), learnt, code)

    def again(self, retry: Retry) -> None:
        self.end(StepState.FAILED, str(retry), retry.error.code)
        self._begin()


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
