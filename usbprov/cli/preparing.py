"""Preparing one phone's file, for the commands: whose it is, the file, and the run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from usbprov.cli.carrying import locked_phone
from usbprov.cli.provisioning import Manner, job_for, run_job
from usbprov.errors import CarriedFileTaken, UsageError
from usbprov.phone.contract import Capability

if TYPE_CHECKING:
    from usbprov.engine.order import Order
    from usbprov.engine.result import Result
    from usbprov.ledger.ledger import Ledger
    from usbprov.offline.files import SealedFile
    from usbprov.offline.package import Package
    from usbprov.offline.requests import RequestFile


@dataclass(frozen=True)
class Named:
    """How the phone is named: by the file that it wrote itself, or by what stands on its label."""

    request: "RequestFile | None" = None
    mac: str | None = None
    serial: str | None = None
    model: str | None = None

    def blank(self) -> "Package":
        """Return what is known of the phone before anything is asked.

        Raises:
            UsageError: The MAC address is none.
        """
        from usbprov.offline.package import Package, present
        from usbprov.offline.unseen import unseen_phone

        if self.request is None:
            return Package(present(), unseen_phone(_mac(self.mac or ""), self.serial, self.model))
        return _of_request(self.request)


def _of_request(asked: "RequestFile") -> "Package":
    from usbprov.offline.package import Package, present

    can_set = Capability.SET_CLOCK in asked.phone.capabilities
    return Package(
        present(),
        replace(asked.phone, clock=None, slots=()),
        asked.slot,
        asked.key,
        existing=asked.existing,
        request=asked.request,
        clock_behind=None if can_set else asked.clock_behind,
    )


def _mac(text: str) -> str:
    from usbprov.bench.rosterfile.values import mac

    try:
        return mac(text)
    except ValueError as error:
        raise UsageError(f"--mac: {error}") from None


def begun(
    out: Path,
    blank: "Package",
    new: "Callable[[Path], SealedFile]",
    old: "Callable[[Path], tuple[SealedFile, Package]]",
) -> "tuple[SealedFile, Package]":
    """Open the file that an earlier run has begun, or begin a new one.

    Args:
        out: Where it is to be.
        blank: What is known of the phone.
        new: Makes one that is not there yet.
        old: Opens one that is.

    Raises:
        CarriedFileTaken: It is of another phone, or of another request.
    """
    if not out.exists():
        return new(out), blank
    sealed, package = old(out)
    if package.phone.identity != blank.phone.identity:
        raise CarriedFileTaken(out.name, f"for another phone, MAC {package.phone.mac}")
    if package.request != blank.request:
        raise CarriedFileTaken(out.name, "for another key of this phone")
    return sealed, package


def prepare_file(
    order: "Order",
    file: "tuple[SealedFile, Package]",
    ledger: "Ledger",
    secret: Callable[[], str],
    manner: Manner,
) -> "Result":
    """Run the job, with the file in the phone's place; an error that stops it is in the result.

    Raises:
        JobBusy: Another program is at this phone.
    """
    from usbprov.engine.offline.preparing import prepare_course
    from usbprov.offline.paper import PaperPhone

    sealed, package = file
    paper = PaperPhone(sealed, package)
    with ExitStack() as stack:
        stack.enter_context(locked_phone(package.phone.identity, sealed.path))
        job = job_for(paper, order, ledger, secret, manner, stack)
        return run_job(job, manner, prepare_course(paper))
