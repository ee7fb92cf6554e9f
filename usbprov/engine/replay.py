"""A replay: the real steps, driver, codecs and SOAP client, with a tape in place of the world.

What cannot be played is taken from the tape as it ended: a sign-in by NTLM, Kerberos or TLS-DSK,
whose messages depend on a secret that no tape has, and the TLS handshakes.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from usbprov.engine.events import Event, Listener, StepBegun
from usbprov.engine.job import Job, Services, SignsIn
from usbprov.engine.order import Order
from usbprov.engine.runner import Runner
from usbprov.engine.tape_head import (
    recorded_device,
    recorded_family,
    recorded_link,
    recorded_order,
    recorded_retries,
    recorded_return,
    restore_earlier,
)
from usbprov.errors import BundleInvalid, Interrupted, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.phone.candidates import Candidate, Reach
from usbprov.phone.holding import hold
from usbprov.phone.playing import PlayedBus
from usbprov.phone.registry import drivers
from usbprov.phone.tap import TappedDriver
from usbprov.tape.deck import playing
from usbprov.tape.events import Kind, text
from usbprov.tape.player import Player
from usbprov.tape.reader import Tape
from usbprov.usb.locks import PhoneLocks

_KILLED = "killed"
"""In place of a code: the program was killed before the job came to any end."""

_NO_SECRET = "0000"  # noqa: S105 - in a replay nobody is sent it
_LEFT = "TAP-03"


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        step: The step that was under way, or ``""`` if none was.
        code: The error's code, or the outcome in a word where there was none.
        words: What is said of it.
    """

    step: str
    code: str
    words: str = ""

    def __str__(self) -> str:
        where = f" in step {self.step}" if self.step else ""
        words = f" ({self.words})" if self.words else ""
        return f"{self.code}{where}{words}"

    def same_as(self, other: "Ending") -> bool:
        """Say whether it is the same step and the same code."""
        return (self.step, self.code) == (other.step, other.code)


def recorded_ending(tape: Tape) -> Ending:
    """Return how the job ended when it was recorded.

    Raises:
        BundleInvalid: The tape was full before.
    """
    ended = tape.last(Kind.ENDED)
    steps = [event for event in tape.events if event.kind is Kind.STEP_BEGUN]
    step = text(steps[-1].body.get("step")) if steps else ""
    if ended is None:
        if tape.cut:
            raise BundleInvalid(tape.source, "its tape was full before the job ended")
        return Ending(step, _KILLED, "the program was killed, or is still running")
    error = ended.body.get("error")
    if not isinstance(error, dict):
        return Ending("", text(ended.body.get("outcome")))
    return Ending(step, text(error.get("code")), text(error.get("message")))


def replay(tape: Tape, listener: Listener) -> Ending:
    """Run the job again, against its tape; nothing else is opened, asked or written.

    Raises:
        BundleInvalid: The tape cannot be played: it is full, damaged, of a family that is not
            installed, or of one that records only sizes.
    """
    recorded = recorded_ending(tape)
    if tape.cut:
        raise BundleInvalid(tape.source, "its tape was full before the job ended")
    player = Player(tape.events, tape.began, stopped=recorded.code == Interrupted.code)
    seen = _Seen(listener)
    with tempfile.TemporaryDirectory(prefix="usbprov-replay-") as folder, playing(player):
        ending = _ending(seen, lambda: _run(tape, player, Path(folder), seen))
    if player.left is None or ending.code == BundleInvalid.code:
        return ending
    if recorded.code == _KILLED and player.left.found == "nothing more":
        return Ending(seen.step, _KILLED, "the tape ends here")
    return Ending(seen.step, _LEFT, str(player.left))


class _Seen:
    """Remembers which step is under way."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.step = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepBegun):
            self.step = event.step.value
        self._listener(event)


def _ending(seen: _Seen, run: Callable[[], str]) -> Ending:
    try:
        return Ending("", run())
    except BundleInvalid:
        raise
    except UsbprovError as error:
        return Ending(seen.step, error.code, str(error))
    except KeyboardInterrupt:
        return Ending(seen.step, Interrupted.code, "stopped by the user")
    except Exception as error:  # a recorded bug is a bug again
        return Ending(seen.step, UsbprovError.code, type(error).__name__)


def _run(tape: Tape, player: Player, folder: Path, listener: Listener) -> str:
    """Run the job; returns its outcome in a word."""
    order = recorded_order(tape)
    candidate = _candidate(tape, player, folder)
    with Ledger(folder / "ledger.sqlite3") as ledger:
        restore_earlier(tape, ledger)
        return _play(order, candidate, tape, ledger, listener)


def _play(
    order: Order, candidate: Candidate, tape: Tape, ledger: Ledger, listener: Listener
) -> str:
    with hold(candidate) as held, _services(order) as connect:
        job = Job(order, held.phone, ledger, connect, lambda: _NO_SECRET, _reach(order), held)
        job.return_seconds = recorded_return(tape)
        job.retries = recorded_retries(tape)
        return Runner(job, listener).run().outcome.value


def _candidate(tape: Tape, player: Player, folder: Path) -> Candidate:
    family, facts = recorded_family(tape), recorded_device(tape)
    driver = next((driver for driver in drivers() if driver.family == family), None)
    if driver is None:
        raise BundleInvalid(tape.source, f"the phone family {family!r} is not installed")
    if not isinstance(driver, TappedDriver):
        raise BundleInvalid(tape.source, f"of the family {family!r} only sizes are recorded")
    bus = PlayedBus(player, facts, driver)
    reach = Reach(recorded_link(tape), PhoneLocks(folder / "locks"))
    return Candidate(bus.device(), driver, bus, reach)


@contextmanager
def _services(order: Order) -> Iterator[Callable[[], Services]]:
    """Give the Web Services' own client; its ports are played."""
    from usbprov.webservices.client import WebServices  # noqa: PLC0415 - only when needed

    with WebServices(order.web_services_url) as services:
        yield lambda: services


def _reach(order: Order) -> Callable[[], SignsIn]:
    """Give the order's Registrar; of a sign-in the outcome is played."""
    from usbprov.registrar.client import Registrar, RegistrarAddress  # noqa: PLC0415

    return lambda: Registrar(RegistrarAddress.parse(order.registrar or ""))
