"""Signing in by a Windows account, NTLM: at a Registrar that pyspnego's primitives make."""

import logging

import pytest
from doubles.dsk_server import HeldKey
from doubles.ntlm_server import FLAGS, NtlmRegistrar
from doubles.signing_registrar import parameter
from doubles.sip_server import HOST, SipServer

from usbprov.errors import (
    AccountNotAccepted,
    RegistrarAnswerInvalid,
    RegistrarUnproved,
    SchemeNotOffered,
    UsageError,
)
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn

USER = "sip:alice@contoso.test"
ENDPOINT = Endpoint("2ebb6f264f")
PASSWORD = "pa$$Wörd"


def sign_in(
    server: SipServer,
    login: str | None = "CONTOSO\\alice",
    password: str | None = PASSWORD,
    way: Way = Way.NTLM,
) -> SignIn:
    address = RegistrarAddress(HOST, server.port)
    with Registrar(address, ca_file=server.ca_file, timeout=TimeLimits(10, 10)) as registrar:
        return registrar.sign_in(USER, WindowsCredential(way, login, password), ENDPOINT)


@pytest.mark.parametrize("flags", [FLAGS, FLAGS & ~0x20000000, FLAGS & ~0xA0000000])
@pytest.mark.parametrize("tells_time", [True, False])
def test_an_account_signs_in_and_out(flags: int, tells_time: bool) -> None:
    registrar = NtlmRegistrar(flags=flags, tells_time=tells_time)
    with SipServer(registrar) as server:
        done = sign_in(server)
    assert (done.scheme, done.protocol, done.cipher) == ("NTLM", "", "")
    assert (done.expires, done.signed_out) == (7200, True)
    assert registrar.accepted == ["3 REGISTER", "4 REGISTER"]


def test_an_account_with_a_realm_has_no_domain() -> None:
    registrar = NtlmRegistrar(passwords={("", "alice@contoso.test"): PASSWORD})
    with SipServer(registrar) as server:
        assert sign_in(server, "alice@contoso.test").signed_out


def test_a_wrong_password_is_sent_once() -> None:
    with SipServer(NtlmRegistrar()) as server:
        with pytest.raises(AccountNotAccepted):
            sign_in(server, password="wrong")
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"signs": False}, "unsigned"),
        ({"signature": lambda right: f"{right[:-1]}{int(right[-1], 16) ^ 1:x}"}, "signature"),
        ({"signature": lambda right: "01000000" + "0" * 16 + "64000000"}, "signature"),
    ],
)
def test_the_registrar_must_prove_itself(changes, check: str) -> None:
    with SipServer(NtlmRegistrar(**changes)) as server, pytest.raises(RegistrarUnproved) as caught:
        sign_in(server)
    assert caught.value.check == check


def test_negotiate_is_ntlm_where_no_kerberos_is_offered() -> None:
    with SipServer(NtlmRegistrar()) as server:
        assert sign_in(server, way=Way.NEGOTIATE).scheme == "NTLM"


def test_kerberos_alone_is_not_replaced() -> None:
    with SipServer(NtlmRegistrar()) as server, pytest.raises(SchemeNotOffered):
        sign_in(server, way=Way.KERBEROS)


def test_a_certificate_is_no_use_where_accounts_are_asked_for() -> None:
    with (
        SipServer(NtlmRegistrar()) as server,
        Registrar(RegistrarAddress(HOST, server.port), ca_file=server.ca_file) as registrar,
        pytest.raises(SchemeNotOffered, match="does not offer TLS-DSK, but NTLM"),
    ):
        registrar.sign_in(USER, HeldKey().credential(), ENDPOINT)


@pytest.mark.parametrize(("login", "password"), [(None, None), ("a", None), (None, "x")])
def test_ntlm_needs_account_and_password(login: str | None, password: str | None) -> None:
    with SipServer(NtlmRegistrar()) as server, pytest.raises(UsageError):
        sign_in(server, login, password)


def test_weaker_ntlm_is_not_spoken() -> None:
    weak = NtlmRegistrar(flags=FLAGS & ~0x00080000)
    with SipServer(weak) as server, pytest.raises(RegistrarAnswerInvalid, match="too weak"):
        sign_in(server)
    assert not weak.session_key


def test_the_log_holds_neither_password_nor_responses(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SipServer(NtlmRegistrar()) as server:
        sign_in(server)
        proofs = [asked.headers.get("authorization", "") for asked in server.asked]
    assert "REGISTER sip:contoso.test SIP/2.0" in caplog.text
    assert PASSWORD not in caplog.text
    secrets = {parameter(proof, name) for proof in proofs for name in ("gssapi-data", "response")}
    assert len(secrets - {""}) == 3
    assert not any(secret in caplog.text for secret in secrets - {""})
