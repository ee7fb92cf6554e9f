"""Errors of a staging bench."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class BenchError(UsbprovError):
    """Raised when a bench cannot do what it was asked, or must leave a phone alone."""


@dataclass(eq=False)
class ClaimLost(BenchError):
    """Raised when a job must stop because the claim on its user or phone is lost."""

    what: str
    code: ClassVar = "BEN-01"
    exit_code: ClassVar = ExitCode.INTERRUPTED
    retryable: ClassVar = True
    template: ClassVar = "the claim on {what} was lost: the job stopped before it wrote anything"
    cause: ClassVar = "The ledger was not reached for so long that another bench may have taken over, or this computer slept."
    remedy: ClassVar = (
        "See that the ledger's server is reached; the job goes on when the claim can be had again."
    )


@dataclass(eq=False)
class ClaimedElsewhere(BenchError):
    """Raised when another worker, perhaps of another bench, has the user or the phone."""

    what: str
    holder: str
    code: ClassVar = "BEN-02"
    exit_code: ClassVar = ExitCode.PHONE
    retryable: ClassVar = True
    template: ClassVar = "{what} is being worked on by {holder}"
    cause: ClassVar = "The phone was moved while its job ran, or the bench that had it died: its claim ends by itself."
    remedy: ClassVar = (
        "Wait: it is tried again. Where the other bench really works on it, leave it there."
    )


@dataclass(eq=False)
class NoUserForPhone(BenchError):
    """Raised when the roster has no user for a phone; the phone was left as it is."""

    phone: str
    reason: str
    code: ClassVar = "BEN-03"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "there is no user for {phone}: {reason}"
    cause: ClassVar = "Every user of the roster has a phone, or the roster names other phones."
    remedy: ClassVar = "Take the phone off, or put its user on the roster and begin again."


@dataclass(eq=False)
class BenchRuns(BenchError):
    """Raised when another program is the bench of this name."""

    bench: str
    host: str
    pid: int
    code: ClassVar = "BEN-04"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the bench {bench!r} runs already: process {pid} on {host}"
    cause: ClassVar = "It was started twice, or two benches have the same name."
    remedy: ClassVar = "End the other one, or give this one another name with --name."


@dataclass(eq=False)
class NoSuchPort(BenchError):
    """Raised when the bench has no port of that label."""

    label: str
    code: ClassVar = "BEN-05"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "there is no port {label}"
    cause: ClassVar = "The label is mistyped, or nothing was ever plugged in there."
    remedy: ClassVar = "The board shows the labels."


@dataclass(eq=False)
class NotNow(BenchError):
    """Raised when a button of the board has no meaning for the port as it is."""

    label: str
    what: str
    state: str
    code: ClassVar = "BEN-06"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{what} is not possible at port {label}: it is {state}"
    cause: ClassVar = "The port has changed since the button was shown."
    remedy: ClassVar = "Look at the board again."


@dataclass(eq=False)
class LeftOut(BenchError):
    """Raised when the operator left a phone out: it stays as it is until told otherwise."""

    phone: str
    code: ClassVar = "BEN-07"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{phone} was left out by the operator"
    cause: ClassVar = "The button skip was pressed."
    remedy: ClassVar = "Take the phone off; retry takes it up again."


@dataclass(eq=False)
class PinUnusable(BenchError):
    """Raised when what was keyed in at a board as a PIN is none; it was not sent anywhere."""

    label: str
    code: ClassVar = "BEN-08"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = (
        "what was keyed in for {label} is no PIN: that has 4 to 24 digits and nothing else"
    )
    cause: ClassVar = "It is mistyped, or a scanner read something else."
    remedy: ClassVar = "Key it in again."


@dataclass(eq=False)
class BenchStopped(BenchError):
    """Raised when a bench was told to end before it had come to its end."""

    bench: str
    unfinished: int
    code: ClassVar = "BEN-09"
    exit_code: ClassVar = ExitCode.INTERRUPTED
    template: ClassVar = (
        "the bench {bench} was stopped; phones plugged in that are not done: {unfinished}"
    )
    cause: ClassVar = "Ctrl-C was pressed, or the program was told to end."
    remedy: ClassVar = "Start it again with the same command: what was begun goes on where it was."
