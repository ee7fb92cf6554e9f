"""What a job came to: for the closing panel, ``--json``, and later the report."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from usbprov.engine.events import Mark, StepName, StepRetry
from usbprov.engine.job import Proof
from usbprov.engine.plan import Plan
from usbprov.errors import UsbprovError
from usbprov.phone.contract import PhoneInfo
from usbprov.pki.certificates import CertificateSummary
from usbprov.usb.devices import DeviceFacts

if TYPE_CHECKING:
    from usbprov.registrar.client import SignIn


class Outcome(StrEnum):
    """How a job ended, as ``--json`` says it."""

    PROVISIONED = "provisioned"
    ALREADY = "already-provisioned"
    RECOVERED = "recovered"
    RENEWED = "renewed"
    PLANNED = "planned"
    REQUESTED = "requested"
    PREPARED = "prepared"
    ALREADY_PREPARED = "already-prepared"
    FAILED = "failed"


@dataclass(frozen=True)
class StepReport:
    """One step of the run; ``ms`` is its duration in milliseconds."""

    name: StepName
    mark: Mark
    ms: int
    learnt: str


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        job: The job's number in the ledger, or None where none was opened.
        key_source: Who made the key, in a word, or None where that was not decided.
        error: What stopped it, or None.
        signed_in: How and where the phone's key signed in, or None.
        passed: What was tried again, and then went well.
        old_tls: For which servers an older TLS was allowed, in words.
    """

    outcome: Outcome
    facts: DeviceFacts
    info: PhoneInfo | None
    job: int | None
    user: str | None
    key_source: str | None
    certificate: CertificateSummary | None
    steps: tuple[StepReport, ...]
    proof: Proof
    plan: Plan | None = None
    error: UsbprovError | None = field(default=None)
    signed_in: "SignIn | None" = None
    passed: tuple[StepRetry, ...] = ()
    old_tls: tuple[str, ...] = ()
