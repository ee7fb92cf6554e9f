"""pytest and the program without their start: all modules are loaded once, and they are forks.

In an emulated machine loading the modules takes longer than most of what is tested. A program
that ``program.py`` starts here is a process of its own all the same.

``python program_server.py ARGUMENTS`` runs pytest, and serves the program until pytest has ended;
the exit code is pytest's.
"""

import ast
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

import usbprov
import usbprov_drivers
from usbprov.cli.main import main

SOCKET = "/run/usbprov-program"

_ALSO = (
    "hypothesis",
    "pyudev",
    "rich.live",
    "serial.tools.list_ports",
    "usb.backend.libusb1",
    "zeep",
)
"""What is imported only where it is used."""


def load() -> None:
    """Load all of the program's modules, but those of other operating systems."""
    gc.disable()
    for package in (usbprov, usbprov_drivers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                with suppress(ImportError):
                    importlib.import_module(module.name)
    for name in _ALSO:
        importlib.import_module(name)
    gc.freeze()  # a fork need not look at them again
    gc.enable()


def run(arguments: list[str]) -> int:
    """Run pytest, and the program for whoever connects. Returns in every process, at its end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    Path(SOCKET).chmod(0o777)  # any user may start the program, and it runs as that user
    listener.listen(64)
    tests = os.fork()
    if tests == 0:
        listener.close()
        return pytest.main(arguments)
    ended = os.pidfd_open(tests)
    while ended not in select.select([listener, ended], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            attend(connection)
        connection.close()
    _, status = os.waitpid(tests, 0)
    return os.waitstatus_to_exitcode(status)


def attend(connection: socket.socket) -> NoReturn:
    """Run the program for one client, and see to it while it runs."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request = b""
    while len(request) < int.from_bytes(head):
        request += connection.recv(1 << 16)
    program = os.fork()
    if program == 0:
        connection.close()
        become(streams, *ast.literal_eval(request.decode()))
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    ended = os.pidfd_open(program)
    while ended not in select.select([connection, ended], [], [])[0]:
        number = connection.recv(1)
        os.kill(program, number[0] if number else signal.SIGKILL)
        if not number:
            break
    _, status = os.waitpid(program, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(OSError):  # the client was killed
        connection.send(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def become(
    streams: list[int],
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    who: tuple[int, int, list[int]],
) -> NoReturn:
    """Be the program that was started there."""
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = map(os.fdopen, (0, 1, 2), ("r", "w", "w"))
    sys.stderr.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    user, group, groups = who
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)
    sys.argv = ["usbprov", *arguments]
    main()


if __name__ == "__main__":
    load()
    sys.exit(run(sys.argv[1:]))
