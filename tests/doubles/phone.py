"""A phone in memory: real keys, requests and signatures, and no cable."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import count

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from usbprov.errors import PhoneGone, PhoneRefused, SlotOccupied
from usbprov.phone.contract import (
    POSSESSION_PREFIX,
    Capability,
    Credential,
    KeyState,
    ObjectKind,
    PhoneIdentity,
    PhoneInfo,
    PhoneSettings,
    Progress,
    SlotState,
)
from usbprov.pki.certificates import load_certificate, thumbprint
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest
from usbprov.pki.limits import ChainLimits
from usbprov.pki.requests import build_request
from usbprov.usb.devices import DeviceFacts

_FEW = 8
_numbers = count()


@cache
def _made(_number: int, bits: int) -> rsa.RSAPrivateKey:
    return generate_rsa(bits)


def _new_key(bits: int) -> rsa.RSAPrivateKey:
    """Return one of a few keys, in turn: each costs 50 ms, and no test needs as many."""
    return _made(next(_numbers) % _FEW, bits)


ALL = frozenset(Capability)
FACTS = DeviceFacts("kernel", "1-1", 0x1209, 1, serial="MEM1")


@dataclass
class MemoryPhone:
    """Fulfils the phone contract for slot 0.

    ``fail_at`` names the method that loses the cable; ``*`` is every one.
    """

    capabilities: frozenset[Capability] = ALL
    clock: datetime | None = field(default_factory=lambda: datetime.now(UTC))
    roots: frozenset[str] = frozenset()
    settings: PhoneSettings | None = None
    fail_at: str | None = None
    slot: SlotState = field(default_factory=lambda: SlotState(0))
    calls: list[str] = field(default_factory=list)
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    certificate: bytes = b""
    root_store: dict[str, bytes] = field(default_factory=dict)
    limits: ChainLimits | None = None
    facts: DeviceFacts = FACTS
    may_be_exchanged: bool = True
    serial: str = "MEM1"
    mac: str = "02:00:00:00:00:01"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail_at in {name, "*"} and name != "close":
            raise PhoneGone(self.facts.name)

    def identity(self) -> PhoneIdentity:
        self._called("identity")
        return PhoneIdentity(self.serial, self.mac)

    def info(self) -> PhoneInfo:
        self._called("info")
        return PhoneInfo(
            vendor="Memory",
            model="M1",
            firmware="1",
            serial=self.serial,
            mac=self.mac,
            capabilities=self.capabilities,
            rsa_bits=(2048,),
            clock=self.clock,
            slots=(self.slot,),
            roots=self.roots,
            settings=self.settings,
            limits=self.limits,
        )

    def read_clock(self) -> datetime | None:
        self._called("read_clock")
        return self.clock

    def generate_key(
        self, slot: int, bits: int, nonce: bytes, *, replace: bool, progress: Progress
    ) -> KeyState:
        self._called("generate_key")
        progress(50)
        return self._take(_new_key(bits), nonce, overwrite=replace)

    def import_key(self, slot: int, pkcs8: bytes, nonce: bytes, *, replace: bool) -> KeyState:
        self._called("import_key")
        return self._take(from_pkcs8(pkcs8), nonce, overwrite=replace)

    def _take(self, key: rsa.RSAPrivateKey, nonce: bytes, *, overwrite: bool) -> KeyState:
        if not overwrite and self.slot != SlotState(0):
            raise SlotOccupied(self.facts.name, 0, "something")
        state = KeyState(key_digest(key.public_key()), nonce)
        self.keys[state.sha256] = key
        self.slot = replace(self.slot, pending_key=state)
        return state

    def request(self, slot: int, common_name: str) -> bytes:
        self._called("request")
        key = self.slot.pending_key or self.slot.active_key
        assert key is not None
        return build_request(self.keys[key.sha256], common_name)

    def install(
        self, slot: int, credential: Credential, settings: PhoneSettings, progress: Progress
    ) -> None:
        self._called("install")
        certificate = load_certificate(credential.certificate)
        key = self.slot.pending_key or self.slot.active_key
        assert key is not None
        assert key_digest(certificate.public_key()) == key.sha256
        self.certificate, self.settings = credential.certificate, settings
        self.slot = SlotState(0, key, thumbprint(certificate))

    def read(self, kind: ObjectKind, slot: int) -> bytes:
        self._called("read")
        return self.certificate if kind is ObjectKind.CERTIFICATE else b""

    def add_root(self, certificate: bytes) -> None:
        self._called("add_root")
        digest = thumbprint(load_certificate(certificate))
        self.roots |= {digest}
        self.root_store[digest] = certificate

    def read_root(self, sha256: str) -> bytes:
        self._called("read_root")
        if sha256 not in self.root_store:
            raise PhoneRefused(self.facts.name, "read_root", "there is none")
        return self.root_store[sha256]

    def prove(self, slot: int, nonce: bytes) -> bytes:
        self._called("prove")
        assert self.slot.active_key is not None
        key = self.keys[self.slot.active_key.sha256]
        return key.sign(POSSESSION_PREFIX + nonce, padding.PKCS1v15(), hashes.SHA256())

    def sign(self, slot: int, block: bytes) -> bytes:
        self._called("sign")
        assert self.slot.active_key is not None
        key = self.keys[self.slot.active_key.sha256]
        return key.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())

    def set_clock(self, now: datetime) -> None:
        self._called("set_clock")
        self.clock = now

    def erase(self, slot: int) -> None:
        self.slot = SlotState(0)

    def identify(self, *, on: bool) -> None:
        self._called("identify")

    def close(self) -> None:
        self._called("close")
