"""A SIP server over TLS on loopback: it hands every request to a handler and sends what that gives.

It shares no code with the client: requests are split at their empty line, headers by name.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doubles.certificates import Party, issue, server
from usbprov.pki.certificates import to_pem

HOST = "127.0.0.1"
TARGET = "lyncfe01.contoso.test"
ROOT = issue("Registrar Root")
FRONT_END = server("Front End", ROOT, HOST)


@dataclass
class Asked:
    """A request as the server sees it."""

    start: str
    headers: dict[str, str]

    def answer(self, status: str, *extra: str) -> bytes:
        """Write an answer that belongs to this request."""
        to = self.headers["to"]
        own = [
            f"From: {self.headers['from']}",
            f"To: {to};tag=9588410E2DA11CEE9D0AE7733E07830F",
            f"Call-ID: {self.headers['call-id']}",
            f"CSeq: {self.headers['cseq']}",
            f"Via: {self.headers['via']}",
        ]
        return "\r\n".join(
            [f"SIP/2.0 {status}", *own, *extra, "Content-Length: 0", "", ""]
        ).encode()


Handler = Callable[[Asked], bytes | Iterable[bytes] | None]


@dataclass
class SipServer:
    """Serves until it is closed; a handler that gives None ends the connection."""

    handler: Handler
    party: Party = FRONT_END
    asked: list[Asked] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory()
        self.ca_file = Path(self._folder.name) / "ca.pem"
        self.ca_file.write_bytes(to_pem([ROOT.certificate]))
        self._context = self._tls()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._folder.cleanup()
        for error in self.errors:
            raise error

    def _tls(self) -> ssl.SSLContext:
        file = Path(self._folder.name) / "server.pem"
        key = self.party.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(key + to_pem([self.party.certificate]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _accept(self) -> None:
        while True:
            try:
                plain = self._listener.accept()[0]
            except OSError:
                return
            self._open.append(plain)
            try:
                self._serve(plain)
            except OSError:
                plain.close()
            except Exception as error:  # told to the test by __exit__
                self.errors.append(error)
                plain.close()

    def _serve(self, plain: socket.socket) -> None:
        with self._context.wrap_socket(plain, server_side=True) as secured:
            self._open.append(secured)
            buffer = b""
            while data := secured.recv(65536):
                *whole, buffer = (buffer + data).split(b"\r\n\r\n")
                for text in whole:
                    answer = self._answer(text.decode())
                    if answer is None:
                        return
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        secured.sendall(piece)

    def _answer(self, text: str) -> bytes | Iterable[bytes] | None:
        start, *lines = text.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        asked = Asked(start, {name.lower(): value.strip() for name, _, value in pairs})
        self.asked.append(asked)
        return self.handler(asked)
