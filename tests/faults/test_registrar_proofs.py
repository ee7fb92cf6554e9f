"""A Registrar that does not prove who it is, or breaks the rules: each way has its own error."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from doubles.certificates import NO_CA, Party, issue, key, server
from doubles.dsk_server import ALICE, DskRegistrar, HeldKey
from doubles.sip_server import FRONT_END, HOST, ROOT, TARGET, Asked, SipServer
from OpenSSL import SSL

from usbprov.errors import (
    CertificateNotAccepted,
    CertificateUnfit,
    HandshakeNotAgreed,
    PhoneGone,
    PossessionUnproved,
    RegistrarAnswerInvalid,
    RegistrarFailed,
    RegistrarUnproved,
    SchemeNotOffered,
    UserNotAllowed,
    UserUnknown,
)
from usbprov.net.credentials import CertificateCredential
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import to_der
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn

USER = "sip:alice@contoso.test"
ENDPOINT = Endpoint("2ebb6f264f")
OTHER_ROOT = issue("Other Root")


def sign_in(registrar: DskRegistrar, held: HeldKey | None = None) -> SignIn:
    with SipServer(registrar) as running:
        address = RegistrarAddress(HOST, running.port)
        limits = TimeLimits(10, 10)
        with Registrar(address, ca_file=running.ca_file, timeout=limits) as client:
            return client.sign_in(USER, (held or HeldKey()).credential(), ENDPOINT)


def unproved(registrar: DskRegistrar) -> str:
    with pytest.raises(RegistrarUnproved) as caught:
        sign_in(registrar)
    return caught.value.check


def flipped_at_end(flight: bytes, number: int) -> bytes:
    """Flip a bit of the last flight's last byte: of the encrypted Finished."""
    return flight if number < 2 else flight[:-1] + bytes([flight[-1] ^ 1])


def flipped_in_verify_data(flight: bytes, number: int) -> bytes:
    """Flip the first encrypted block: after decryption the MAC no longer fits."""
    if number < 2:
        return flight
    at = flight.rindex(b"\x16\x03") + 5
    return flight[:at] + bytes([flight[at] ^ 0x80]) + flight[at + 1 :]


@pytest.mark.parametrize("version", ["1.0", "1.2"])
@pytest.mark.parametrize("mangle", [flipped_at_end, flipped_in_verify_data])
def test_a_wrong_finished_is_found(version, mangle) -> None:
    assert unproved(DskRegistrar(version=version, mangle=mangle)) == "finished"


def test_a_finished_that_is_wrong_inside_is_found() -> None:
    """Encrypted and authenticated with the right keys: only its content can tell."""

    class WrongInside(DskRegistrar):
        def written(self) -> bytes:
            written = super().written()
            if self.flights < 2:
                return written
            at = written.rindex(b"\x16\x03\x03")
            return written[:at] + resealed(self.tls, written[at:])

    assert unproved(WrongInside(version="1.2", ciphers="AES128-SHA")) == "finished"


def resealed(tls: SSL.Connection, record: bytes) -> bytes:
    """Open a server's first encrypted record (TLS 1.2, AES128-SHA), flip a bit, close it again."""
    randoms = tls.server_random() + tls.client_random()
    block = prf(tls.master_key(), b"key expansion" + randoms, 104)
    mac_key, aes_key = block[20:40], block[56:72]
    cipher = Cipher(algorithms.AES(aes_key), modes.CBC(record[5:21]))
    opened = cipher.decryptor().update(record[21:])
    message, mac, filling = opened[:16], opened[16:36], opened[36:]
    assert message[:4] == b"\x14\x00\x00\x0c"
    assert mac == record_mac(mac_key, message)
    wrong = message[:-1] + bytes([message[-1] ^ 1])
    closed = cipher.encryptor().update(wrong + record_mac(mac_key, wrong) + filling)
    return record[:21] + closed


def record_mac(key: bytes, message: bytes) -> bytes:
    head = bytes(8) + b"\x16\x03\x03" + len(message).to_bytes(2)
    return hmac.digest(key, head + message, "sha1")


def prf(secret: bytes, seed: bytes, size: int) -> bytes:
    """P_SHA256 of RFC 5246 5."""
    out, link = b"", seed
    while len(out) < size:
        link = hmac.digest(secret, link, "sha256")
        out += hmac.digest(secret, link + seed, "sha256")
    return out[:size]


def test_an_unsigned_200_is_refused() -> None:
    assert unproved(DskRegistrar(signs=False)) == "unsigned"


@pytest.mark.parametrize(
    "signature",
    [
        lambda right: right[:-1] + ("0" if right[-1] != "0" else "1"),
        lambda right: right[:-2],
        lambda right: "0" * 40,
        lambda right: "é" * 20,
    ],
)
def test_a_wrong_signature_is_found(signature) -> None:
    assert unproved(DskRegistrar(signature=signature)) == "signature"


def test_the_clients_own_signature_does_not_do_for_the_servers() -> None:
    class Mirror(DskRegistrar):
        def signed(self, text: str, part: slice) -> str:
            return super().signed(text, slice(64, 96))

    assert unproved(Mirror()) == "signature"


def test_a_200_in_the_middle_of_the_handshake_is_no_proof() -> None:
    class Eager(DskRegistrar):
        def handshake(self, asked: Asked, flight: bytes) -> bytes:
            return asked.answer("200 OK", "Expires: 7200")

    assert unproved(Eager()) == "unsigned"


def test_a_signature_that_was_used_is_refused_for_the_end() -> None:
    """The answer that ends the registration has the number of the one before."""
    assert sign_in(DskRegistrar(numbers=lambda number: 1)).signed_out is False


@pytest.mark.parametrize("number", [0, -1, 10**12])
def test_a_signature_needs_a_number_that_can_be(number: int) -> None:
    with pytest.raises((RegistrarUnproved, RegistrarAnswerInvalid)):
        sign_in(DskRegistrar(numbers=lambda _: number))


# --- the certificate of the inner handshake


def test_a_foreign_certificate_in_the_handshake_is_refused() -> None:
    foreign = server("Foreign", OTHER_ROOT, TARGET)
    assert unproved(DskRegistrar(party=foreign)) == "certificate"


def test_a_self_made_certificate_with_the_right_name_is_refused() -> None:
    own = issue("Self", own=key(1), names=[TARGET], extensions=(NO_CA,))
    assert unproved(DskRegistrar(party=own)) == "certificate"


def test_a_certificate_for_another_name_is_refused() -> None:
    assert (
        unproved(DskRegistrar(party=server("Other", ROOT, "other.contoso.test"))) == "certificate"
    )


def test_the_pools_own_certificate_will_do_behind_another_front() -> None:
    behind = server("Behind", ROOT, TARGET, own=key(2))
    assert behind.certificate != FRONT_END.certificate
    assert sign_in(DskRegistrar(party=behind)).signed_out


def test_so_will_one_with_its_intermediate() -> None:
    between = issue("Between", ROOT, own=key(3))
    behind = server("Behind", between, TARGET, own=key(2))
    assert sign_in(DskRegistrar(party=behind, chain=(between.certificate,))).signed_out


def test_a_signature_of_the_key_exchange_by_another_key_is_found() -> None:
    def mangle(flight: bytes, number: int) -> bytes:
        """Flip a bit of the ServerKeyExchange's signature, which is before the last messages."""
        at = flight.index(b"\x0c\x00\x01") if number == 1 else 0
        end = at + 4 + int.from_bytes(flight[at + 1 : at + 4])
        return flight[: end - 1] + bytes([flight[end - 1] ^ 1]) + flight[end:] if at else flight

    assert unproved(DskRegistrar(ciphers="ECDHE-RSA-AES128-SHA", mangle=mangle)) == "certificate"


# --- rules broken


def test_no_certificate_asked_for_is_against_the_rules() -> None:
    held = HeldKey()
    with pytest.raises(RegistrarAnswerInvalid, match="asks for no certificate"):
        sign_in(DskRegistrar(asks_for_certificate=False), held)
    assert not held.blocks


def test_another_name_in_the_middle_is_against_the_rules() -> None:
    with pytest.raises(RegistrarAnswerInvalid, match="another name"):
        sign_in(DskRegistrar(target_later="evil.contoso.test"))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda flight, number: flight[:-7],
        lambda flight, number: b"\x16\x03\x03\x00\x00" * 5,
        lambda flight, number: b"\x17\x03\x03\x00\x04abcd",
        lambda flight, number: b"garbage" * 9,
        lambda flight, number: b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
        lambda flight, number: flight[:60] + bytes(30) + flight[90:],
        lambda flight, number: flight + b"\x15\x03\x03\x00\x02\x01\x00",
    ],
)
def test_garbage_in_the_handshake_is_told(mangle) -> None:
    with pytest.raises((RegistrarAnswerInvalid, HandshakeNotAgreed)):
        sign_in(DskRegistrar(mangle=mangle))


def test_bytes_after_the_finished_are_against_the_rules() -> None:
    def mangle(flight: bytes, number: int) -> bytes:
        return flight if number < 2 else flight + b"\x17\x03\x03\x00\x01x"

    with pytest.raises(RegistrarAnswerInvalid, match="follows"):
        sign_in(DskRegistrar(mangle=mangle))


def test_a_handshake_without_end_ends() -> None:
    class Endless(DskRegistrar):
        def handshake(self, asked: Asked, flight: bytes) -> bytes:
            demand = self.demand(f'opaque="{self.opaque}"', 'gssapi-data="FgMDAAA="')
            return asked.answer("401 Unauthorized", demand)

    with pytest.raises(RegistrarAnswerInvalid):
        sign_in(Endless())


# --- what does not fit


@pytest.mark.parametrize(
    "ciphers",
    ["AES128-GCM-SHA256", "AES128-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"],
)
def test_without_a_common_cipher_suite_nothing_is_agreed(ciphers: str) -> None:
    held = HeldKey()
    with pytest.raises(HandshakeNotAgreed):
        sign_in(DskRegistrar(ciphers=ciphers), held)
    assert not held.blocks


def test_a_certificate_that_is_not_published_is_not_accepted() -> None:
    with pytest.raises(CertificateNotAccepted) as caught:
        sign_in(DskRegistrar(published=FRONT_END.certificate))
    assert caught.value.diagnostic == 1000
    assert "Final handshake failed." in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", CertificateNotAccepted),
        ("403 Forbidden", UserNotAllowed),
        ("404 Not Found", UserUnknown),
        ("503 Service Unavailable", RegistrarFailed),
        ("504 Server Time-out", RegistrarFailed),
    ],
)
def test_a_refusal_of_the_signed_request_has_its_error(status, error) -> None:
    with pytest.raises(error):
        sign_in(DskRegistrar(final=(status,)))


def test_a_registrar_without_tls_dsk_is_told() -> None:
    class Off(DskRegistrar):
        def demand(self, *more: str) -> str:
            return f'WWW-Authenticate: NTLM realm="x", targetname="{TARGET}", version=4'

    with pytest.raises(SchemeNotOffered) as caught:
        sign_in(Off())
    assert (caught.value.scheme, caught.value.offered) == ("TLS-DSK", "NTLM")


def test_a_registrar_that_takes_nothing_is_told() -> None:
    class Nothing(DskRegistrar):
        def demand(self, *more: str) -> str:
            return "Server: RTC/6.0"

    with pytest.raises(SchemeNotOffered, match="does not offer TLS-DSK, but nothing"):
        sign_in(Nothing())


# --- whoever signs


def test_what_the_phone_raises_is_told_as_it_is() -> None:
    with pytest.raises(PhoneGone):
        sign_in(DskRegistrar(), HeldKey(error=PhoneGone("1-1")))


def test_a_signature_by_another_key_is_not_even_sent() -> None:
    registrar = DskRegistrar()
    with pytest.raises(PossessionUnproved):
        sign_in(registrar, HeldKey(other_key=key(0)))
    assert registrar.flights == 1


def test_a_key_that_is_not_rsa_is_unfit() -> None:
    party: Party = issue("alice", own=ec.generate_private_key(ec.SECP256R1()))
    credential = CertificateCredential(to_der(party.certificate), ALICE.key.sign)
    with (
        SipServer(DskRegistrar()) as running,
        Registrar(RegistrarAddress(HOST, running.port), ca_file=running.ca_file) as client,
        pytest.raises(CertificateUnfit),
    ):
        client.sign_in(USER, credential, ENDPOINT)
