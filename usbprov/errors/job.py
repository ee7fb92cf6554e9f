"""Errors of a job as a whole."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class JobError(UsbprovError):
    """Raised when a job as a whole does not come to its end."""


@dataclass(eq=False)
class Interrupted(JobError):
    """Raised when a begun job stops before its end and a repeat will go on with it."""

    job: str
    step: str
    reason: str
    code: ClassVar = "JOB-01"
    exit_code: ClassVar = ExitCode.INTERRUPTED
    retryable: ClassVar = True
    template: ClassVar = "job {job} was interrupted in step {step}: {reason}"
    cause: ClassVar = "The cable was pulled, the phone lost power, or the program was told to stop."
    remedy: ClassVar = "Attach the phone and repeat the command: the job goes on where it stopped, nothing is lost."


@dataclass(eq=False)
class JobBusy(JobError):
    """Raised when another running usbprov works on the same phone."""

    phone: str
    holder: str
    code: ClassVar = "JOB-02"
    exit_code: ClassVar = ExitCode.PHONE
    retryable: ClassVar = True
    template: ClassVar = "{phone} is being provisioned by {holder}"
    cause: ClassVar = "Two jobs for one phone were started."
    remedy: ClassVar = "Wait for the other to end."


@dataclass(eq=False)
class SomeFailed(JobError):
    """Raised when some of many phones were not provisioned."""

    failed: int
    total: int
    code: ClassVar = "JOB-03"
    exit_code: ClassVar = ExitCode.SOME_FAILED
    template: ClassVar = "{failed} of {total} phones were not provisioned"
    cause: ClassVar = "Each failed phone's own error is shown above."
    remedy: ClassVar = (
        "Correct what the errors name and repeat: phones that are done are left alone."
    )
