"""Signing in by certificate at a Registrar that is OpenSSL's: TLS-DSK from end to end."""

import time

import pytest
from doubles.dsk_server import DskRegistrar, HeldKey
from doubles.sip_server import HOST, Asked, SipServer

from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn

USER = "sip:alice@contoso.test"
ENDPOINT = Endpoint("2ebb6f264f")


def sign_in(server: SipServer, key: HeldKey | None = None) -> SignIn:
    address = RegistrarAddress(HOST, server.port)
    with Registrar(address, ca_file=server.ca_file, timeout=TimeLimits(10, 10)) as registrar:
        return registrar.sign_in(USER, (key or HeldKey()).credential(), ENDPOINT)


@pytest.mark.parametrize(
    ("version", "ciphers", "cipher", "block"),
    [
        ("1.0", "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", 36),
        ("1.0", "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", 36),
        ("1.1", "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", 36),
        ("1.2", "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", 51),
        ("1.2", "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", 51),
        ("1.0", "ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 36),
        ("1.2", "ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 51),
    ],
)
def test_a_user_signs_in_and_out(version: str, ciphers: str, cipher: str, block: int) -> None:
    registrar, key = DskRegistrar(version=version, ciphers=ciphers), HeldKey()
    with SipServer(registrar) as server:
        done = sign_in(server, key)
    assert (done.scheme, done.protocol, done.cipher) == ("TLS-DSK", f"TLS {version}", cipher)
    assert (done.expires, done.signed_out, done.redirects) == (7200, True, ())
    assert done.server == f"{HOST}:{server.port}"
    assert [len(asked) for asked in key.blocks] == [block]
    assert registrar.accepted == ["4 REGISTER", "5 REGISTER"]
    assert server.asked[-1].headers["expires"] == "0"


def test_all_requests_are_of_one_registration() -> None:
    with SipServer(DskRegistrar()) as server:
        sign_in(server)
    assert [asked.headers["cseq"] for asked in server.asked] == [
        f"{number} REGISTER" for number in range(1, 6)
    ]
    assert len({asked.headers["call-id"] for asked in server.asked}) == 1


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_one_message_a_record_will_do_too(version: str) -> None:
    with SipServer(DskRegistrar(version=version, splits_records=True)) as server:
        assert sign_in(server).signed_out


@pytest.mark.parametrize("protocol", [2, 3])
def test_with_an_older_protocol_only_the_servers_last_word_is_signed(protocol: int) -> None:
    registrar = DskRegistrar(protocol=protocol)
    with SipServer(registrar) as server:
        assert sign_in(server).signed_out
    assert registrar.accepted == ["5 REGISTER"]


def test_the_home_pool_is_found_by_a_redirect() -> None:
    with SipServer(DskRegistrar()) as home:
        contact = f"Contact: <sip:{HOST}:{home.port};transport=TLS>"
        with SipServer(lambda asked: asked.answer("301 Moved", contact)) as first:
            done = sign_in(first)
        assert done.redirects == (f"{HOST}:{first.port}",)
        assert done.server == f"{HOST}:{home.port}"


def test_a_redirect_in_answer_to_the_signed_request_is_followed_too() -> None:
    with SipServer(DskRegistrar()) as home:
        contact = f"Contact: <sip:{HOST}:{home.port};transport=tls>"
        with SipServer(DskRegistrar(final=("301 Moved", contact))) as first:
            assert sign_in(first).redirects == (f"{HOST}:{first.port}",)


def test_a_registration_whose_end_is_refused_was_a_sign_in_all_the_same() -> None:
    class Stubborn(DskRegistrar):
        def __call__(self, asked: Asked) -> bytes:
            return asked.answer("500 No") if "expires" in asked.headers else super().__call__(asked)

    with SipServer(Stubborn()) as server:
        assert sign_in(server).signed_out is False


def test_an_unsigned_answer_does_not_confirm_the_end() -> None:
    class Forgetful(DskRegistrar):
        def __call__(self, asked: Asked) -> bytes:
            self.signs = "expires" not in asked.headers
            return super().__call__(asked)

    with SipServer(Forgetful()) as server:
        assert sign_in(server).signed_out is False


def test_the_time_is_that_of_all_of_it() -> None:
    with SipServer(DskRegistrar()) as server:
        begin = time.monotonic()
        done = sign_in(server)
        assert 0 < done.ms <= (time.monotonic() - begin) * 1000 + 1
