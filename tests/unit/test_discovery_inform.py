"""The DHCP client against a small server of the test's own, on loopback and unprivileged ports."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from usbprov.errors import DhcpNotPermitted, UsageError
from usbprov.webservices.discovery import inform
from usbprov.webservices.discovery.inform import Manner, ask
from usbprov.webservices.discovery.interfaces import Interface, usable_interfaces
from usbprov.webservices.discovery.message import Code, Message, MessageType, Op, decode, encode

LOOPBACK = Interface("", "127.0.0.1", bytes.fromhex("02005e000001"))
CLASSES = ("MS-UC-Client", "CPE-OCPHONE")
Reply = Callable[[Message], list[Message | bytes]]


@contextmanager
def server(reply: Reply) -> Iterator[tuple[Manner, list[Message]]]:
    """Answer each question from a thread of its own."""
    asked: list[Message] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(0.05)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    data, sender = bound.recvfrom(4096)
                except TimeoutError:
                    continue
                asked.append(decode(data))
                for answer in reply(asked[-1]):
                    data = answer if isinstance(answer, bytes) else encode(answer)
                    bound.sendto(data, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            port = bound.getsockname()[1]
            yield Manner(1.0, 0.3, 0.1, "127.0.0.1", port, 0), asked
        finally:
            done.set()
            thread.join()


def ack(question: Message, *, server_id: bytes = b"", **changed: object) -> Message:
    options = {
        Code.MESSAGE_TYPE: bytes((MessageType.ACK,)),
        43: question.options[Code.VENDOR_CLASS],
        120: b"sip",
    }
    if server_id:
        options[Code.SERVER_ID] = server_id
    facts = {"op": Op.REPLY, "xid": question.xid, "options": options, "hardware": question.hardware}
    return Message(**(facts | changed))


def test_each_vendor_class_is_asked_once_and_answered() -> None:
    with server(lambda q: [ack(q, server_id=b"\xc0\0\x02\x01")]) as (manner, asked):
        answers = ask([LOOPBACK], CLASSES, manner)
    assert {a.vendor_class: a.option43 for a in answers} == {c: c.encode() for c in CLASSES}
    assert {a.server for a in answers} == {"192.0.2.1"}
    assert len(asked) == 2
    for question in asked:
        assert question.type is MessageType.INFORM, "a lease must never be asked for"
        assert question.ciaddr == "127.0.0.1"
        assert question.options[Code.PARAMETER_LIST] == bytes((43, 120))


def test_several_servers_are_heard_and_repetitions_are_not() -> None:
    def both(question: Message) -> list[Message | bytes]:
        return [ack(question, server_id=bytes((192, 0, 2, n))) for n in (1, 2, 1)]

    with server(both) as (manner, _):
        answers = ask([LOOPBACK], CLASSES[:1], manner)
    assert [a.server for a in answers] == ["192.0.2.1", "192.0.2.2"]


def test_what_is_no_answer_to_us_is_passed_over() -> None:
    def hostile(question: Message) -> list[Message | bytes]:
        nak = {Code.MESSAGE_TYPE: bytes((MessageType.NAK,))}
        return [
            b"",
            b"\xff" * 300,
            encode(ack(question))[:250],
            ack(question, xid=question.xid ^ 1),
            ack(question, op=Op.REQUEST),
            ack(question, hardware=b"\x02" * 6),
            ack(question, options=nak),
            ack(question, options={}),
        ]

    with server(hostile) as (manner, asked):
        assert ask([LOOPBACK], CLASSES[:1], manner) == []
    assert len(asked) > 1, "a question without an answer is repeated"
    assert len({q.xid for q in asked}) == 1


def test_the_server_is_known_by_its_datagram_where_it_does_not_say() -> None:
    with server(lambda q: [ack(q)]) as (manner, _):
        assert [a.server for a in ask([LOOPBACK], CLASSES[:1], manner)] == ["127.0.0.1"]


def test_silence() -> None:
    with server(lambda _: []) as (manner, _):
        assert ask([LOOPBACK], CLASSES, manner) == []


def test_a_port_that_somebody_holds() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("", 0))
        manner = Manner(client_port=holder.getsockname()[1])
        with pytest.raises(DhcpNotPermitted, match="another program holds"):
            ask([LOOPBACK], CLASSES, manner)


def test_no_right_to_the_port_is_said_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inform.socket, "socket", Refusing)
    with pytest.raises(DhcpNotPermitted, match=r"sudo setcap cap_net_bind_service=\+ep /"):
        ask([LOOPBACK], CLASSES, Manner())


def test_the_loopback_interface_is_used_only_if_named() -> None:
    assert [i.address for i in usable_interfaces("lo")] == ["127.0.0.1"]
    assert "lo" not in {i.name for i in usable_interfaces()}


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no interface 'nosuch0'"):
        usable_interfaces("nosuch0")
