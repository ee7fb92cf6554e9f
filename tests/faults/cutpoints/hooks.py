"""Within the program that is to be cut: tells each moment, and does what is to be done at one.

The program itself knows nothing of it. What is wrapped are the borders that it reaches the world
through: the ledger's transactions, the link to the phone, HTTP and SIP exchanges, and the table of
steps, from which every moment has the name of its step.
"""

import functools
import http.client
import json
import os
import resource
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from cutpoints.moments import Effect, Moment, When
from usbprov.engine.runner import Runner
from usbprov.ledger.chain import Write
from usbprov.ledger.database import Database
from usbprov.registrar.connection import Connection
from usbprov.usb.bulk import BulkLink
from usbprov.webservices.session import HttpSession
from usbprov_drivers.smp import messages
from usbprov_drivers.smp.messages import Command
from usbprov_drivers.smp.wire import HEADER_SIZE, Op


class Act(StrEnum):
    """What the program does to itself when it has come to the moment."""

    KILL = "kill"
    """Ends by SIGKILL."""
    ASK = "ask"
    """Waits until the stage has done something to the world, and goes on."""
    HANG_UP = "hang-up"
    """Shuts the socket of the call down, as if the other side had gone."""
    NO_WRITES = "no-writes"
    """Has the system refuse every write to a file from now on."""
    READ_ONLY = "read-only"
    """Has SQLite refuse every write of the ledger from now on."""


_COMMANDS = {
    (command.op, command.group, command.number): command.name
    for command in vars(messages).values()
    if isinstance(command, Command)
}

_MOST = 1 << 16

_REST = 0.1
"""Seconds in which the rest of an answer comes that has begun to come."""

_POLLED = frozenset({"JOB"})
"""What is asked as often as it takes: only the first time counts."""

_ALSO_READ = frozenset({"PROVE", "SIGN", "IDENTIFY", "echo"})
"""What is a write by the protocol's header, and changes nothing that lasts."""


class Teller:
    """Tells the stage each moment, and acts at one of them."""

    def __init__(self, control: socket.socket, at: str | None, act: Act | None) -> None:
        self._control, self._at, self._act = control, at, act
        self._counts: Counter[tuple[str, Effect, str]] = Counter()
        self.step = "identify"

    def begins(self, effect: Effect, what: str, *, writes: bool, size: int = 0) -> "_Telling":
        """Count an effect that is to come."""
        key = (self.step, effect, what)
        self._counts[key] += 1
        told = what not in _POLLED or self._counts[key] == 1
        return _Telling(self if told else None, (*key, self._counts[key]), writes, size)

    def reach(self, moment: Moment, means: Callable[[Act], None]) -> None:
        """Say that a moment has come, then act if it is the one."""
        self._say(moment.document())
        if moment.name != self._at or self._act is None:
            return
        act, self._at = self._act, None
        _ACTS.get(act, means if act in _BY_MEANS else _nothing)(act)
        if act is Act.ASK:
            self._say({"asks": moment.name})
            if not self._control.recv(1):
                os.kill(os.getpid(), signal.SIGKILL)  # nobody is there any more

    def _say(self, document: Mapping[str, Any]) -> None:
        self._control.sendall(json.dumps(document).encode() + b"\n")


class _Telling:
    """One effect, from before to after."""

    def __init__(
        self, teller: Teller | None, key: tuple[str, Effect, str, int], writes: bool, size: int
    ) -> None:
        self._teller, self._key = teller, key
        self._writes, self._size = writes, size

    def tell(self, when: When, means: Callable[[Act], None] = lambda _: None) -> None:
        if self._teller is not None:
            moment = Moment(*self._key, when, self._size, self._writes)
            self._teller.reach(moment, means)


def _nothing(_: Act) -> None:
    pass


def _kill(_: Act) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse_writes(_: Act) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


_ACTS: Mapping[Act, Callable[[Act], None]] = {Act.KILL: _kill, Act.NO_WRITES: _refuse_writes}
_BY_MEANS = frozenset({Act.HANG_UP, Act.READ_ONLY})
"""What needs something of the effect itself: its socket, its connection."""


def install(teller: Teller) -> None:
    """Wrap the borders; for a process that runs one command and ends."""
    _wrap_steps(teller)
    _wrap(Database, "write", _ledger(teller))
    _wrap_link(teller)
    _wrap_web(teller)
    _wrap_sip(teller)


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(self: Any, *args: Any, **named: Any) -> Any:
        return around(functools.partial(original, self), self, *args, **named)

    setattr(owner, name, wrapped)


def _wrap_steps(teller: Teller) -> None:
    def look(original: Any, _: Any, name: str, what: Any) -> None:
        teller.step = str(name)
        original(name, what)

    def take(original: Any, _: Any, step: Any) -> None:
        teller.step = str(step.name)
        telling = teller.begins(Effect.STEP, "step", writes=True)
        telling.tell(When.BEFORE)
        original(step)
        telling.tell(When.AFTER)

    _wrap(Runner, "_look", look)
    _wrap(Runner, "_take", take)


def _ledger(teller: Teller) -> Callable[..., Any]:
    def write(original: Any, database: Any, kind: str, work: Callable[[Write], Any]) -> Any:
        def read_only(_: Act) -> None:
            with database._opened().connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = ON")

        def all_of_it(writing: Write) -> Any:
            result = work(writing)
            telling.tell(When.SENT)
            return result

        telling = teller.begins(Effect.LEDGER, kind or "flush", writes=True)
        telling.tell(When.BEFORE, read_only)
        result = original(kind, all_of_it)
        telling.tell(When.AFTER)
        return result

    return write


def _wrap_link(teller: Teller) -> None:
    under_way: list[_Telling] = []

    def write(original: Any, _: Any, data: bytes, timeout: float) -> None:
        name, writes = _command(data)
        telling = teller.begins(Effect.PHONE, name, writes=writes, size=len(data))
        telling.tell(When.BEFORE)
        original(data, timeout)
        telling.tell(When.SENT)
        under_way[:] = [telling]

    def read(original: Any, _: Any, timeout: float) -> bytes:
        data: bytes = original(timeout)
        while under_way:
            under_way.pop().tell(When.AFTER)
        return data

    _wrap(BulkLink, "write", write)
    _wrap(BulkLink, "read", read)


def _command(data: bytes) -> tuple[str, bool]:
    """Name the command that a message gives, and say whether it can change anything that lasts."""
    if len(data) < HEADER_SIZE:
        return "bytes", False
    op = Op(data[0] & 7)
    name = _COMMANDS.get((op, int.from_bytes(data[4:6]), data[7]), "unknown")
    return name, op is Op.WRITE and name not in _ALSO_READ


def _wrap_web(teller: Teller) -> None:
    under_way: list[_Telling] = []

    def put_request(original: Any, at: Any, method: str, url: str, *rest: Any, **more: Any) -> None:
        what = f"{method} {_place(url)}"
        under_way[:] = [teller.begins(Effect.WEB, what, writes=method == "POST")]
        if at.sock is None:
            at.connect()
        under_way[-1].tell(When.BEFORE, lambda _: _shut(at.sock))
        original(method, url, *rest, **more)

    def get_response(original: Any, at: Any) -> Any:
        if under_way:
            under_way[-1].tell(When.SENT, lambda _: _lose(at.sock))
        answer = original()
        if type(at) is http.client.HTTPConnection and under_way:  # not one of HttpSession's
            under_way.pop().tell(When.AFTER)
        return answer

    def exchange(original: Any, _: Any, *args: Any) -> Any:
        answer = original(*args)
        while under_way:
            under_way.pop().tell(When.AFTER)
        return answer

    _wrap(http.client.HTTPConnection, "putrequest", put_request)
    _wrap(http.client.HTTPConnection, "getresponse", get_response)
    _wrap(HttpSession, "_exchange_now", exchange)


def _place(url: str) -> str:
    """Say what of a server is asked, in a word or two."""
    parts = [part for part in urlsplit(url).path.lower().split("/") if part]
    return " ".join(part.partition(".")[0] for part in parts[:1] + parts[-1:])


def _wrap_sip(teller: Teller) -> None:
    under_way: list[_Telling] = []

    def exchange(original: Any, at: Any, request: Any) -> Any:
        under_way[:] = [teller.begins(Effect.SIP, str(request.method), writes=False)]
        under_way[-1].tell(When.BEFORE, lambda _: _shut(at._socket))
        answer = original(request)
        under_way.pop().tell(When.AFTER)
        return answer

    def wait(original: Any, at: Any, request: Any) -> Any:
        if under_way:
            under_way[-1].tell(When.SENT, lambda _: _lose(at._socket))
        return original(request)

    _wrap(Connection, "exchange", exchange)
    _wrap(Connection, "_answer", wait)


def _shut(sock: socket.socket) -> None:
    """Shut the connection itself; TLS is not told, as when the other side goes."""
    socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _lose(sock: Any) -> None:
    """Take the answer off the connection, so that nobody ever reads it, and shut that."""
    patience = sock.gettimeout()
    # Not by the socket's own methods, which set the time limit of the whole exchange.
    read = sock._sslobj.read if isinstance(sock, ssl.SSLSocket) else sock.recv
    read(_MOST)
    sock.settimeout(_REST)
    with suppress(OSError):
        while read(_MOST):
            pass
    sock.settimeout(patience)
    _shut(sock)
