"""Ask: the phone makes its key and signs its request, for a computer where the servers are."""

from datetime import timedelta

from usbprov.engine.course import Course
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.engine.result import Outcome
from usbprov.engine.steps.clock import ClockStep
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.request import RequestStep
from usbprov.ledger.records import JobState
from usbprov.offline.package import present
from usbprov.offline.requests import RequestFile
from usbprov.phone.contract import KeyState, PhoneSettings

ASK = Course(
    steps=(ClockStep(), KeyStep(), RequestStep()),
    confirm=(),
    end=JobState.OPEN,
    outcome=Outcome.REQUESTED,
)
"""The job stays open: `usbprov apply` goes on with it."""


def request_file(job: Job) -> RequestFile:
    """Put together what is to be carried, once the job has come to its end."""
    order, info = job.order, known(job.info)
    settings = PhoneSettings(known(job.user), order.web_services_url, order.registrar)
    behind = job.clock_behind
    return RequestFile(
        made=present(),
        phone=info,
        slot=order.slot,
        key=KeyState(known(job.key_sha256), job.nonce),
        existing=job.key_source is KeySource.EXISTING,
        request=known(job.request),
        settings=settings,
        clock_behind=None if behind is None else behind // timedelta(seconds=1),
    )
