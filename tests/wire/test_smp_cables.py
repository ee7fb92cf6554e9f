"""The same protocol over every cable: bulk, USB/IP, terminals in both framings, doubles."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from smp_links import CABLES, NONCE, REAL, Cable, Cabled, issue, quiet

from usbprov.errors import PhoneGone, PhoneRefused, Unsupported
from usbprov.phone.contract import POSSESSION_PREFIX, Credential, ObjectKind, PhoneSettings
from usbprov.pki.keys import generate_rsa, key_digest, to_pkcs8
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.framing import LineCode, LineFraming
from usbprov_drivers.smp.wire import Message, Op

KEY = generate_rsa()
CERTIFICATE = issue(KEY.public_key())
CHAIN = [issue(KEY.public_key(), subject=f"CA {number}") for number in range(3)]
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/CertProv", "fe:5061")

Open = Callable[[str], Cabled]

every_cable = pytest.mark.parametrize("cable", CABLES.values(), ids=CABLES)
every_real_cable = pytest.mark.parametrize("cable", REAL.values(), ids=REAL)


@pytest.fixture
def open_over(tmp_path: Path) -> Iterator[Callable[[Cable, str], Cabled]]:
    with ExitStack() as stack:
        yield lambda cable, personality: stack.enter_context(cable(tmp_path, personality))


@pytest.mark.parametrize("more", ["", "small-buffers"])
@every_cable
def test_a_phone_is_provisioned(
    open_over: Callable[[Cable, str], Cabled], cable: Cable, more: str
) -> None:
    phone = open_over(cable, f"no-keygen {more}").phone
    made = phone.import_key(0, to_pkcs8(KEY), NONCE, replace=False)
    phone.install(0, Credential(CERTIFICATE, CHAIN), SETTINGS, quiet)
    info = phone.info()

    assert made.sha256 == key_digest(KEY.public_key())
    assert info.slots[0].active_key == made
    assert info.slots[0].active_certificate == sha256(CERTIFICATE).hexdigest()
    assert info.settings == SETTINGS
    assert phone.read(ObjectKind.CERTIFICATE, 0) == CERTIFICATE
    assert phone.read(ObjectKind.CHAIN, 0) == b"".join(CHAIN)
    KEY.public_key().verify(
        phone.prove(0, NONCE), POSSESSION_PREFIX + NONCE, padding.PKCS1v15(), hashes.SHA256()
    )


@every_cable
def test_messages_of_every_size_pass_both_ways(
    open_over: Callable[[Cable, str], Cabled], cable: Cable
) -> None:
    session = open_over(cable, "").session
    for size in range(129):
        text = "".join(chr(32 + (size + at) % 90) for at in range(size))
        assert session.call(m.ECHO, m.EchoRequest(text)).r == text
    sizes = [session.buffer, *(at + more for at in (512, 1024, 2048, 3584) for more in (-1, 0, 1))]
    for size in sizes:
        sha = sha256(str(size).encode()).digest()
        empty = m.PutRequest(m.Kind.ROOT, 0, 8192, sha, b"")
        room = size - session.size_of(empty) - 2
        piece = replace(empty, data=(bytes(range(256)) * 16)[:room])
        assert session.size_of(piece) == size
        assert session.call(m.PUT, piece).off == room


@every_cable
def test_no_message_is_larger_than_the_phone_s_buffer(
    open_over: Callable[[Cable, str], Cabled], cable: Cable
) -> None:
    session = open_over(cable, "").session
    cn = "x" * 256
    session.buffer = session.size_of(m.CsrRequest(0, cn)) - 1
    with pytest.raises(Unsupported, match="CSR of"):
        session.call(m.CSR, m.CsrRequest(0, cn))


@every_cable
def test_refusals_come_through(open_over: Callable[[Cable, str], Cabled], cable: Cable) -> None:
    phone = open_over(cable, "").phone
    with pytest.raises(PhoneRefused, match="no such key"):
        phone.request(0, "alice@contoso.test")
    assert phone.identity().serial == "EMU0001"


@pytest.mark.parametrize("left", ["half a request", "a request", "noise"])
@every_cable
def test_what_an_earlier_host_left_does_no_harm(
    open_over: Callable[[Cable, str], Cabled], cable: Cable, left: str
) -> None:
    found = open_over(cable, "")
    session = found.session
    request = Message(Op.READ, m.GROUP, m.LIST.number, 77, b"\xa0").encode()
    whole = session._framing.encode(request)
    bytes_left = {"half a request": whole[:-3], "a request": whole, "noise": b"\x06\x09AB\x00\x02"}
    session.link.write(bytes_left[left], 5)
    session.start()
    assert found.phone.identity().serial == "EMU0001"


@pytest.mark.parametrize(
    ("name", "code"),
    [("pty, COBS", LineCode.COBS), ("pty, console", LineCode.CONSOLE)],
)
def test_cobs_is_chosen_where_it_is_offered(
    open_over: Callable[[Cable, str], Cabled], name: str, code: LineCode
) -> None:
    session = open_over(CABLES[name], "").session
    assert isinstance(session._framing, LineFraming)
    assert session._framing.code is code
    session._resync()
    assert session._framing.code is LineCode.CONSOLE
    assert session.call(m.ECHO, m.EchoRequest("x")).r == "x"


@every_real_cable
def test_a_pulled_cable_is_a_phone_that_is_gone(
    open_over: Callable[[Cable, str], Cabled], cable: Cable
) -> None:
    found = open_over(cable, "")
    assert found.phone.identity().serial == "EMU0001"
    found.pull()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(PhoneGone):
            found.phone.identity()
    assert time.monotonic() - began < 2


@every_real_cable
def test_a_phone_may_be_opened_after_it_was_closed(
    open_over: Callable[[Cable, str], Cabled], cable: Cable
) -> None:
    found = open_over(cable, "")
    for _ in range(3):
        found.phone.close()
        found.phone.close()
        found.phone = found.again()
        assert found.phone.identity().serial == "EMU0001"
    found.phone.close()
