"""Named faults: what the lab can be told to do wrong, to see what a client makes of it.

The faults that are on stand in a small SQLite file in the lab's folder. So another process can
switch them while the lab runs, and what it has switched holds when its command returns.
"""

import contextlib
import difflib
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from usbprov.errors import LabUnusable
from usbprov.lab.layout import Layout


class FaultName(Enum):
    """The faults, by the name that is given on the command line."""

    STORE_UNREACHABLE = "store-unreachable"
    STORE_FLAPPING = "store-flapping"
    REGISTRAR_DOWN = "registrar-down"
    INCOMPLETE_CHAIN = "incomplete-chain"
    WRONG_ORDER = "wrong-order"
    UNKNOWN_ROOT = "unknown-root"
    EXPIRED_SERVER_CERT = "expired-server-cert"
    WRONG_NAME = "wrong-name"
    SHA1_CHAIN = "sha1-chain"
    TLS10_ONLY = "tls10-only"
    SLOW = "slow"
    DROP_CONNECTION = "drop-connection"
    DROP_ANSWER = "drop-answer"
    HTML_500 = "html-500"
    BUSY = "busy"
    GARBAGE_XML = "garbage-xml"
    DTD = "dtd"
    HUGE_ANSWER = "huge-answer"
    GZIP_BOMB = "gzip-bomb"
    ENDLESS_BODY = "endless-body"
    REDIRECT_LOOP = "redirect-loop"
    REDIRECT_ELSEWHERE = "redirect-elsewhere"
    LOOP_401 = "401-loop"
    AUTH_OFF = "auth-off"
    PIN_LOCKED = "pin-locked"
    PIN_UNSET = "pin-unset"
    PIN_EXPIRED = "pin-expired"
    NUMBER_SHARED = "number-shared"
    WRONG_CONTEXT = "wrong-context"
    TICKET_EXPIRED = "ticket-expired"
    CLOCK_SKEW = "clock-skew"
    WRONG_KEY = "wrong-key"
    WRONG_USER = "wrong-user"
    SHORT_VALIDITY = "short-validity"
    EXPIRED_CERT = "expired-cert"
    TWO_CERTS = "two-certs"
    BAD_BASE64 = "bad-base64"
    WRONG_REQUEST_ID = "wrong-request-id"
    CHAIN_DOWNLOAD_OFF = "chain-download-off"
    REGISTRAR_SLOW = "registrar-slow"
    REGISTRAR_BUSY = "registrar-busy"
    SIP_GARBAGE = "sip-garbage"
    DSK_OFF = "dsk-off"
    WRONG_FINISHED = "wrong-finished"
    CERTIFICATE_NOT_FOUND = "certificate-not-found"
    USER_DISABLED = "user-disabled"
    USER_UNKNOWN = "user-unknown"
    HOME_POOL_MOVED = "home-pool-moved"
    REDIRECT_ENDLESS = "redirect-endless"
    REGISTRAR_WRONG_KEY = "registrar-wrong-key"
    UNSIGNED_200 = "unsigned-200"


class Scope(Enum):
    """What a fault acts on."""

    HANDSHAKE = "TLS handshake of a new connection"
    POST = "POST"
    REQUEST = "POST, and GET of /mex"
    METADATA = "GET of /mex, and POST to the port"
    PIN_TICKET = "ticket by PIN"
    TICKET = "ticket by any method"
    PUBLISH = "GetAndPublishCert"
    CHAIN = "chain download"
    REGISTER = "sign-in at the Registrar"
    EVERYTHING = "everything"


class Argument(Enum):
    """What may stand after a fault's name: how it is written, and what it means."""

    NONE = ("", "no argument")
    TIMES = ("[=N]", "=N: only for the first N times")
    SECONDS = ("=S", "=S: seconds")
    OFFSET = ("=S", "=S: seconds, negative for behind")
    MINUTES = ("=M", "=M: minutes")
    METHODS = ("=METHOD[,METHOD]", "=METHOD[,METHOD]: pin, windows, password, certificate")

    def __init__(self, form: str, meaning: str) -> None:
        self.form = form
        self.meaning = meaning


METHODS = frozenset({"pin", "windows", "password", "certificate"})
"""The ways to prove a user, as ``auth-off`` names them."""


@dataclass(frozen=True)
class FaultKind:
    """One fault: what it acts on, what may follow its name, and one line of help."""

    scope: Scope
    argument: Argument
    help: str

    @property
    def required(self) -> bool:
        """Whether the argument must be there."""
        return self.argument not in {Argument.NONE, Argument.TIMES}


def _kind(scope: Scope, words: str, argument: Argument = Argument.TIMES) -> FaultKind:
    return FaultKind(scope, argument, words)


FAULTS: Mapping[FaultName, FaultKind] = {
    FaultName.STORE_UNREACHABLE: _kind(
        Scope.PUBLISH, "the store of the user's home pool cannot be reached"
    ),
    FaultName.STORE_FLAPPING: _kind(
        Scope.PUBLISH, "the store cannot be reached every other time, the first included",
        Argument.NONE,
    ),
    FaultName.REGISTRAR_DOWN: _kind(
        Scope.PUBLISH,
        "the Registrar of the user's home pool is not available, and closes SIP connections",
    ),
    FaultName.INCOMPLETE_CHAIN: _kind(
        Scope.HANDSHAKE, "send the server's certificate without the intermediate", Argument.NONE
    ),
    FaultName.WRONG_ORDER: _kind(
        Scope.HANDSHAKE, "send the root between the server's certificate and the intermediate",
        Argument.NONE,
    ),
    FaultName.UNKNOWN_ROOT: _kind(
        Scope.HANDSHAKE, "serve with a chain that ends in a root that nobody trusts",
        Argument.NONE,
    ),
    FaultName.EXPIRED_SERVER_CERT: _kind(
        Scope.HANDSHAKE, "serve with a certificate that has expired", Argument.NONE
    ),
    FaultName.WRONG_NAME: _kind(
        Scope.HANDSHAKE, "serve with a certificate for elsewhere.contoso.test", Argument.NONE
    ),
    FaultName.SHA1_CHAIN: _kind(
        Scope.HANDSHAKE, "serve with a chain that is signed with SHA-1", Argument.NONE
    ),
    FaultName.TLS10_ONLY: _kind(
        Scope.HANDSHAKE, "speak TLS 1.0 and nothing newer", Argument.NONE
    ),
    FaultName.SLOW: _kind(Scope.POST, "wait before each answer", Argument.SECONDS),
    FaultName.DROP_CONNECTION: _kind(
        Scope.POST, "reset the connection before a request is worked on"
    ),
    FaultName.DROP_ANSWER: _kind(
        Scope.POST, "reset the connection after a request was worked on, instead of an answer"
    ),
    FaultName.HTML_500: _kind(Scope.POST, "answer with HTTP 500 and a web page"),
    FaultName.BUSY: _kind(Scope.POST, "answer with HTTP 503 and Retry-After: 1"),
    FaultName.GARBAGE_XML: _kind(Scope.POST, "answer with XML that breaks off in the middle"),
    FaultName.DTD: _kind(Scope.POST, "answer with a document type and nested entities"),
    FaultName.HUGE_ANSWER: _kind(Scope.POST, "answer with 64 MiB"),
    FaultName.GZIP_BOMB: _kind(Scope.POST, "answer with 1 MiB of gzip that unpacks to 1 GiB"),
    FaultName.ENDLESS_BODY: _kind(Scope.POST, "answer byte after byte, without end"),
    FaultName.REDIRECT_LOOP: _kind(
        Scope.REQUEST, "redirect to the same host, again and again", Argument.NONE
    ),
    FaultName.REDIRECT_ELSEWHERE: _kind(
        Scope.REQUEST, "redirect to https://elsewhere.contoso.test", Argument.NONE
    ),
    FaultName.LOOP_401: _kind(
        Scope.POST, "answer with HTTP 401, and every token with another challenge", Argument.NONE
    ),
    FaultName.AUTH_OFF: _kind(
        Scope.METADATA, "do not offer these ways to get a ticket", Argument.METHODS
    ),
    FaultName.PIN_LOCKED: _kind(Scope.PIN_TICKET, "say that the PIN is locked"),
    FaultName.PIN_UNSET: _kind(Scope.PIN_TICKET, "say that no PIN is set"),
    FaultName.PIN_EXPIRED: _kind(Scope.PIN_TICKET, "say that the PIN has expired"),
    FaultName.NUMBER_SHARED: _kind(Scope.PIN_TICKET, "say that several users share the number"),
    FaultName.WRONG_CONTEXT: _kind(Scope.TICKET, "answer with another Context than the request's"),
    FaultName.TICKET_EXPIRED: _kind(
        Scope.PUBLISH, "the certificate service's clock is a day ahead: every ticket has expired",
        Argument.NONE,
    ),
    FaultName.CLOCK_SKEW: _kind(
        Scope.EVERYTHING, "the server's clock is ahead", Argument.OFFSET
    ),
    FaultName.WRONG_KEY: _kind(Scope.PUBLISH, "certify another key than the requested one"),
    FaultName.WRONG_USER: _kind(Scope.PUBLISH, "certify another user than the ticket's"),
    FaultName.SHORT_VALIDITY: _kind(
        Scope.PUBLISH, "issue certificates for so long only", Argument.MINUTES
    ),
    FaultName.EXPIRED_CERT: _kind(Scope.PUBLISH, "issue a certificate that has expired"),
    FaultName.TWO_CERTS: _kind(Scope.PUBLISH, "answer with two certificates"),
    FaultName.BAD_BASE64: _kind(Scope.PUBLISH, "answer with a certificate that is no base64"),
    FaultName.WRONG_REQUEST_ID: _kind(
        Scope.PUBLISH, "answer with another RequestID than the request's"
    ),
    FaultName.CHAIN_DOWNLOAD_OFF: _kind(
        Scope.CHAIN, "refuse the chain download, as --no-chain-download does", Argument.NONE
    ),
    FaultName.REGISTRAR_SLOW: _kind(
        Scope.REGISTER, "wait before each answer", Argument.SECONDS
    ),
    FaultName.REGISTRAR_BUSY: _kind(
        Scope.REGISTER, "answer with 504, 1007 Temporarily cannot route, and Retry-After: 1"
    ),
    FaultName.SIP_GARBAGE: _kind(Scope.REGISTER, "answer with HTTP, as a Web server would"),
    FaultName.DSK_OFF: _kind(
        Scope.REGISTER, "do not offer TLS-DSK, as --policy registrar-certificate-auth=off does",
        Argument.NONE,
    ),
    FaultName.WRONG_FINISHED: _kind(
        Scope.REGISTER, "send another Finished in the TLS-DSK handshake than the right one"
    ),
    FaultName.CERTIFICATE_NOT_FOUND: _kind(
        Scope.REGISTER, "say 401, 1000 Final handshake failed, as if nothing was published"
    ),
    FaultName.USER_DISABLED: _kind(
        Scope.REGISTER, "say 403, 4141 User disabled, to who has proved himself"
    ),
    FaultName.USER_UNKNOWN: _kind(
        Scope.REGISTER, "say 404, 1003 User does not exist, to who has proved himself"
    ),
    FaultName.HOME_POOL_MOVED: _kind(
        Scope.REGISTER, "send every user to the other Registrar (301), and serve him there",
        Argument.NONE,
    ),
    FaultName.REDIRECT_ENDLESS: _kind(
        Scope.REGISTER, "have both Registrars send every user to the other one (301)",
        Argument.NONE,
    ),
    FaultName.REGISTRAR_WRONG_KEY: _kind(
        Scope.REGISTER, "sign an answer with another key than the handshake's"
    ),
    FaultName.UNSIGNED_200: _kind(Scope.REGISTER, "do not sign a 200"),
}  # fmt: skip
"""Every fault. All can be switched at the start and while the lab runs."""


@dataclass(frozen=True)
class FaultSetting:
    """A fault that is on, with its argument; None where it was left out."""

    name: FaultName
    argument: float | str | None = None


def parse_fault(text: str) -> FaultSetting:
    """Read ``NAME`` or ``NAME=ARG``.

    Raises:
        LabUnusable: The name is not known (the message says which is nearest), or the argument
            is missing, wrong, or not taken.
    """
    word, equals, argument = text.partition("=")
    name = parse_name(word)
    kind = FAULTS[name]
    if not equals and not kind.required:
        return FaultSetting(name)
    value = _methods(argument) if kind.argument is Argument.METHODS else _number(kind, argument)
    if value is None:
        raise LabUnusable(f"fault {word}: it takes {kind.argument.meaning}")
    return FaultSetting(name, value)


def parse_name(word: str) -> FaultName:
    """Read a fault's name alone. Raises ``LabUnusable`` as ``parse_fault`` does."""
    try:
        return FaultName(word)
    except ValueError:
        raise LabUnusable(f"there is no fault {word!r}{_nearest(word)}") from None


def _methods(text: str) -> str | None:
    return text if set(text.split(",")) <= METHODS else None


def _number(kind: FaultKind, text: str) -> float | None:
    lowest = {Argument.TIMES: 1.0, Argument.OFFSET: -math.inf}.get(kind.argument, 0.0)
    try:
        number = float(int(text)) if kind.argument is Argument.TIMES else float(text)
    except ValueError:
        return None
    fits = kind.argument is not Argument.NONE and math.isfinite(number)
    return number if fits and number >= lowest else None


def _nearest(word: str) -> str:
    names = [name.value for name in FaultName]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"


_SCHEMA = """
CREATE TABLE IF NOT EXISTS fault (
    name TEXT PRIMARY KEY, argument ANY, strikes INTEGER NOT NULL DEFAULT 0) STRICT;
"""
_BUSY_SECONDS = 10.0


class Faults:
    """The faults that are on; may be changed while the lab runs, from any thread or process."""

    def __init__(self, settings: Iterable[FaultSetting] = (), path: Path | None = None) -> None:
        """Switch faults on.

        Args:
            settings: Which.
            path: The file that other processes share; None for faults of this process alone.
        """
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        # What is on need not outlive a power cut: the next start begins anew.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = MEMORY")
        self._db.execute(_SCHEMA)
        for setting in settings:
            self.switch_on(setting)

    def close(self) -> None:
        """Let the file go; the object is of no use any more."""
        with self._lock:
            self._db.close()

    def switch_on(self, setting: FaultSetting) -> None:
        """Switch a fault on, or give it another argument and have it count anew."""
        self._do(
            "INSERT OR REPLACE INTO fault (name, argument) VALUES (?, ?)",
            setting.name.value,
            setting.argument,
        )

    def switch_off(self, name: FaultName) -> None:
        """Switch a fault off; one that is not on is no error."""
        self._do("DELETE FROM fault WHERE name = ?", name.value)

    def clear(self) -> None:
        """Switch every fault off."""
        self._do("DELETE FROM fault")

    def settings(self) -> list[FaultSetting]:
        """Return the faults that are on, with their arguments as they were given."""
        rows = self._do("SELECT name, argument FROM fault ORDER BY name")
        return [FaultSetting(FaultName(name), argument) for name, argument in rows]

    def is_on(self, name: FaultName) -> bool:
        """Say whether the fault is on, without counting this as a use."""
        return bool(self._do("SELECT 1 FROM fault WHERE name = ?", name.value))

    def value(self, name: FaultName) -> float | None:
        """Return the number of a fault that is on; None if it is off or has none."""
        found = self._argument(name)
        return found if isinstance(found, float) else None

    def words(self, name: FaultName) -> frozenset[str]:
        """Return the words of a fault that is on; none if it is off."""
        found = self._argument(name)
        return frozenset(found.split(",")) if isinstance(found, str) else frozenset()

    def take(self, name: FaultName) -> bool:
        """Say whether the fault strikes now; one with a number of times is used up by this."""
        return self._strike(name) > 0

    def take_turn(self, name: FaultName) -> bool:
        """Say whether the fault strikes now; the first time it does, and then every other time."""
        return self._strike(name) % 2 == 1

    def _strike(self, name: FaultName) -> int:
        """Count one use of a fault and return how many there were; 0 if it is off."""
        if not self.is_on(name):
            return 0
        rows = self._do(
            "UPDATE fault SET strikes = strikes + 1 WHERE name = ? RETURNING strikes", name.value
        )
        if FAULTS[name].argument is Argument.TIMES:
            self._do("DELETE FROM fault WHERE name = ? AND strikes >= argument", name.value)
        return int(rows[0][0]) if rows else 0

    def _argument(self, name: FaultName) -> float | str | None:
        rows = self._do("SELECT argument FROM fault WHERE name = ?", name.value)
        return rows[0][0] if rows else None

    def _do(self, statement: str, *values: float | str | None) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()


@contextlib.contextmanager
def faults_of(folder: Path) -> Iterator[Faults]:
    """Open the faults of the lab that runs in the folder; what is switched holds at once.

    Raises:
        LabUnusable: No lab runs there.
    """
    layout = Layout(folder)
    if not layout.facts.exists() or not layout.faults.exists():
        raise LabUnusable(f"no lab is running in {folder}")
    try:
        with contextlib.closing(Faults(path=layout.faults)) as faults:
            yield faults
    except sqlite3.Error as error:
        raise LabUnusable(f"{layout.faults}: {error}") from None
