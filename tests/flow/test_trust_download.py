"""The chain download against servers of every kind, the hostile ones first."""

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from doubles.certificates import issue

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    RedirectRefused,
    RequestRefused,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    UsbprovError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.webservices.trust.download import GUESS, ChainForm, DownloadSource

CHAIN = (issue("Root").certificate, issue("Middle A", issue("Root")).certificate)
P7B = base64.encodebytes(pkcs7.serialize_certificates(list(CHAIN), Encoding.DER))
QUICK = TimeLimits(connect=2, answer=0.5)

Speak = Callable[[socket.socket], None]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(data: bytes) -> Speak:
    return lambda connection: connection.sendall(data)


def drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"A")
        time.sleep(0.02)


def drips_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"A")
        time.sleep(0.02)


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"A" * 65536)


def whole_request(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as reader:
        lines = list(iter(reader.readline, b"\r\n"))
        sizes = [line for line in lines if line.lower().startswith(b"content-length:")]
        size = int(sizes[0].partition(b":")[2]) if sizes else 0
        return b"".join(lines) + b"\r\n" + reader.read(size)


@contextmanager
def server(speak: Speak) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request; gives the URL, and the requests as they came."""
    requests: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            requests.append(whole_request(connection))
            speak(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/CertProv/Service.svc", requests
        thread.join()


def test_the_chain_is_got_by_nobody_in_particular() -> None:
    with server(says(http(P7B))) as (url, requests):
        source = DownloadSource(url)
        assert set(source.fetch()) == set(CHAIN)
        assert not source.protected
    head = requests[0].decode().lower()
    assert head.startswith("get /certprov/service.svc http/1.1\r\n")
    assert "authorization" not in head
    assert "cookie" not in head


def test_a_recorded_form_is_sent_and_read() -> None:
    form = ChainForm("POST", "/chain", {"SOAPAction": '"urn:chain"'}, "<ask/>", "Chain")
    answer = b"<a:E xmlns:a='urn:a'><a:Chain>" + P7B + b"</a:Chain></a:E>"
    with server(says(http(answer))) as (url, requests):
        assert set(DownloadSource(url, form).fetch()) == set(CHAIN)
    assert requests[0].startswith(b"POST /CertProv/Service.svc/chain HTTP/1.1\r\n")
    assert b'SOAPAction: "urn:chain"\r\n' in requests[0]
    assert requests[0].endswith(b"<ask/>")


@pytest.mark.parametrize(
    ("speak", "form", "kind"),
    [
        (says(http(b"", "404 Not Found")), GUESS, RequestRefused),
        (says(http(b"", "401 Unauthorized")), GUESS, CredentialRefused),
        (says(http(b"", "503 Service Unavailable")), GUESS, ServerFailed),
        (says(http(b"", "302 Found", "Location: http://evil.test/")), GUESS, RedirectRefused),
        (says(http(b"<html>hello</html>")), GUESS, AnswerInvalid),
        (says(http(b"")), GUESS, AnswerInvalid),
        (says(http(P7B[:-40])), GUESS, AnswerInvalid),
        (says(http(P7B)), ChainForm(element="Chain"), AnswerInvalid),
        (says(http(b"<!DOCTYPE a><a><Chain/></a>")), ChainForm(element="Chain"), AnswerInvalid),
        (says(http(b"<a/>")), ChainForm(element="Chain"), AnswerInvalid),
        (says(b"SSH-2.0-x\r\n"), GUESS, AnswerInvalid),
        (says(b""), GUESS, ServerUnreachable),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), GUESS, ServerUnreachable),
        (floods, GUESS, AnswerInvalid),
        (drips, GUESS, ServerTimeout),
        (drips_headers, GUESS, ServerTimeout),
    ],
)
def test_what_is_no_chain_is_an_error_in_time(
    speak: Speak, form: ChainForm, kind: type[UsbprovError]
) -> None:
    limits = QUICK if kind is ServerTimeout else TimeLimits()
    began = time.monotonic()
    with server(speak) as (url, _), pytest.raises(kind):
        DownloadSource(url, form, limits).fetch()
    assert time.monotonic() - began < 5


def test_a_switched_off_download_says_so_in_the_server_s_words() -> None:
    header = 'X-Ms-diagnostics: 28906;source="fe";reason="The download is disabled."'
    with (
        server(says(http(b"", "403 Forbidden", header))) as (url, _),
        pytest.raises(RequestRefused, match="The download is disabled"),
    ):
        DownloadSource(url).fetch()


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(ServerUnreachable, match="refuses"):
            DownloadSource(url).fetch()
