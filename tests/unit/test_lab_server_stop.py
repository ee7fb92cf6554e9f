"""A Web server that is stopped leaves no connection behind, not even one in its TLS handshake."""

import gc
import socket
import ssl
import warnings
from pathlib import Path

from processes import wait_for
from starlette.applications import Starlette

from usbprov.lab.authority import open_authority
from usbprov.lab.faults import Faults
from usbprov.lab.presented import Presentation
from usbprov.lab.server import WebServer, listen, port_of
from usbprov.lab.times import system_clock


def test_a_handshake_under_way_is_closed(tmp_path: Path) -> None:
    authority = open_authority(tmp_path / "authority", ["localhost"])
    faults = Faults()
    sockets = listen(["127.0.0.1"], 0)
    tls = Presentation(authority, faults, system_clock).context()
    assert isinstance(tls, ssl.SSLContext)
    server = WebServer(Starlette(), sockets, tls)
    server.start()
    before = descriptors()
    client = socket.create_connection(("127.0.0.1", port_of(sockets[0])))
    with client, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        client.sendall(b"\x16\x03\x01\x02\x00")  # the beginning of a ClientHello
        wait_for(lambda: descriptors() > before + 1, "the server to have its end of it")
        server.stop()
        gc.collect()
        client.settimeout(10)
        assert ended(client)
    faults.close()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
