"""The program without its start: all modules are loaded once, and what is started are forks.

Loading the modules takes longer than most of what the tests have the program do, and in an
emulated machine much longer. A program that ``quick_python.py`` starts here is a process of its
own all the same: with its own arguments, environment, folder, streams, signals and end.

``python program_server.py ARGUMENTS`` loads the modules, is pytest as well, and serves until that
has ended; the exit code is pytest's. Elsewhere ``serving`` starts a server beside pytest, which
loads the modules when the first program is asked for.
"""

import ast
import atexit
import gc
import importlib
import os
import pkgutil
import runpy
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

VARIABLE = "USBPROV_QUICK_PYTHON"
"""Names the Python that asks the server. Empty: programs are started as everywhere else."""

SPY = "USBPROV_SPY"
"""Names a Python file that runs in the program's process before it."""

BESIDE = "--beside"
"""The argument of a server that is beside pytest; a listening descriptor follows."""

_ALSO = ("pyudev", "rich.live", "serial.tools.list_ports", "usb.backend.libusb1", "zeep")
"""What is imported only where it is used."""


def wanted() -> bool:
    """Whether a server can run on this system, and nobody has decided about it before."""
    return hasattr(os, "pidfd_open") and VARIABLE not in os.environ


@contextmanager
def serving() -> Iterator[None]:
    """Have a server in a process of its own; its Python is in the environment."""
    with tempfile.TemporaryDirectory(prefix="usbprov-") as folder, listen(Path(folder)) as listener:
        server = subprocess.Popen(
            [sys.executable, __file__, BESIDE, str(listener.fileno())],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[listener.fileno()],
        )
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            server.communicate()  # the end of its input ends it


def listen(folder: Path) -> socket.socket:
    """Make the socket, and the Python that knows of it."""
    client = Path(__file__).with_name("quick_python.py").read_text()
    python = folder / "python"
    python.write_text(f"#!{sys.executable} -IS\n{client}")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    for path, mode in ((folder, 0o755), (python, 0o755), (folder / "socket", 0o777)):
        path.chmod(mode)  # any user may start the program, and it runs as that user
    os.environ[VARIABLE] = str(python)
    return listener


def load() -> None:
    """Load all of the program's modules, but those of other operating systems."""
    gc.disable()
    for package in map(importlib.import_module, ("usbprov", "usbprov_drivers")):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                with suppress(ImportError):
                    importlib.import_module(module.name)
    for name in _ALSO:
        importlib.import_module(name)
    gc.freeze()  # a fork need not look at them again
    gc.enable()


@dataclass
class Request:
    """What a client wants to run.

    Attributes:
        python: The client's file, which is the program's ``sys.executable``.
        arguments: The module, and what follows it on the command line.
        who: User, group and groups.
        streams: Standard input, output and errors.
    """

    python: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    who: tuple[int, int, list[int]]
    streams: list[int]

    @classmethod
    def read(cls, client: socket.socket) -> "Request | None":
        """Read what a client wants, which it says first of all; None if it was killed before."""
        head, streams, _, _ = socket.recv_fds(client, 4, 3)
        text = b""
        while len(text) < int.from_bytes(head):
            more = client.recv(1 << 16)
            if not more:
                return None
            text += more
        return cls(*ast.literal_eval(text.decode()), streams) if head else None


@dataclass
class Program:
    """A program that runs, and the client that stands for it."""

    pid: int
    ended: int
    client: socket.socket

    def pass_on(self) -> bool:
        """Pass on what the client was told; False when the client is gone."""
        number = self.client.recv(1)
        os.kill(self.pid, number[0] if number else signal.SIGKILL)
        return bool(number)

    def bury(self) -> None:
        """Tell the client how the program has ended."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with suppress(OSError):  # the client was killed
            self.client.send(code.to_bytes(2, signed=True))
        self.close()

    def close(self) -> None:
        os.close(self.ended)
        self.client.close()


class Server:
    """Runs programs for whoever connects, until a descriptor can be read."""

    def __init__(self, listener: socket.socket, until: int) -> None:
        self._listener, self._until = listener, until
        self._programs: list[Program] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(until, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until the end. What leaves it otherwise is a program at its own end."""
        while True:
            key, _ = self._selector.select()[0]
            if key.data is None:
                return
            key.data()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        request = Request.read(client)
        if request is None:
            client.close()
            return
        pid = os.fork()
        if pid == 0:
            client.close()
            self._close()
            become(request)
        for stream in request.streams:
            os.close(stream)
        self._attend(Program(pid, os.pidfd_open(pid), client))

    def _attend(self, program: Program) -> None:
        def pass_on() -> None:
            if not program.pass_on():
                self._selector.unregister(program.client)

        def bury() -> None:
            self._selector.unregister(program.ended)
            with suppress(KeyError):
                self._selector.unregister(program.client)
            self._programs.remove(program)
            program.bury()

        self._programs.append(program)
        self._selector.register(program.client, selectors.EVENT_READ, pass_on)
        self._selector.register(program.ended, selectors.EVENT_READ, bury)

    def _close(self) -> None:
        self._selector.close()
        self._listener.close()
        for program in self._programs:
            program.close()


def become(request: Request) -> NoReturn:
    """Be the program that was asked for."""
    for standard, stream in enumerate(request.streams):
        os.dup2(stream, standard)
        os.close(stream)
    through = bool(request.environment.get("PYTHONUNBUFFERED"))
    sys.stdin, sys.stdout, sys.stderr = map(os.fdopen, (0, 1, 2), ("r", "w", "w"))
    sys.stdout.reconfigure(write_through=through)
    sys.stderr.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    if request.who != (os.getuid(), os.getgid(), os.getgroups()):
        user, group, groups = request.who
        os.setgroups(groups)
        os.setgid(group)
        os.setuid(user)
    sys.executable = request.python
    module, *arguments = request.arguments
    sys.argv = [module, *arguments]
    if module != "usbprov":
        del sys.modules[module]  # it runs anew
    if spy := request.environment.get(SPY):
        runpy.run_path(spy)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        if isinstance(ending.code, int):
            leave(ending.code)
        raise
    sys.exit()


def leave(code: int) -> NoReturn:
    """End as Python ends, but do not take apart the modules: that takes longer than the rest."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stderr.flush()
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads it any more, about which Python has something to say
        sys.exit(code)
    os._exit(code)


def serve_beside(listener: socket.socket) -> None:
    """Serve until standard input ends."""
    ready, _, _ = select.select([listener, 0], [], [])
    if 0 not in ready:  # whoever needs no program need not wait for the modules
        load()
        Server(listener, 0).serve()


def run(arguments: list[str]) -> int:
    """Be pytest, with a server that has the same modules."""
    import pytest

    load()
    folder = Path(tempfile.mkdtemp(prefix="usbprov-"))
    listener = listen(folder)
    reader, writer = os.pipe()
    server = os.fork()
    if server == 0:
        os.close(writer)
        Server(listener, reader).serve()
        os._exit(0)
    listener.close()
    os.close(reader)
    code = pytest.main(arguments)
    os.close(writer)
    os.waitpid(server, 0)
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == [BESIDE]:
        serve_beside(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(run(sys.argv[1:]))
