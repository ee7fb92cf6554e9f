"""Plain HTTP is read with the same caps and time limits as everything else."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from usbprov.errors import AnswerInvalid, ServerTimeout, ServerUnreachable
from usbprov.net.deadline import TimeLimits
from usbprov.webservices.discovery.fetch import Fetcher

LIMITS = TimeLimits(connect=2, answer=0.5)


@contextmanager
def server(*pieces: bytes, drip: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one connection with some bytes, slowly if that is asked for."""
    asked: list[bytes] = []
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(4096))
                for piece in pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return
                    if stop.wait(drip):
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/?sipuri=a@b", asked
        finally:
            stop.set()
            thread.join()


def fetch(url: str):
    with Fetcher(ssl.create_default_context(), LIMITS) as fetcher:
        return fetcher.fetch(url)


def test_a_document_is_fetched() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<x/>") as (url, asked):
        answer = fetch(url)
    assert (answer.status, answer.body) == (200, b"<x/>")
    assert b"Accept: application/vnd.microsoft.rtc.autodiscover+xml;v=1\r\n" in asked[0]


def test_a_redirect_is_an_answer() -> None:
    text = b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n"
    with server(text) as (url, _):
        answer = fetch(url)
    assert (answer.status, answer.headers["Location"]) == (302, "https://x/")


def test_a_dripping_server_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
    began = time.monotonic()
    with server(head, *[b"x"] * 999, drip=0.05) as (url, _), pytest.raises(ServerTimeout):
        fetch(url)
    assert time.monotonic() - began < 3


def test_a_huge_answer_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    with server(head, *[b"x" * 65536] * 64) as (url, _), pytest.raises(AnswerInvalid):
        fetch(url)


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ServerUnreachable):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")
