"""A thousand seeded schedules of lost, late, repeated, foreign and damaged messages.

Whatever comes: no wrong result, no hang, and the phone ends as the job wants it.
"""

import functools
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from smp_links import FACTS, NONCE, issue, quiet, spec
from smp_weather import WEATHERS, BulkCable, Cable, LineCable, Weather, framing_of

from usbprov.errors import LinkBroken, LinkTimeout, PhoneGone
from usbprov.phone.contract import POSSESSION_PREFIX, Credential, ObjectKind, PhoneSettings
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest, to_pkcs8
from usbprov_drivers.smp.driver import SmpPhone
from usbprov_drivers.smp.emulator import boot
from usbprov_drivers.smp.session import Session

T = TypeVar("T")

KEY = generate_rsa()
PKCS8 = to_pkcs8(KEY)
CERTIFICATE = issue(KEY.public_key())
CHAIN = [issue(KEY.public_key(), subject="CA")]
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/CertProv", "fe:5061")

PARSED = functools.cache(from_pkcs8)

KINDS: dict[str, tuple[type[Cable], str]] = {
    "bulk": (BulkCable, ""),
    "console": (LineCable, "no-cobs"),
    "COBS": (LineCable, ""),
}
SCHEDULES = 1000
MOST_ATTEMPTS = 60


@pytest.fixture(autouse=True)
def swift_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of phones: their flash is memory only, and the key is parsed once."""
    monkeypatch.setattr("usbprov_drivers.smp.store.Store._write", lambda store, state: state)
    monkeypatch.setattr("usbprov_drivers.smp.credentials.from_pkcs8", PARSED)


class Host:
    """Does each part of a job until it is done, opening the phone anew when the cable failed."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable
        self._phone: SmpPhone | None = None

    def do(self, part: Callable[[SmpPhone], T]) -> T:
        for _ in range(MOST_ATTEMPTS):
            try:
                return part(self._opened())
            except (LinkTimeout, LinkBroken):
                self._close()
            except PhoneGone:
                self._close()
                self.cable.plug()
        pytest.fail("it was never done")

    def _opened(self) -> SmpPhone:
        if self._phone is None:
            session = Session(self.cable, framing_of(self.cable), clock=self.cable.clock)
            session.start()
            self._phone = SmpPhone(FACTS, session)
        return self._phone

    def _close(self) -> None:
        if self._phone is not None:
            self._phone.close()
        self._phone = None


def provision(cable: Cable) -> None:
    """A whole job; every answer is compared with what it must be."""
    host = Host(cable)
    key = host.do(lambda phone: phone.import_key(0, PKCS8, NONCE, replace=False))
    assert key.sha256 == key_digest(KEY.public_key())
    host.do(lambda phone: phone.install(0, Credential(CERTIFICATE, CHAIN), SETTINGS, quiet))
    info = host.do(lambda phone: phone.info())
    assert (info.serial, info.mac) == ("EMU0001", "02:00:5e:00:00:01")
    assert info.settings == SETTINGS
    assert info.slots[0].active_key == key
    assert info.slots[0].active_certificate == sha256(CERTIFICATE).hexdigest()
    assert info.slots[0].pending_key is None
    assert host.do(lambda phone: phone.read(ObjectKind.CERTIFICATE, 0)) == CERTIFICATE
    proof = host.do(lambda phone: phone.prove(0, NONCE))
    KEY.public_key().verify(proof, POSSESSION_PREFIX + NONCE, padding.PKCS1v15(), hashes.SHA256())


def made(
    folder: Path, kind: str, weather: Weather, seed: int, monkeypatch: pytest.MonkeyPatch
) -> Cable:
    """A cable whose every event follows from the seed."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311
    monkeypatch.setattr("usbprov_drivers.smp.session.os.urandom", dice.randbytes)
    cable, personality = KINDS[kind]
    small = dice.choice(["small-buffers", "", "", ""])
    return cable(boot(spec(folder, f"no-keygen {personality} {small}")), dice, weather)


def run(folder: Path, kind: str, weather: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> Cable:
    cable = made(folder, kind, WEATHERS[weather], seed, monkeypatch)
    try:
        provision(cable)
    except BaseException:
        print(f"weather {weather!r}, kind {kind!r}, seed {seed}")  # noqa: T201
        raise
    return cable


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_schedules_end_as_they_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
) -> None:
    size = -(-SCHEDULES // 4 // len(KINDS))
    assert size * 4 * len(KINDS) >= SCHEDULES
    for seed in range(block * size, (block + 1) * size):
        run(tmp_path, kind, "everything", seed, monkeypatch)


@pytest.mark.parametrize("weather", [name for name in WEATHERS if name != "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_trouble_alone_is_lived_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, weather: str
) -> None:
    plain = run(tmp_path, kind, "none", 0, monkeypatch).steps
    steps = [run(tmp_path, kind, weather, seed, monkeypatch).steps for seed in range(8)]
    troubled = (kind, weather) != ("bulk", "damage")  # there is none: USB has a CRC of its own
    assert not troubled or max(steps) > plain, "nothing went wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cable_pulled_at_any_message_is_a_job_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = run(tmp_path, kind, "none", 1, monkeypatch).steps
    assert whole > 30
    for at in range(whole):
        cable = made(tmp_path, kind, WEATHERS["none"], 1, monkeypatch)
        cable.gone_at = at
        provision(cable)
        assert cable.gone_at == -1, f"seed 1: it was not pulled at message {at}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_that_never_answers_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cable = made(tmp_path, kind, Weather(lost=1.0), 0, monkeypatch)
    session = Session(cable, framing_of(cable), clock=cable.clock)
    with pytest.raises(LinkTimeout):
        session.start()
    assert cable.now < 15


@pytest.mark.parametrize("kind", ["console", "COBS"])
def test_a_phone_that_only_babbles_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cable = made(tmp_path, kind, Weather(), 0, monkeypatch)
    began = cable.now

    def log_text(timeout: float) -> bytes:
        cable.now += 0.01
        return b"[00:00:09.731] <dbg> smp: at work\r\n"

    monkeypatch.setattr(cable, "read", log_text)
    session = Session(cable, framing_of(cable), clock=cable.clock)
    with pytest.raises(LinkTimeout):
        session.start()
    assert cable.now - began < 15


def test_a_line_that_does_not_pass_every_byte_goes_on_in_console_framing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable = made(tmp_path, "COBS", Weather(), 0, monkeypatch)
    plain = cable.write

    def without_zeros(data: bytes, timeout: float) -> None:
        plain(data.replace(b"\0", b""), timeout)

    monkeypatch.setattr(cable, "write", without_zeros)
    provision(cable)
    assert cable.now < 5, "it cost more than one time-out"
