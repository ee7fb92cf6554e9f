"""A REGISTER that proves nothing: what the Registrar asks for, and how else it may answer."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from doubles.sip_server import HOST, TARGET, Asked, SipServer

from usbprov.errors import (
    ChainUntrusted,
    RedirectsEndless,
    RegistrarAnswerInvalid,
    RegistrarFailed,
    RegistrarTimeout,
    RegistrarUnproved,
    RegistrarUnreachable,
    UserUnknown,
)
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Challenge, Registrar, RegistrarAddress

USER = "sip:alice@contoso.test"
ENDPOINT = Endpoint("2ebb6f264f")
STS = "https://pool.contoso.test:443/CertProv/CertProvisioningService.svc"
REALM = 'realm="SIP Communications Service"'
OFFERS = (
    f'WWW-Authenticate: Kerberos {REALM}, targetname="sip/{TARGET}", version=4',
    f'WWW-Authenticate: NTLM {REALM}, targetname="{TARGET}", version=4',
    f'WWW-Authenticate: TLS-DSK {REALM}, targetname="{TARGET}", version=4, sts-uri="{STS}"',
)


def challenge(server: SipServer, seconds: float = 10, user: str = USER) -> Challenge:
    address = RegistrarAddress(HOST, server.port)
    limits = TimeLimits(seconds, seconds)
    with Registrar(address, ca_file=server.ca_file, timeout=limits) as registrar:
        return registrar.challenge(user, ENDPOINT)


def test_all_that_is_offered_is_told_in_order() -> None:
    with SipServer(lambda asked: asked.answer("401 Unauthorized", *OFFERS)) as server:
        assert challenge(server) == Challenge(("Kerberos", "NTLM", "TLS-DSK"), TARGET, STS)


def test_the_request_names_user_and_endpoint_and_holds_no_proof() -> None:
    with SipServer(lambda asked: asked.answer("401 Unauthorized", *OFFERS)) as server:
        challenge(server)
    asked = server.asked[0]
    assert asked.start == "REGISTER sip:contoso.test SIP/2.0"
    assert asked.headers["from"].startswith(f"<{USER}>;tag=")
    assert asked.headers["from"].endswith(";epid=2ebb6f264f")
    assert asked.headers["to"] == f"<{USER}>"
    assert f'+sip.instance="<urn:uuid:{ENDPOINT.instance}>"' in asked.headers["contact"]
    assert "authorization" not in asked.headers


def test_without_tls_dsk_the_first_scheme_names_the_target() -> None:
    with SipServer(lambda asked: asked.answer("401 Unauthorized", *OFFERS[:2])) as server:
        found = challenge(server)
    assert found == Challenge(("Kerberos", "NTLM"), f"sip/{TARGET}", None)


def test_a_registrar_may_offer_nothing() -> None:
    with SipServer(lambda asked: asked.answer("401 Unauthorized")) as server:
        assert challenge(server) == Challenge((), "", None)


@pytest.mark.parametrize(
    ("status", "extra", "error", "diagnostic"),
    [
        ("404 Not Found", 'ms-diagnostics: 1003;reason="No user.";source="fe"', UserUnknown, 1003),
        ("403 Forbidden", 'ms-diagnostics-public: 4005;reason="No."', UserUnknown, 4005),
        ("504 Server time-out", "Retry-After: 60", RegistrarFailed, None),
        ("401 Unauthorized", 'WWW-Authenticate: TLS-DSK realm="', RegistrarAnswerInvalid, None),
        ("200 OK", "Expires: 7200", RegistrarUnproved, None),
        ("301 Moved", "Server: RTC/6.0", RedirectsEndless, None),
        ("301 Moved", "Contact: <sip:127.0.0.1:5060;transport=tcp>", RedirectsEndless, None),
    ],
)  # fmt: skip
def test_an_answer_that_asks_for_nothing_is_an_error(
    status: str, extra: str, error: type[Exception], diagnostic: int | None
) -> None:
    with (
        SipServer(lambda asked: asked.answer(status, extra)) as server,
        pytest.raises(error) as caught,
    ):
        challenge(server)
    assert getattr(caught.value, "diagnostic", None) == diagnostic


def test_a_redirect_is_followed_over_a_connection_of_its_own() -> None:
    with SipServer(lambda asked: asked.answer("401 Unauthorized", *OFFERS)) as home:
        moved = f"Contact: <sip:{HOST}:{home.port};transport=tls>"
        with SipServer(lambda asked: asked.answer("301 Moved", moved)) as first:
            assert challenge(first).target == TARGET
    assert len(first.asked) == len(home.asked) == 1


def test_a_circle_of_redirects_ends() -> None:
    def away(asked: Asked) -> bytes:
        return asked.answer("301 Moved", f"Contact: <sip:{HOST}:{first.port};transport=tls>")

    with SipServer(away) as first, pytest.raises(RedirectsEndless, match="in a circle"):
        challenge(first)
    assert len(first.asked) == 1


def test_what_answers_before_and_besides_is_passed_over() -> None:
    def chatty(asked: Asked) -> bytes:
        notify = b"BENOTIFY sip:alice SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 BENOTIFY\r\nl: 4\r\n\r\nbody"
        other = asked.answer("403 Forbidden").replace(b"CSeq: 1", b"CSeq: 7")
        final = asked.answer("401 Unauthorized", *OFFERS)
        return b"\r\n\r\n" + asked.answer("100 Trying") + notify + other + final

    with SipServer(chatty) as server:
        assert challenge(server).certificate_service == STS


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\x00\xff" * 300 + b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"SIP/2.0 200 OK\r\n" + b"A: b\r\n" * 20_000,
        b"SIP/2.0 100 Trying\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n" * 60,
    ],
)
def test_garbage_is_told_from_an_answer(garbage: bytes) -> None:
    with SipServer(lambda asked: garbage) as server, pytest.raises(RegistrarAnswerInvalid):
        challenge(server)


def test_a_silent_server_is_given_up_in_time() -> None:
    with SipServer(lambda asked: b"") as server, pytest.raises(RegistrarTimeout) as caught:
        challenge(server, seconds=0.3)
    assert caught.value.seconds == 0.3


def test_a_server_that_drips_is_given_up_in_time() -> None:
    """Each byte comes in time, the whole answer never."""

    def drip(asked: Asked) -> Iterator[bytes]:
        yield b"SIP/2.0 401 Unauthorized\r\nX: "
        while not given_up.wait(0.02):
            yield b"x"

    given_up = threading.Event()
    with SipServer(drip) as server:
        begin = time.monotonic()
        with pytest.raises(RegistrarTimeout):
            challenge(server, seconds=0.5)
        given_up.set()
        assert time.monotonic() - begin < 5


def test_a_connection_that_ends_is_no_answer() -> None:
    with SipServer(lambda asked: None) as server, pytest.raises(RegistrarUnreachable):
        challenge(server)


def test_a_closed_port_is_not_reached() -> None:
    with SipServer(lambda asked: None) as server:
        pass
    with pytest.raises(RegistrarUnreachable, match="it refuses the connection"):
        Registrar(RegistrarAddress(HOST, server.port)).challenge(USER, ENDPOINT)


def test_a_server_that_proves_nothing_is_sent_nothing() -> None:
    with SipServer(lambda asked: None) as server:
        with pytest.raises(ChainUntrusted) as caught:
            Registrar(RegistrarAddress(HOST, server.port)).challenge(USER, ENDPOINT)
        assert caught.value.presented
        assert not server.asked


def test_a_server_that_ends_the_connection_at_once_is_not_reached() -> None:
    def end() -> None:
        listener.accept()[0].close()

    with socket.create_server((HOST, 0)) as listener:
        ended = threading.Thread(target=end)
        ended.start()
        with pytest.raises(RegistrarUnreachable):
            Registrar(RegistrarAddress(HOST, listener.getsockname()[1])).challenge(USER, ENDPOINT)
        ended.join()
