"""The phone contract, against the emulated phone's real firmware over an in-memory cable."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from smp_links import FACTS, NONCE, a_phone, issue, quiet

from usbprov.errors import CredentialMismatch, PhoneRefused, SlotOccupied, Unsupported
from usbprov.phone.contract import (
    POSSESSION_PREFIX,
    Capability,
    Credential,
    KeyState,
    ObjectKind,
    PhoneSettings,
)
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest, to_pkcs8
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.pki.requests import load_request
from usbprov_drivers.smp.driver import SmpPhone
from usbprov_drivers.smp.factory import OTHER_USER

SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/CertProv", "fe:5061")
OTHER_NONCE = b"another nonce 16"
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
HOST_KEY = generate_rsa()


def public_key(request: bytes) -> rsa.RSAPublicKey:
    key = load_request(request).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def secret_pieces(key: rsa.RSAPrivateKey) -> Iterator[bytes]:
    """Every eight bytes of the private numbers, big-endian."""
    n = key.private_numbers()
    for secret in (n.p, n.q, n.d, n.dmp1, n.dmq1, n.iqmp):
        encoded = secret.to_bytes((secret.bit_length() + 7) // 8)
        yield from (encoded[at : at + 8] for at in range(0, len(encoded) - 7, 8))


def import_key(phone: SmpPhone, nonce: bytes = NONCE, *, replace: bool = False) -> KeyState:
    return phone.import_key(0, to_pkcs8(HOST_KEY), nonce, replace=replace)


def provision(phone: SmpPhone) -> bytes:
    import_key(phone)
    certificate = issue(HOST_KEY.public_key())
    phone.install(0, Credential(certificate), SETTINGS, quiet)
    return certificate


@pytest.mark.parametrize("personality", ["", "small-buffers"])
def test_a_phone_is_provisioned_from_key_to_erasure(tmp_path: Path, personality: str) -> None:
    phone, _, _ = a_phone(tmp_path, personality=personality)
    percents: list[int] = []

    made = phone.generate_key(0, 2048, NONCE, replace=False, progress=percents.append)
    key = public_key(phone.request(0, "alice@contoso.test"))
    certificate, above = issue(key), [issue(key, subject="CA 1"), issue(key, subject="CA 0")]
    phone.install(0, Credential(certificate, above), SETTINGS, percents.append)
    info = phone.info()

    assert percents[-1] == 100
    assert made == KeyState(key_digest(key), NONCE)
    assert info.slots[0].active_key == made
    assert info.slots[0].active_certificate == sha256(certificate).hexdigest()
    assert info.slots[0].pending_key is None
    assert info.settings == SETTINGS
    assert phone.read(ObjectKind.CERTIFICATE, 0) == certificate
    assert phone.read(ObjectKind.CHAIN, 0) == b"".join(above)
    key.verify(
        phone.prove(0, NONCE), POSSESSION_PREFIX + NONCE, padding.PKCS1v15(), hashes.SHA256()
    )

    phone.erase(0)

    assert phone.info().slots[0].active_key is None
    with pytest.raises(PhoneRefused, match="no such key"):
        phone.prove(0, NONCE)


def test_info_says_who_the_phone_is(tmp_path: Path) -> None:
    root = issue(HOST_KEY.public_key(), subject="Root")
    phone, _, _ = a_phone(tmp_path, roots=(root,))
    info = phone.info()
    assert (info.vendor, info.model, info.serial) == ("usbprov", "EP-100", "EMU0001")
    assert info.mac == "02:00:5e:00:00:01"
    assert info.rsa_bits == (2048, 3072, 4096)
    assert info.capabilities == set(Capability) - {Capability.IMPORT_KEY}
    assert info.roots == {sha256(root).hexdigest()}
    assert info.settings is None
    assert [slot.number for slot in info.slots] == [0]
    assert phone.facts is FACTS


def test_the_request_is_signed_by_the_pending_key_else_by_the_active_one(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    provision(phone)
    assert public_key(phone.request(0, "alice@contoso.test")) == HOST_KEY.public_key()
    made = phone.generate_key(0, 2048, OTHER_NONCE, replace=True, progress=quiet)
    assert key_digest(public_key(phone.request(0, "alice@contoso.test"))) == made.sha256


def test_a_key_is_made_once_for_a_nonce(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path)
    first = phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)
    assert phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet) == first
    assert phone.generate_key(0, 2048, NONCE, replace=True, progress=quiet) == first
    with pytest.raises(SlotOccupied, match="a key not yet in use"):
        phone.generate_key(0, 2048, OTHER_NONCE, replace=False, progress=quiet)
    other = phone.generate_key(0, 2048, OTHER_NONCE, replace=True, progress=quiet)
    assert other != first
    assert phone.info().slots[0].pending_key == other


def test_the_active_credential_lives_until_the_commit(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    certificate = provision(phone)
    new = phone.generate_key(0, 2048, OTHER_NONCE, replace=True, progress=quiet)
    before = phone.info().slots[0]
    assert before.active_key == KeyState(key_digest(HOST_KEY.public_key()), NONCE)
    assert before.active_certificate == sha256(certificate).hexdigest()
    HOST_KEY.public_key().verify(
        phone.prove(0, NONCE), POSSESSION_PREFIX + NONCE, padding.PKCS1v15(), hashes.SHA256()
    )

    renewed = issue(public_key(phone.request(0, "alice@contoso.test")))
    phone.install(0, Credential(renewed), SETTINGS, quiet)

    after = phone.info().slots[0]
    assert after.active_key == new
    assert after.active_certificate == sha256(renewed).hexdigest()


def test_a_certificate_is_renewed_for_the_same_key(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    provision(phone)
    renewed = issue(HOST_KEY.public_key())
    changed = PhoneSettings("sip:alice@contoso.test", "https://other.contoso.test/")
    phone.install(0, Credential(renewed), changed, quiet)
    info = phone.info()
    assert info.slots[0].active_certificate == sha256(renewed).hexdigest()
    assert info.settings == changed


def test_an_installation_may_be_repeated(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    certificate = provision(phone)
    phone.install(0, Credential(certificate), SETTINGS, quiet)
    assert phone.info().slots[0].active_certificate == sha256(certificate).hexdigest()


def test_the_same_certificate_with_other_settings_is_installed(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    certificate = provision(phone)
    other = replace(SETTINGS, registrar="other.contoso.test:5061")
    phone.install(0, Credential(certificate), other, quiet)
    assert phone.info().settings == other


@pytest.mark.filterwarnings("ignore:Attribute's length")  # the library's, for more than 64
@pytest.mark.parametrize("length", [64, 65, 200])
def test_a_user_may_have_a_long_address(tmp_path: Path, length: int) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    provision(phone)
    name = "a" * (length - 13) + "@contoso.test"
    request = load_request(phone.request(0, name))
    assert request.subject.rfc4514_string() == f"CN={name}"


@pytest.mark.parametrize(
    ("days", "key", "words"),
    [((-1, 90), None, "another key"), ((-9, -1), HOST_KEY, "clock"), ((1, 9), HOST_KEY, "clock")],
    ids=["another key", "expired", "not yet valid"],
)
def test_a_wrong_certificate_is_not_committed_and_the_old_one_stays(
    tmp_path: Path, days: tuple[int, int], key: rsa.RSAPrivateKey | None, words: str
) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    certificate = provision(phone)
    wrong = issue((key or generate_rsa()).public_key(), days=days)
    with pytest.raises(CredentialMismatch, match=words):
        phone.install(0, Credential(wrong), SETTINGS, quiet)
    assert phone.info().slots[0].active_certificate == sha256(certificate).hexdigest()


@pytest.mark.parametrize("junk", [b"\x30\x03abc", b"no certificate"])
def test_what_is_no_certificate_is_not_committed(tmp_path: Path, junk: bytes) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    import_key(phone)
    with pytest.raises(CredentialMismatch, match="cannot read"):
        phone.install(0, Credential(junk), SETTINGS, quiet)
    with pytest.raises(CredentialMismatch, match="cannot read"):
        phone.install(0, Credential(issue(HOST_KEY.public_key()), [junk]), SETTINGS, quiet)
    assert phone.info().slots[0].active_certificate is None


def test_a_certificate_without_a_key_is_not_committed(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path)
    with pytest.raises(CredentialMismatch, match="no such key"):
        phone.install(0, Credential(issue(HOST_KEY.public_key())), SETTINGS, quiet)


def test_a_host_made_key_is_imported_once(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="no-keygen")
    info = phone.info()
    assert Capability.IMPORT_KEY in info.capabilities
    assert Capability.GENERATE_KEY not in info.capabilities
    with pytest.raises(Unsupported, match="making a key"):
        phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)

    state = import_key(phone)

    assert state == KeyState(key_digest(HOST_KEY.public_key()), NONCE)
    assert phone.info().slots[0].pending_key == state
    again = phone.import_key(0, to_pkcs8(generate_rsa()), NONCE, replace=False)
    assert again == state
    with pytest.raises(SlotOccupied):
        import_key(phone, OTHER_NONCE)
    assert import_key(phone, OTHER_NONCE, replace=True).nonce == OTHER_NONCE


@pytest.mark.parametrize(
    ("pkcs8", "error"),
    [(b"no key", PhoneRefused), (to_pkcs8(generate_rsa(1024)), Unsupported)],
    ids=["junk", "too short"],
)
def test_an_unfit_host_made_key_is_refused(
    tmp_path: Path, pkcs8: bytes, error: type[Exception]
) -> None:
    phone, _, _ = a_phone(tmp_path, personality="no-keygen")
    with pytest.raises(error):
        phone.import_key(0, pkcs8, NONCE, replace=False)
    assert phone.info().slots[0].pending_key is None


def test_a_phone_with_key_generation_takes_no_key(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path)
    with pytest.raises(Unsupported, match="host-made"):
        import_key(phone)


def test_signatures_for_tls_are_raw_and_only_over_permitted_blocks(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    provision(phone)
    numbers = HOST_KEY.public_key().public_numbers()
    for block in (bytes(range(36)), SHA256_INFO + bytes(32)):
        opened: int = pow(int.from_bytes(phone.sign(0, block)), numbers.e, numbers.n)
        assert opened.to_bytes(256) == b"\x00\x01" + b"\xff" * (253 - len(block)) + b"\x00" + block
    for block in (b"", bytes(35), bytes(37), bytes(51), SHA256_INFO + bytes(31)):
        with pytest.raises(PhoneRefused, match="such a block"):
            phone.sign(0, block)


def test_only_the_active_key_signs(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    import_key(phone)
    with pytest.raises(PhoneRefused, match="no such key"):
        phone.sign(0, bytes(36))
    with pytest.raises(PhoneRefused, match="no such key"):
        phone.prove(0, NONCE)


def test_roots_are_added_once(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="small-buffers")
    roots = [issue(HOST_KEY.public_key(), subject=f"Root {number}") for number in range(7)]
    for root in (*roots, roots[0]):
        phone.add_root(root)
    assert phone.info().roots == {sha256(root).hexdigest() for root in roots}
    assert [phone.read_root(sha256(root).hexdigest()) for root in roots] == roots


def test_a_root_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path)
    with pytest.raises(PhoneRefused, match="no such key or object"):
        phone.read_root("00" * 32)


def test_a_phone_says_what_it_can_verify(tmp_path: Path) -> None:
    plain, _, _ = a_phone(tmp_path)
    assert plain.info().limits is None


@pytest.mark.parametrize(
    ("personality", "limits"),
    [
        ("no-sha2", ChainLimits(frozenset({SignatureKind.RSA_SHA1}))),
        ("rsa-limit=2048", ChainLimits(rsa_bits=2048)),
        ("no-sha2 rsa-limit=1024", ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 1024)),
    ],
)
def test_limits_of_verification_are_told(
    tmp_path: Path, personality: str, limits: ChainLimits
) -> None:
    phone, _, _ = a_phone(tmp_path, personality=personality)
    assert phone.info().limits == limits


def test_the_clock_is_read_and_set(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="clock-behind")
    clock = phone.info().clock
    assert clock is not None
    assert abs(datetime.now(UTC) - clock - timedelta(days=365)) < timedelta(seconds=5)
    phone.set_clock(datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC))
    clock = phone.info().clock
    assert clock is not None
    assert timedelta(0) <= clock - datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC) < timedelta(seconds=5)


def test_a_clock_behind_refuses_a_good_certificate_until_it_is_set(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="clock-behind=30 import-key")
    import_key(phone)
    credential = Credential(issue(HOST_KEY.public_key()))
    with pytest.raises(CredentialMismatch, match="clock"):
        phone.install(0, credential, SETTINGS, quiet)
    phone.set_clock(datetime.now(UTC))
    phone.install(0, credential, SETTINGS, quiet)


def test_the_lamp_is_lit_and_put_out(tmp_path: Path) -> None:
    phone, _, firmware = a_phone(tmp_path)
    phone.identify(on=True)
    assert firmware.lamp
    phone.identify(on=False)
    assert not firmware.lamp


def test_an_occupied_slot_keeps_another_user_s_credential(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="occupied")
    info = phone.info()
    assert info.settings is not None
    assert info.settings.sip_uri == f"sip:{OTHER_USER}"
    with pytest.raises(SlotOccupied, match="a certificate in use"):
        phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)
    assert phone.info().slots == info.slots


def test_old_roots_leave_out_the_given_ones(tmp_path: Path) -> None:
    root = issue(HOST_KEY.public_key(), subject="Root")
    phone, _, _ = a_phone(tmp_path, roots=(root,), personality="old-roots")
    roots = phone.info().roots
    assert len(roots) == 1
    assert sha256(root).hexdigest() not in roots


def test_slots_are_independent(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="slots=3 import-key")
    phone.import_key(2, to_pkcs8(HOST_KEY), NONCE, replace=False)
    states = phone.info().slots
    assert [slot.number for slot in states] == [0, 1, 2]
    assert [bool(slot.pending_key) for slot in states] == [False, False, True]
    with pytest.raises(PhoneRefused, match="no such slot"):
        phone.request(3, "alice@contoso.test")


def test_settings_too_long_for_one_message_go_in_three(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="small-buffers import-key")
    import_key(phone)
    long = PhoneSettings(f"sip:{'a' * 150}@x.test", f"https://{'b' * 150}/", "c" * 150)
    phone.install(0, Credential(issue(HOST_KEY.public_key())), long, quiet)
    assert phone.info().settings == long


def test_settings_without_a_registrar_forget_the_old_one(tmp_path: Path) -> None:
    phone, _, _ = a_phone(tmp_path, personality="import-key")
    provision(phone)
    bare = PhoneSettings(SETTINGS.sip_uri, SETTINGS.web_services_url)
    phone.install(0, Credential(issue(HOST_KEY.public_key())), bare, quiet)
    assert phone.info().settings == bare


def test_a_message_that_no_buffer_holds_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    phone, wire, _ = a_phone(tmp_path, personality="small-buffers")
    sent = len(wire.sent_by_phone)
    with pytest.raises(Unsupported, match="CSR of"):
        phone.request(0, "x" * 250)
    assert len(wire.sent_by_phone) == sent


def test_no_byte_of_a_private_key_leaves_the_phone(tmp_path: Path) -> None:
    phone, wire, firmware = a_phone(tmp_path)
    phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)
    certificate = issue(public_key(phone.request(0, "alice@contoso.test")))
    phone.install(0, Credential(certificate), SETTINGS, quiet)
    for kind in ObjectKind:
        phone.read(kind, 0)
    phone.prove(0, NONCE)
    phone.sign(0, bytes(36))
    phone.info()
    kept = firmware._store.state.slots[0].key
    assert kept is not None
    private = from_pkcs8(kept.pkcs8)
    outward = b"".join(wire.sent_by_phone)
    modulus = private.public_key().public_numbers().n
    assert modulus.to_bytes(256)[:64] in outward, "the search would find what is there"
    for piece in secret_pieces(private):
        assert piece not in outward
        assert piece[::-1] not in outward


def test_log_and_errors_hold_no_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    phone, _, firmware = a_phone(tmp_path, personality="import-key")
    provision(phone)
    shown = caplog.text + repr(firmware._store.state) + repr(phone.info())
    assert "committed" in caplog.text
    for piece in secret_pieces(HOST_KEY):
        assert piece.hex() not in shown
        assert repr(piece)[2:-1] not in shown
