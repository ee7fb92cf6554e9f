"""A Python that need not load the program first: what it runs is a fork of ``program_server``.

``python -m usbprov.MODULE ARGUMENTS``, where ``python`` is this file. It hands over its arguments,
environment, folder, user and standard streams, passes signals on, and ends as the program ends.
Left to the real Python, in this process, is: anything else than a module of usbprov; an environment
in which Python would start otherwise (PYTHONPATH and its like); and what is typed to at a terminal,
whose foreground a fork of the server is not.

It must start fast, in an emulated machine too. So it imports nothing but what is built in, and
runs without the module ``site``.
"""

import _signal
import _socket
import os
import sys

PASSED_ON = (1, 2, 3, 10, 12, 15)
"""SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 and SIGTERM."""


def be_python() -> None:
    """Be the real Python, with the same arguments."""
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606


def send(sock: _socket.socket) -> None:
    """Say what shall run, and hand over the streams."""
    who = (os.getuid(), os.getgid(), os.getgroups())
    own = (sys.argv[0], sys.argv[2:], dict(os.environ), os.getcwd(), who)  # noqa: PTH109
    request = repr(own).encode()
    streams = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
    sock.sendmsg([len(request).to_bytes(4)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    sock.sendall(request)
    for number in PASSED_ON:
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, lambda number, _frame: sock.send(bytes([number])))


def end(status: bytes) -> None:
    """End as the program did."""
    number = int.from_bytes(status, signed=True) if status else 255
    if number < 0:
        if -number in PASSED_ON:
            _signal.signal(-number, _signal.SIG_DFL)
        os.kill(os.getpid(), -number)
    sys.exit(number)


HARMLESS = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
otherwise = {n for n in os.environ if n.startswith("PYTHON")} - HARMLESS
if (
    otherwise
    or os.isatty(0)
    or sys.argv[1:2] != ["-m"]
    or sys.argv[2].partition(".")[0] != "usbprov"
):
    be_python()
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
connection.connect(os.path.join(os.path.dirname(sys.argv[0]), "socket"))  # noqa: PTH118, PTH120
send(connection)
end(connection.recv(2))
