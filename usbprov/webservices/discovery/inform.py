"""Asking DHCP servers: DHCPINFORM by broadcast, never a lease (RFC 2131, 4.4.3)."""

import contextlib
import errno
import logging
import os
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from usbprov.errors import DhcpNotPermitted, OptionInvalid
from usbprov.webservices.discovery import message, option43, option120
from usbprov.webservices.discovery.interfaces import Interface

logger = logging.getLogger(__name__)

_DATAGRAM = 4096
_BIND_TO_DEVICE = getattr(socket, "SO_BINDTODEVICE", None)


@dataclass(frozen=True)
class Manner:
    """How long and where servers are asked. Times in seconds.

    Attributes:
        patience: Until silence is taken for an answer.
        again: Between repetitions of a question that nobody answered yet.
        linger: After an answer, for those of other servers.
        server: Whom to ask; the broadcast address.
        server_port: UDP port of servers and relays.
        client_port: UDP port that they answer to.
    """

    patience: float = 4.0
    again: float = 1.0
    linger: float = 0.5
    server: str = "255.255.255.255"
    server_port: int = 67
    client_port: int = 68


DEFAULT_MANNER = Manner()


@dataclass(frozen=True)
class Answer:
    """What one server answered to one question.

    Attributes:
        vendor_class: The question's option 60.
        interface: Where it came in.
        server: Its address, by option 54, else by the datagram.
        option43: The value, or None.
        option120: The value, or None.
    """

    vendor_class: str
    interface: str
    server: str
    option43: bytes | None = field(repr=False)
    option120: bytes | None = field(repr=False)


def ask(
    interfaces: Sequence[Interface],
    vendor_classes: Sequence[str],
    manner: Manner = DEFAULT_MANNER,
) -> list[Answer]:
    """Ask every server behind the interfaces one question for each vendor class.

    Raises:
        DhcpNotPermitted: The client's UDP port cannot be used.
    """
    with contextlib.ExitStack() as stack:
        askers = [
            _Asker(interface, stack.enter_context(_socket(interface, manner)), vendor_classes)
            for interface in interfaces
        ]
        selector = stack.enter_context(selectors.DefaultSelector())
        for asker in askers:
            selector.register(asker.socket, selectors.EVENT_READ, asker)
        _converse(askers, selector, manner)
        return [answer for asker in askers for answer in asker.answers]


def _converse(askers: Sequence["_Asker"], selector: selectors.BaseSelector, manner: Manner) -> None:
    now = time.monotonic()
    ends, repeat = now + manner.patience, now
    while now < ends:
        if now >= repeat:
            for asker in askers:
                asker.send(manner)
            repeat = now + manner.again
        for key, _ in selector.select(max(0.0, min(ends, repeat) - now)):
            asker = key.data
            if asker.receive():
                ends = min(ends, time.monotonic() + manner.linger)
        now = time.monotonic()


class _Asker:
    """The questions asked over one interface, and their answers."""

    def __init__(
        self, interface: Interface, bound: socket.socket, vendor_classes: Sequence[str]
    ) -> None:
        self.interface = interface
        self.socket = bound
        self.answers: list[Answer] = []
        self._questions = {secrets.randbits(32): which for which in vendor_classes}

    def send(self, manner: Manner) -> None:
        """Send the questions that nobody has answered yet."""
        answered = {answer.vendor_class for answer in self.answers}
        for xid, vendor_class in self._questions.items():
            if vendor_class in answered:
                continue
            asked = message.inform(
                xid,
                self.interface.hardware,
                self.interface.address,
                vendor_class,
                (option43.CODE, option120.CODE),
            )
            try:
                self.socket.sendto(message.encode(asked), (manner.server, manner.server_port))
            except OSError as error:
                logger.debug("DHCPINFORM over %s: %s", self.interface.name, error.strerror)

    def receive(self) -> bool:
        """Take one datagram; tell whether it is a new answer."""
        try:
            data, (sender, _) = self.socket.recvfrom(_DATAGRAM)
            found = message.decode(data)
        except (OSError, OptionInvalid) as error:
            logger.debug("a datagram over %s is passed over: %s", self.interface.name, error)
            return False
        answer = self._answer(found, sender)
        if answer is None or answer in self.answers:
            return False
        self.answers.append(answer)
        return True

    def _answer(self, found: message.Message, sender: str) -> Answer | None:
        """Return the answer, if it is one to a question of ours."""
        vendor_class = self._questions.get(found.xid)
        is_ours = (
            vendor_class is not None
            and found.op is message.Op.REPLY
            and found.type is message.MessageType.ACK
            and found.hardware == self.interface.hardware
        )
        if vendor_class is None or not is_ours:
            return None
        return Answer(
            vendor_class,
            self.interface.name,
            found.server or sender,
            found.options.get(option43.CODE),
            found.options.get(option120.CODE),
        )


@contextlib.contextmanager
def _socket(interface: Interface, manner: Manner) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        bound.setblocking(False)
        try:
            if _BIND_TO_DEVICE is not None and interface.name:
                bound.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, interface.name.encode())
            bound.bind(("", manner.client_port))
        except PermissionError:
            fix = f"sudo setcap cap_net_bind_service=+ep {os.path.realpath(sys.executable)}"
            raise DhcpNotPermitted(
                f"UDP port {manner.client_port} needs root or CAP_NET_BIND_SERVICE ({fix})"
            ) from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise DhcpNotPermitted((error.strerror or "the socket fails").lower()) from None
            raise DhcpNotPermitted(
                f"another program holds UDP port {manner.client_port} for itself"
            ) from None
        yield bound
