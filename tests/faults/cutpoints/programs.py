"""Programs for the stage: forks of a process that has the modules, and no threads."""

import array
import gc
import inspect
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import program_server

from cutpoints import hooks, planted
from cutpoints.moments import Moment
from usbprov.ledger import sqlite
from usbprov.offline import envelope
from usbprov.pki import keys
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.vault import Vault

_MOST = 1 << 20

FD = "FD"
"""Stands in arguments for the number of a descriptor."""

PATIENCE = 60.0
"""Seconds after which a program that has told nothing is taken for one that hangs."""

COST = Cost(1 << 12, 8, 1)
"""Of a passphrase: the least that is borne. The usual costs are for those who guess one."""

BUSY_SECONDS = 0.1
"""How long the program waits for a ledger that another process has locked; else 10 s."""


@dataclass(frozen=True)
class Command:
    """What is to be run.

    Attributes:
        arguments: After the program's name.
        typed: Its standard input.
        environment: All of it.
        folder: Where it is started.
        at: The moment at which it acts, by name, or None.
        act: What it does then.
        mistake: One that is planted into it, or None.
        whispered: What it can read from the descriptor that stands for ``FD`` in its arguments.
        warms: Whether it is run in the process of which the others are forked, so that they find
            ready what is made at the first use.
        keys: RSA keys (PKCS#8, hex) that it makes, in place of those that would take long.
    """

    arguments: Sequence[str]
    typed: str
    environment: Mapping[str, str]
    folder: str
    at: str | None = None
    act: str | None = None
    mistake: str | None = None
    whispered: str = ""
    warms: bool = False
    keys: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True)
class Ended:
    """What has become of a program.

    Attributes:
        code: Its exit code; negative for a signal.
        moments: Those that it reached.
    """

    code: int
    out: str
    err: str
    moments: Sequence[Moment]


class Forge:
    """A process of which programs are forked. Make it before there are any threads."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            _serve(theirs)
        theirs.close()

    def close(self) -> None:
        """End it."""
        self._ours.close()
        os.waitpid(self.pid, 0)

    @contextmanager
    def run(self, command: Command) -> Iterator["Running"]:
        """Start a program; it is killed after the block if it has not ended."""
        streams = [os.pipe() for _ in range(3)]
        control, theirs = socket.socketpair()
        control.settimeout(PATIENCE)
        given = [streams[0][0], streams[1][1], streams[2][1], theirs.fileno()]
        request = json.dumps(vars(command)).encode()
        fds = array.array("i", given).tobytes()
        self._ours.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        for descriptor in given[:3]:
            os.close(descriptor)
        theirs.close()
        pid = int(self._ours.recv(64))
        with suppress(BrokenPipeError), os.fdopen(streams[0][1], "w") as typed:
            typed.write(command.typed)
        running = Running(self, pid, control, streams[1][0], streams[2][0])
        try:
            yield running
        finally:
            running.end()

    def ended(self) -> int:
        """Return how the program that runs ended."""
        return int(self._ours.recv(64))


class Running:
    """A program that runs."""

    def __init__(self, forge: Forge, pid: int, control: socket.socket, out: int, err: int) -> None:
        self.pid = pid
        self._forge, self._control = forge, control
        self._lines = control.makefile("rb")
        self._out, self._err = out, err
        self._code: int | None = None
        self._asks = False
        self.moments: list[Moment] = []

    def until_asked(self) -> bool:
        """Take moments until the program asks at one; False when it has ended."""
        for line in self._lines:
            told = json.loads(line)
            if "asks" in told:
                self._asks = True
                return True
            self.moments.append(Moment.of(told))
        return False

    def go_on(self) -> None:
        """Let a program go on if it has asked."""
        if self._asks:
            self._asks = False
            self._control.sendall(b"\n")

    def wait(self) -> Ended:
        """Let it go on, and wait for the end."""
        self.go_on()
        while self.until_asked():
            self.go_on()
        self._code = self._forge.ended()
        return Ended(self._code, _all(self._out), _all(self._err), tuple(self.moments))

    def end(self) -> None:
        """Kill it if it runs, and forget it."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self._code = self._forge.ended()
            os.close(self._out)
            os.close(self._err)
        self._lines.close()
        self._control.close()


def _all(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def _serve(requests: socket.socket) -> NoReturn:
    """Fork one program after the other, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        text, fds, _, _ = socket.recv_fds(requests, _MOST, 4)
        if not text:
            os._exit(0)
        command = Command(**json.loads(text))
        if command.warms:
            requests.send(str(os.getpid()).encode())
            requests.send(str(_warm_up(command, fds)).encode())
            continue
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(command, fds)
        for descriptor in fds:
            os.close(descriptor)
        requests.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def _warm_up(command: Command, fds: Sequence[int]) -> int:
    """Run a program in this process, and be as before, but for what it has left in memory."""
    usual, program_server.leave = program_server.leave, sys.exit
    streams = sys.stdin, sys.stdout, sys.stderr
    try:
        program_server.become(_request(command, fds))
    except SystemExit as ending:
        code = int(ending.code or 0)
    program_server.leave = usual
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    nothing = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]
    assert nothing == [0, 1, 2], nothing
    sys.stdin, sys.stdout, sys.stderr = streams
    os.close(fds[3])
    inspect.getmodule(sys._getframe())  # it looks at all modules once
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()
    return code


def _become(command: Command, fds: Sequence[int]) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    control = socket.socket(fileno=fds[3])
    _take_keys(command.keys)
    sqlite.BUSY_SECONDS = BUSY_SECONDS
    envelope.Lock.new.__func__.__defaults__ = (COST,)
    Vault.__init__.__kwdefaults__["cost"] = COST
    act = hooks.Act(command.act) if command.act else None
    hooks.install(hooks.Teller(control, command.at, act))
    if command.mistake is not None:
        planted.MISTAKES[command.mistake].plant()
    program_server.become(_request(command, fds))


def _request(command: Command, fds: Sequence[int]) -> program_server.Request:
    reader, writer = os.pipe()
    os.write(writer, command.whispered.encode())
    os.close(writer)
    arguments = [str(reader) if word == FD else word for word in command.arguments]
    return program_server.Request(
        sys.executable,
        ["usbprov", *arguments],
        dict(command.environment),
        command.folder,
        (os.getuid(), os.getgid(), os.getgroups()),
        list(fds[:3]),
    )


def _take_keys(given: Sequence[str]) -> None:
    """Have the program find its keys where it would otherwise make them."""
    ready = iter(given)

    def ready_made(_bits: int = keys.DEFAULT_RSA_BITS) -> object:
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        return load_der_private_key(bytes.fromhex(next(ready)), None)

    keys.generate_rsa = ready_made
