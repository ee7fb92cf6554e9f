"""Retirement: a phone is taken out of service, and holds nothing any more.

The ledger is told before the phone is erased and after, so that an interrupted retirement goes on
when it is repeated; in the end all jobs of the phone are ``retired``.
"""

import time
from dataclasses import dataclass

from usbprov.engine.recovery.remembered import RETIREMENT, user_in
from usbprov.engine.recovery.revocation import Revocation, revocation_of
from usbprov.errors import NotErased, ObjectUnreadable, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord, JobState, NewJob, StepState
from usbprov.phone.contract import (
    NONCE_SIZE,
    SIGN_IN_SLOT,
    ObjectKind,
    Phone,
    PhoneInfo,
    SlotState,
)
from usbprov.pki.certificates import load_certificate

ERASE, REVOKE = "erase", "revoke"
"""The steps of a retirement, as the ledger calls them."""


@dataclass(frozen=True)
class Retired:
    """What a retirement came to.

    Attributes:
        job: The job's number in the ledger.
        user: Whose phone it was, or None where nobody knows.
        revocation: What is left to be done at the servers.
    """

    job: int
    user: str | None
    revocation: Revocation | None


def retire(phone: Phone, info: PhoneInfo, ledger: Ledger) -> Retired:
    """Erase every slot, see that nothing is left, and have the ledger know it.

    Args:
        phone: The phone, open.
        info: What it said of itself just now.
        ledger: The record of jobs.

    Raises:
        NotErased: Something is left.
        UsbprovError: The phone or the ledger failed; a repeat goes on.
    """
    job = _begun(info, ledger) or ledger.open_job(_new(phone, info, ledger))
    try:
        _erase(phone, info, ledger, job.id)
    except UsbprovError as error:
        ledger.finish(job.id, JobState.OPEN, error)
        raise
    revocation = revocation_of(job.user, info.identity, ledger)
    if revocation is not None:
        ledger.note_step(job.id, REVOKE, StepState.SKIPPED, 0, str(revocation))
    ledger.retire(job)
    return Retired(job.id, job.user, revocation)


def _begun(info: PhoneInfo, ledger: Ledger) -> JobRecord | None:
    """Return the retirement that was interrupted; it knows whose phone it was."""
    newest = next(iter(ledger.jobs_of_phone(info.serial, info.mac)), None)
    is_open = newest is not None and newest.state is JobState.OPEN
    return newest if is_open and newest and newest.key_source == RETIREMENT else None


def _new(phone: Phone, info: PhoneInfo, ledger: Ledger) -> NewJob:
    return NewJob(
        phone_serial=info.serial,
        phone_mac=info.mac,
        phone_model=f"{info.vendor} {info.model}",
        port_path=phone.facts.port_path,
        slot=SIGN_IN_SLOT,
        user=_user(phone, info, ledger),
        extension=None,
        web_services_url="",
        registrar=None,
        key_source=RETIREMENT,
        nonce=bytes(NONCE_SIZE),
    )


def _user(phone: Phone, info: PhoneInfo, ledger: Ledger) -> str | None:
    """Say whose phone it is: by its certificate, its settings, or its last job."""
    if info.slots[SIGN_IN_SLOT].active_certificate is not None:
        try:
            found = user_in(load_certificate(phone.read(ObjectKind.CERTIFICATE, SIGN_IN_SLOT)))
        except ObjectUnreadable:
            found = None
        if found:
            return found
    if info.settings:
        return info.settings.sip_uri
    last = ledger.latest_of_phone(info.serial, info.mac)
    return last.user if last else None


def _erase(phone: Phone, info: PhoneInfo, ledger: Ledger, job: int) -> None:
    """Erase, and read back what the phone holds then."""
    began, attempt = time.monotonic(), ledger.begin_step(job, ERASE)
    try:
        for slot in info.slots:
            phone.erase(slot.number)
        left = _left(phone.info())
        if left:
            raise NotErased(phone.facts.name, left)
    except UsbprovError as error:
        ledger.end_step(attempt, StepState.FAILED, _ms(began), str(error), error.code)
        raise
    words = f"{len(info.slots)} slots and the settings; read back and empty"
    ledger.end_step(attempt, StepState.DONE, _ms(began), words)


def _left(info: PhoneInfo) -> str:
    """Say what a phone holds still, or ""."""
    slots = [f"slot {slot.number}" for slot in info.slots if slot != SlotState(slot.number)]
    return " and ".join([*slots, *(["its settings"] if info.settings else [])])


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
