"""The program, started as a fork of ``program_server``: ``python program.py SOCKET ARGUMENTS``.

It hands over its arguments, environment, folder, user and standard streams, passes signals on,
and ends as the program ends. It must start fast under emulation, so it imports nothing but what
is built in, and does without the module ``site``.
"""

import _signal
import _socket
import os
import sys

sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
sock.connect(sys.argv[1])
who = (os.getuid(), os.getgid(), os.getgroups())
request = repr((sys.argv[2:], dict(os.environ), os.getcwd(), who)).encode()  # noqa: PTH109
streams = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
sock.sendmsg([len(request).to_bytes(4)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
sock.sendall(request)
for number in (2, 15):
    _signal.signal(number, lambda number, _frame: sock.send(bytes([number])))
status = sock.recv(1)
sys.exit(status[0] if status else 255)
