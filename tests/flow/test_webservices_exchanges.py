"""Servers that misbehave: nothing is sent twice or elsewhere, and time and memory are bounded."""

import gzip
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from test_webservices_canned import (
    CERTPROV,
    CREDENTIAL,
    ENDPOINT,
    PIN_PATH,
    PUBLISH_PATH,
    WEBTICKET,
    Handler,
    Pool,
    Reply,
    Seen,
    canned,
    certprov_mex,
    phone_request,
    raw,
    root,
    webticket_mex,
)

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    RedirectRefused,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    UsbprovError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.webservices.client import WebServices

MEX = f"{CERTPROV}/mex"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(folder=tmp_path) as running:
        yield running


def failure_of(pool: Pool, limits: TimeLimits | None = None) -> UsbprovError:
    with (
        pool.client(limits=limits or TimeLimits()) as services,
        pytest.raises(UsbprovError) as caught,
    ):
        services.ticket(CREDENTIAL, ENDPOINT, None)
    return caught.value


# --- once only ---------------------------------------------------------------------------------


def reset(handler: Handler, request: Seen) -> None:
    """Take the request and reset the connection."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer", [reset, raw(b""), raw(OK), raw(OK + b"Content-Length: 9\r\n\r\n<a>")]
)
def test_connection_that_breaks_under_a_pin_is_not_tried_again(pool: Pool, answer: Reply) -> None:
    pool.answers[PIN_PATH] = answer
    error = failure_of(pool)
    assert isinstance(error, ServerUnreachable | AnswerInvalid)
    assert len(pool.posts()) == 1


def test_connection_closed_in_between_is_opened_anew_before_the_pin(pool: Pool) -> None:
    def last(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        handler.reply(200, webticket_mex(pool.base))

    pool.answers[f"{WEBTICKET}/mex"] = last
    with pool.client() as services:
        services.offer()
        wait_until(lambda: not pool.open)
        services.ticket(CREDENTIAL, ENDPOINT, None)
    assert [post.connection for post in pool.posts()] == [1]


def wait_until(condition: object, seconds: float = 5) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_of_a_pin_is_not_followed(pool: Pool, status: int) -> None:
    pool.answers[PIN_PATH] = canned(status, b"", Location=f"{WEBTICKET}/other")
    assert isinstance(failure_of(pool), RedirectRefused)
    assert [post.path for post in pool.posts()] == [PIN_PATH]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, ServerFailed),
        (503, ServerBusy),
        (404, RequestRefused),
        (401, CredentialRefused),
        (204, AnswerInvalid),
    ],
)
def test_http_error_is_told_and_nothing_repeated(
    pool: Pool, status: int, kind: type[ServiceError]
) -> None:
    pool.answers[PIN_PATH] = canned(
        status, b"" if status == 204 else b"<html>canary</html>", Retry_After="0"
    )
    error = failure_of(pool)
    assert type(error) is kind
    assert "canary" not in str(error)
    assert len(pool.posts()) == 1


def test_diagnostics_header_tells_more_than_the_status(pool: Pool) -> None:
    value = '28033;source="fe01";reason="The user is not enabled.";faultcode="x:Other"'
    pool.answers[PIN_PATH] = canned(401, b"", x_ms_diagnostics=value)
    error = failure_of(pool)
    assert isinstance(error, RequestRefused)
    assert (error.error_id, error.words) == (28033, "The user is not enabled.")


# --- nowhere else ------------------------------------------------------------------------------


def test_redirect_of_metadata_is_followed_on_the_host(pool: Pool) -> None:
    pool.answers[MEX] = canned(302, b"", Location="/moved")
    pool.answers["/moved"] = canned(200, certprov_mex(pool.base))
    with pool.client() as services:
        assert services.offer()


@pytest.mark.parametrize(
    "location", ["https://localhost:{port}/x", "http://127.0.0.1:{port}/x", "", "https://[/"]
)
def test_redirect_of_metadata_elsewhere_is_not_followed(pool: Pool, location: str) -> None:
    pool.answers[MEX] = canned(302, b"", Location=location.format(port=pool.port))
    assert isinstance(failure_of(pool), RedirectRefused)
    assert {request.path for request in pool.seen} <= {MEX, CERTPROV + "/"}


def test_redirects_without_end_are_left(pool: Pool) -> None:
    pool.answers[MEX] = canned(302, b"", Location=MEX)
    error = failure_of(pool)
    assert isinstance(error, RedirectRefused)
    assert "no end of them" in str(error)
    assert len(pool.seen) == 6


def test_pin_does_not_go_to_a_host_that_the_ticket_service_is_not_on(pool: Pool) -> None:
    elsewhere = f"https://localhost:{pool.port}"
    pool.answers[f"{WEBTICKET}/mex"] = canned(200, webticket_mex(elsewhere))
    error = failure_of(pool)
    assert isinstance(error, AnswerInvalid)
    assert "another host, localhost" in str(error)
    assert pool.posts() == []


def test_certificate_is_not_asked_for_at_another_host(pool: Pool) -> None:
    mex = certprov_mex(pool.base).replace(
        f'"{pool.base}{PUBLISH_PATH}'.encode(), f'"https://localhost:{pool.port}/x'.encode()
    )
    pool.answers[MEX] = canned(200, mex)
    assert isinstance(failure_of(pool), AnswerInvalid)
    assert [request.path for request in pool.seen] == [MEX]


# --- within bounds -----------------------------------------------------------------------------


def dripping(head: bytes, drop: bytes) -> Reply:
    """Answer without end, a few bytes at a time."""

    def answer(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(head)
            while not handler.server.stopping.wait(0.02):
                handler.wfile.write(drop)
                handler.wfile.flush()

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(OK, b"X"),
        dripping(OK + b"Content-Length: 100000\r\n\r\n<a>", b" "),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        dripping(OK + b"\r\n", b" "),
        dripping(b"", b""),
        dripping(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 99999\r\n\r\n", b" "),
    ],
    ids=["100s", "header", "body", "chunks", "chunk-size", "until-close", "silence", "redirect"],
)
def test_server_that_drips_is_left_in_time(pool: Pool, answer: Reply) -> None:
    pool.answers[MEX] = answer
    began = time.monotonic()
    error = failure_of(pool, TimeLimits(connect=5, answer=0.25))
    assert time.monotonic() - began < 3
    assert isinstance(error, ServerTimeout)
    assert error.seconds >= 0.25


def test_a_timeout_says_whether_the_answer_had_begun(pool: Pool) -> None:
    limits = TimeLimits(connect=5, answer=0.25)
    for begin, answering in ((OK + b"Content-Length: 9999\r\n\r\n<a>", True), (b"", False)):
        pool.answers[MEX] = dripping(begin, b" " if begin else b"")
        assert failure_of(pool, limits).facts()["answering"] is answering


def test_dripping_answer_to_a_pin_is_left_in_time_and_the_pin_sent_once(pool: Pool) -> None:
    pool.answers[PIN_PATH] = dripping(OK, b"X")
    with pool.client(limits=TimeLimits(connect=5, answer=0.8)) as services:
        for kind in (ServerTimeout, CredentialRefused):
            with pytest.raises(kind):
                services.ticket(CREDENTIAL, ENDPOINT, None)
    assert len(pool.posts()) == 1


def flood(head: bytes, piece: bytes) -> Reply:
    """Answer without end, as fast as can be."""

    def answer(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(head)
            while not handler.server.stopping.is_set():
                handler.wfile.write(piece)

    return answer


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(100_000_000), 1)


@pytest.mark.parametrize(
    "answer",
    [
        flood(OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536),
        flood(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        flood(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b" " * 65536),
        flood(b"HTTP/1.1 500 No\r\n\r\n", b" " * 65536),
        canned(200, BOMB, Content_Encoding="gzip"),
        canned(302, BOMB, Content_Encoding="gzip", Location="/x"),
        canned(200, b"<a>" + b" " * (1 << 20) + b"</a>"),
        flood(OK, b"X-Header: " + b"x" * 1000 + b"\r\n"),
        flood(OK + b"X: ", b"x" * 65536),
        raw(b"SSH-2.0-OpenSSH\r\n"),
        canned(200, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
        canned(200, gzip.compress(b"<a/>")[:-4], Content_Encoding="gzip"),
        canned(200, b"<a/>", Content_Encoding="br"),
        canned(200, b"<html><body>Welcome to the portal<br></body></html>"),
        canned(200, b"<Envelope><Body><Fault>"),
        canned(200, b""),
    ],
    ids=[
        "huge", "chunks", "redirect", "error", "bomb", "redirect-bomb", "cap", "headers", "header",
        "no-http", "dtd", "cut-gzip", "brotli", "portal", "cut-fault", "empty",
    ],
)  # fmt: skip
def test_unusable_answer_is_refused_in_little_memory(pool: Pool, answer: Reply) -> None:
    pool.answers[PIN_PATH] = answer
    tracemalloc.start()
    try:
        error = failure_of(pool, TimeLimits(connect=5, answer=10))
        assert tracemalloc.get_traced_memory()[1] < 24_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(error, AnswerInvalid)
    assert len(pool.posts()) == 1


def test_packed_answer_is_read(pool: Pool) -> None:
    pool.answers[MEX] = canned(200, gzip.compress(certprov_mex(pool.base)), Content_Encoding="gzip")
    with pool.client() as services:
        assert services.offer()


# --- not there ---------------------------------------------------------------------------------


def client_of(url: str, tmp_path: Path) -> WebServices:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(root().pem)
    return WebServices(url, ca_file=ca_file)


def test_closed_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with client_of(f"https://127.0.0.1:{port}", tmp_path) as services:
        with pytest.raises(ServerUnreachable, match="refuses the connection") as caught:
            services.offer()
        assert caught.value.retryable
        with pytest.raises(ServerUnreachable, match="refuses the connection"):
            services.presented_chain()


def test_unknown_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        client_of("https://pool.test", tmp_path) as services,
        pytest.raises(ServerUnreachable, match=r"pool\.test .* the name is not known"),
    ):
        services.offer()


def test_unreachable_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    with (
        client_of("https://127.0.0.1:1", tmp_path) as services,
        pytest.raises(ServerUnreachable, match="network is unreachable"),
    ):
        services.offer()


def test_host_that_takes_no_connection_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*args: object, **options: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", silent)
    with (
        client_of("https://127.0.0.1:1", tmp_path) as services,
        pytest.raises(ServerUnreachable, match="no connection within"),
    ):
        services.offer()


def test_publishing_fails_in_the_same_ways(pool: Pool) -> None:
    pool.answers[PUBLISH_PATH] = canned(503, b"")
    with pool.client() as services:
        ticket = services.ticket(CREDENTIAL, ENDPOINT, None)
        with pytest.raises(ServerFailed, match="503 Service Unavailable"):
            services.publish(ticket, phone_request(), ENDPOINT)
    assert len(pool.posts()) == 2
