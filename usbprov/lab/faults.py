"""Named faults: what the lab can be told to do wrong, to see what a client makes of it."""

import difflib
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from usbprov.errors import LabUnusable


class FaultName(Enum):
    """The faults, by the name that is given on the command line."""

    STORE_UNREACHABLE = "store-unreachable"
    HTML_500 = "html-500"
    SLOW = "slow"
    DROP_CONNECTION = "drop-connection"
    DROP_ANSWER = "drop-answer"
    HUGE_ANSWER = "huge-answer"
    DTD = "dtd"
    TICKET_EXPIRED = "ticket-expired"
    WRONG_KEY = "wrong-key"
    WRONG_USER = "wrong-user"
    SHORT_VALIDITY = "short-validity"
    EXPIRED_CERT = "expired-cert"


class Argument(Enum):
    """What may stand after a fault's name."""

    NONE = "no argument"
    TIMES = "=N: only for the first N requests"
    SECONDS = "=S: seconds"
    MINUTES = "=M: minutes"


@dataclass(frozen=True)
class FaultKind:
    """One fault: what may follow its name, whether it must, and one line of help."""

    argument: Argument
    help: str
    required: bool = False


FAULTS: Mapping[FaultName, FaultKind] = {
    FaultName.STORE_UNREACHABLE: FaultKind(
        Argument.TIMES, "the home pool's store cannot be reached when a certificate is published"
    ),
    FaultName.HTML_500: FaultKind(Argument.TIMES, "answer with HTTP 500 and a web page"),
    FaultName.SLOW: FaultKind(Argument.SECONDS, "wait before each answer", required=True),
    FaultName.DROP_CONNECTION: FaultKind(
        Argument.TIMES, "reset the connection before a request is worked on"
    ),
    FaultName.DROP_ANSWER: FaultKind(
        Argument.TIMES, "reset the connection after a request was worked on, instead of an answer"
    ),
    FaultName.HUGE_ANSWER: FaultKind(Argument.TIMES, "answer with 64 MiB"),
    FaultName.DTD: FaultKind(Argument.TIMES, "answer with a document type and nested entities"),
    FaultName.TICKET_EXPIRED: FaultKind(
        Argument.NONE, "the certificate service's clock is a day ahead: every ticket has expired"
    ),
    FaultName.WRONG_KEY: FaultKind(Argument.TIMES, "certify another key than the requested one"),
    FaultName.WRONG_USER: FaultKind(Argument.TIMES, "certify another user than the ticket's"),
    FaultName.SHORT_VALIDITY: FaultKind(
        Argument.MINUTES, "issue certificates for so long only", required=True
    ),
    FaultName.EXPIRED_CERT: FaultKind(
        Argument.NONE, "serve with a certificate that has expired (from the start only)"
    ),
}
"""Every fault; those that an HTTP answer is affected by act on POST requests, not on ``/mex``."""


@dataclass(frozen=True)
class FaultSetting:
    """A fault that is on, with its argument; None where it was left out."""

    name: FaultName
    argument: float | None = None


def parse_fault(text: str) -> FaultSetting:
    """Read ``NAME`` or ``NAME=ARG``.

    Raises:
        LabUnusable: The name is not known (the message says which is nearest), or the argument
            is missing, wrong, or not taken.
    """
    word, equals, argument = text.partition("=")
    try:
        name = FaultName(word)
    except ValueError:
        raise LabUnusable(f"there is no fault {word!r}{_nearest(word)}") from None
    kind = FAULTS[name]
    if not equals and not kind.required:
        return FaultSetting(name)
    number = _number(argument, whole=kind.argument is Argument.TIMES)
    if number is None or kind.argument is Argument.NONE:
        raise LabUnusable(f"fault {word}: it takes {kind.argument.value}")
    return FaultSetting(name, number)


def _number(text: str, *, whole: bool) -> float | None:
    try:
        number = float(int(text)) if whole else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= (1 if whole else 0) else None


def _nearest(word: str) -> str:
    names = [name.value for name in FaultName]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"


class Faults:
    """The faults that are on; may be changed while the lab runs, from any thread."""

    def __init__(self, settings: Iterable[FaultSetting] = ()) -> None:
        self._lock = threading.Lock()
        self._on = {setting.name: setting.argument for setting in settings}

    def switch_on(self, setting: FaultSetting) -> None:
        """Switch a fault on, or give it another argument."""
        with self._lock:
            self._on[setting.name] = setting.argument

    def switch_off(self, name: FaultName) -> None:
        """Switch a fault off; one that is not on is no error."""
        with self._lock:
            self._on.pop(name, None)

    def is_on(self, name: FaultName) -> bool:
        """Say whether the fault is on, without counting this as a use."""
        with self._lock:
            return name in self._on

    def value(self, name: FaultName) -> float | None:
        """Return the argument of a fault that is on; None if it is off or has none."""
        with self._lock:
            return self._on.get(name)

    def take(self, name: FaultName) -> bool:
        """Say whether the fault strikes now; one with a number of times is used up by this."""
        with self._lock:
            if name not in self._on:
                return False
            left = self._on[name]
            if left is not None:
                self._on[name] = left - 1
                if left <= 1:
                    del self._on[name]
            return True
