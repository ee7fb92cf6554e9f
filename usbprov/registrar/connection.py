"""One verified TLS connection to a Registrar: a request goes out, its answer comes back."""

import logging
import socket
import ssl
import time
from typing import Self

from usbprov.errors import RegistrarAnswerInvalid, RegistrarTimeout, RegistrarUnreachable
from usbprov.net.deadline import TimeLimits, time_limit
from usbprov.net.failures import presented_lines
from usbprov.net.tls import trust_error, trusted_roots
from usbprov.registrar.client import RegistrarAddress
from usbprov.registrar.message import Message, NotSip, Request, Response, to_bytes
from usbprov.registrar.stream import MessageStream
from usbprov.registrar.taping import note_message
from usbprov.registrar.wirelog import Shown

logger = logging.getLogger(__name__)

_PIECE = 16 * 1024
_PROVISIONAL = 200
_MOST_OTHERS = 50
"""Messages at most that are not the answer waited for: provisional ones, notifications."""


class Connection:
    """A connection to one Registrar. Not thread-safe.

    Attributes:
        address: Where it is.
        local: Our end, as SIP writes it: ``192.0.2.10:50123``, ``[2001:db8::1]:50123``.
    """

    def __init__(self, address: RegistrarAddress, tls: ssl.SSLContext, limits: TimeLimits) -> None:
        """Connect.

        Args:
            address: Where.
            tls: Verifies the server, as made by ``usbprov.net.tls.tls_context``.
            limits: For the connection, and for each exchange.

        Raises:
            RegistrarUnreachable: There is no connection.
            RegistrarTimeout: It takes too long.
            TrustError: The server cannot prove who it is.
        """
        self.address = address
        self._tls = tls
        self._limits = limits
        self._socket = self._secured(self._connected())
        self._stream = MessageStream()
        self._waiting: list[Message] = []
        host, port = self._socket.getsockname()[:2]
        self.local = RegistrarAddress(host, port).full

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; may be called twice."""
        self._socket.close()

    @property
    def server(self) -> str:
        """Whom it talks to, for people: host, or host:port."""
        return str(self.address)

    @property
    def certificate(self) -> bytes:
        """The server's certificate, DER; it was verified."""
        return self._socket.getpeercert(binary_form=True) or b""

    @property
    def anchors(self) -> list[bytes]:
        """The trust anchors that its certificate was verified by, DER."""
        return trusted_roots(self._tls)

    def _connected(self) -> socket.socket:
        where = (self.address.host, self.address.port)
        try:
            connected = socket.create_connection(where, self._limits.connect)
        except OSError as error:
            raise self._failure(error, self._limits.connect) from None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _secured(self, connected: socket.socket) -> ssl.SSLSocket:
        try:
            return self._tls.wrap_socket(connected, server_hostname=self.address.host)
        except _ENDED:
            connected.close()
            words = "it closes the connection where TLS should begin"
            raise RegistrarUnreachable(self.server, words) from None
        except ssl.SSLError as error:
            connected.close()
            presented = presented_lines(self.address.full)
            raise trust_error(error, self.server, presented) from None
        except (OSError, ValueError) as error:
            connected.close()
            raise self._failure(error, self._limits.connect) from None

    def exchange(self, request: Request) -> Response:
        """Send a request and wait for its final answer.

        Raises:
            RegistrarUnreachable: The connection breaks.
            RegistrarTimeout: The whole answer is not there in time.
            RegistrarAnswerInvalid: What comes is no SIP, or does not answer.
        """
        begin = time.monotonic()
        logger.debug("to %s:\n%s", self.server, Shown(request))
        note_message(request, sent=True)
        try:
            with time_limit(self._limits.answer):
                self._socket.sendall(to_bytes(request))
                answer = self._answer(request)
        except NotSip as error:
            raise RegistrarAnswerInvalid(self.server, str(error)) from None
        except OSError as error:
            raise self._failure(error, self._limits.answer) from None
        took = (time.monotonic() - begin) * 1000
        logger.debug("from %s after %.0f ms:\n%s", self.server, took, Shown(answer))
        note_message(answer, sent=False)
        return answer

    def _answer(self, request: Request) -> Response:
        for _ in range(_MOST_OTHERS):
            message = self._message()
            if isinstance(message, Response) and _answers(message, request):
                if message.status >= _PROVISIONAL:
                    return message
            else:
                logger.debug("from %s, passed over:\n%s", self.server, Shown(message))
        raise NotSip("it sends one message after the other, and none answers the request")

    def _message(self) -> Message:
        while not self._waiting:
            data = self._socket.recv(_PIECE)
            if not data:
                raise ConnectionAbortedError
            self._waiting.extend(self._stream.feed(data))
        return self._waiting.pop(0)

    def _failure(
        self, error: OSError | ValueError, seconds: float
    ) -> RegistrarUnreachable | RegistrarTimeout:
        if isinstance(error, TimeoutError):
            return RegistrarTimeout(self.server, seconds)
        words = (words for kind, words in _REASONS if isinstance(error, kind))
        return RegistrarUnreachable(self.server, next(words, _strerror(error)))


def _answers(response: Response, request: Request) -> bool:
    """Say whether a response belongs to a request (RFC 3261 17.1.3, over one connection)."""
    names = ("Call-ID", "CSeq")
    return all(response.headers.only(name) == request.headers.get(name) for name in names)


def _strerror(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or "the connection failed").lower()


_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""A server that takes a connection and ends it is down, as far as anybody can tell."""

_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name is not known"),
    (ValueError, "the name cannot be one"),
    (ConnectionRefusedError, "it refuses the connection"),
    (ConnectionError, "the connection broke before the whole answer was here"),
    (ssl.SSLError, "the connection broke before the whole answer was here"),
)
