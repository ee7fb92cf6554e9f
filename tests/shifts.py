"""A shift in a ledger: phones go well, fail, are tried again; certificates are real ones."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from jobs import NEW

from usbprov.errors import CredentialRefused, ServerUnreachable, TransferCorrupt, UsbprovError
from usbprov.ledger import ledger as ledger_module
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobRecord, JobState, StepState

BEGUN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
EXPIRES = datetime(2027, 5, 22, 7, 0, tzinfo=UTC)
STEPS = {"ticket": 300, "key": 9_000, "publish": 250, "install": 1_800, "prove": 120}
"""Steps, and how many milliseconds they take about."""

REFUSED = CredentialRefused("pool.contoso.test", "<b>the PIN</b> is wrong")
CORRUPT = TransferCorrupt("EMU0020", "the certificate")
SILENT = ServerUnreachable("pool.contoso.test", "connection refused")


class Shift:
    """A ledger, a clock that is set by hand, and chances from a seed."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, seed: int = 1) -> None:
        self.ledger = ledger
        self.now = BEGUN
        self._chance = random.Random(seed)  # noqa: S311
        monkeypatch.setattr(ledger_module, "_now", lambda: self.now)

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def open(self, number: int, bench: str | None = "north", **more: object) -> JobRecord:
        """Begin a job for the phone of that number."""
        values = {
            "phone_serial": f"EMU{number:04d}",
            "phone_mac": f"02:00:5e:00:00:{number:02x}",
            "port_path": f"1-1.{number}",
            "user": f"sip:user{number}@contoso.test",
            "extension": f"{1000 + number}",
            "roster": "autumn",
            "bench": bench,
        }
        return self.ledger.open_job(replace(NEW, **{**values, **more}))

    def step(self, job: JobRecord, name: str, error: UsbprovError | None = None) -> None:
        """Do a step, and let its time pass."""
        ms = int(STEPS[name] * self._chance.lognormvariate(0, 0.3))
        attempt = self.ledger.begin_step(job.id, name)
        self.wait(milliseconds=ms)
        state = StepState.FAILED if error else StepState.DONE
        self.ledger.end_step(attempt, state, ms, code=error.code if error else None)

    def goes_well(
        self, number: int, retry: UsbprovError | None = None, **more: object
    ) -> JobRecord:
        job = self.open(number, **more)
        for name in STEPS:
            if retry and name == "publish":
                self.step(job, name, retry)
            self.step(job, name)
            if name == "publish":
                self.ledger.keep(job.id, ArtifactKind.CERTIFICATE, certificate(number))
        self.ledger.finish(job.id, JobState.DONE)
        return job

    def fails(
        self, number: int, at: str, error: UsbprovError, state: JobState, **more: object
    ) -> JobRecord:
        job = self.open(number, **more)
        for name in STEPS:
            self.step(job, name, error if name == at else None)
            if name == at:
                break
        self.ledger.finish(job.id, state, error)
        return job


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def certificate(number: int) -> bytes:
    """Return a certificate (DER) of the user of that number."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"user{number}@contoso.test")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=_key().public_key(),
        serial_number=1000 + number,
        not_valid_before=BEGUN,
        not_valid_after=EXPIRES,
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def usual(shift: Shift) -> None:
    """Stage 24 phones: 20 well, of which 3 not at once; 2 refused, 1 stuck, 1 interrupted."""
    well: Callable[..., JobRecord] = shift.goes_well
    for number in range(1, 18):
        well(number, bench="north" if number % 2 else "south")
    well(18, retry=SILENT)
    well(19, retry=SILENT)
    shift.fails(20, "install", CORRUPT, JobState.OPEN)
    well(20)
    shift.fails(21, "ticket", REFUSED, JobState.FAILED)
    shift.fails(22, "ticket", REFUSED, JobState.FAILED)
    shift.fails(23, "install", CORRUPT, JobState.STUCK)
    shift.step(shift.open(24), "ticket")
