"""Key generation inside the emulated phone: one job at a time, in a thread of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from cryptography.hazmat.primitives.asymmetric import rsa

from usbprov.pki.keys import generate_rsa
from usbprov_drivers.smp.messages import JobResponse, JobState, Rc

_EXPECTED = {2048: 0.1, 3072: 0.4, 4096: 1.2}
"""Seconds that a key usually takes here; only for the percentage."""

Stored = Callable[[rsa.RSAPrivateKey], bytes]
"""Makes a key durable as a slot's pending key and returns the digest of its public half."""


@dataclass
class Job:
    """One key generation. ``stopped`` ends it without a key, as a restart does."""

    number: int
    slot: int
    nonce: bytes
    bits: int
    least: float
    stopped: threading.Event = field(default_factory=threading.Event)
    state: JobState = JobState.RUNNING
    key: bytes | None = None
    error: Rc | None = None
    began: float = field(default_factory=monotonic)

    def report(self) -> JobResponse:
        """Say how it stands."""
        return JobResponse(self.state, self._percent(), self.nonce, self.key, self.error)

    def run(self, store: Stored) -> None:
        """Make the key, take at least ``least`` seconds, and store it unless stopped."""
        key = generate_rsa(self.bits)
        if self.stopped.wait(max(0.0, self.began + self.least - monotonic())):
            return
        try:
            self.key = store(key)
        except OSError:
            self.error, self.state = Rc.STORAGE, JobState.FAILED
        else:
            self.state = JobState.DONE

    def _percent(self) -> int:
        if self.state is JobState.DONE:
            return 100
        expected = max(self.least, _EXPECTED.get(self.bits, 1.0))
        return min(99, int(100 * (monotonic() - self.began) / expected))


class Jobs:
    """The last job and its number; forgotten at a restart. The caller holds the phone's lock."""

    def __init__(self, least: float) -> None:
        """Let every key take at least ``least`` seconds."""
        self._least = least
        self._last: Job | None = None

    def running(self) -> Job | None:
        """Return the job that is under way, or None."""
        job = self._last
        return job if job is not None and job.state is JobState.RUNNING else None

    def find(self, number: int) -> Job | None:
        """Return the last job if it has this number."""
        job = self._last
        return job if job is not None and job.number == number else None

    def start(self, slot: int, bits: int, nonce: bytes, store: Callable[[Job], Stored]) -> Job:
        """Begin a job; ``store`` is called with it and says where its key goes."""
        number = self._last.number + 1 if self._last else 1
        job = self._last = Job(number, slot, nonce, bits, self._least)
        thread = threading.Thread(
            target=job.run, args=(store(job),), name=f"keygen-{number}", daemon=True
        )
        thread.start()
        return job

    def stop(self) -> None:
        """End what is under way without a key, and forget it."""
        if self._last is not None:
            self._last.stopped.set()
        self._last = None
