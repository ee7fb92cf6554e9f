"""The driver of the ``smp`` family: the phone contract, spoken in the commands of PROTOCOL.md."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as changed
from datetime import UTC, datetime

from usbprov.errors import ProtocolViolation
from usbprov.phone.contract import (
    SIGN_IN_SLOT,
    Capability,
    Credential,
    KeyState,
    ObjectKind,
    Phone,
    PhoneIdentity,
    PhoneInfo,
    PhoneSettings,
    Progress,
)
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.usb.devices import AttachedDevice, DeviceFacts, LinkKind
from usbprov_drivers.smp import identity
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.keygen import KeyMaker
from usbprov_drivers.smp.listing import holds, read_items, roots, slot_states
from usbprov_drivers.smp.opening import open_session
from usbprov_drivers.smp.refusals import Attempt, error_of
from usbprov_drivers.smp.session import Refusal, Session
from usbprov_drivers.smp.tap import SmpTap
from usbprov_drivers.smp.transfer import Parcel, fetch, send_parcel

logger = logging.getLogger(__name__)

_CAPABILITIES = {
    m.Caps.GENERATE_KEY: Capability.GENERATE_KEY,
    m.Caps.IMPORT_KEY: Capability.IMPORT_KEY,
    m.Caps.TRUST_STORE: Capability.TRUST_STORE,
    m.Caps.SET_CLOCK: Capability.SET_CLOCK,
    m.Caps.CONFIGURE: Capability.CONFIGURE,
    m.Caps.PROVE: Capability.PROVE,
    m.Caps.SIGN: Capability.SIGN,
    m.Caps.IDENTIFY: Capability.IDENTIFY,
}
_SIGNATURES = {
    m.Sigs.RSA_SHA1: SignatureKind.RSA_SHA1,
    m.Sigs.RSA_SHA2: SignatureKind.RSA_SHA2,
    m.Sigs.RSA_PSS: SignatureKind.RSA_PSS,
    m.Sigs.ECDSA: SignatureKind.ECDSA,
}
_KINDS = {ObjectKind.CERTIFICATE: m.Kind.CERT, ObjectKind.CHAIN: m.Kind.CHAIN}
_LONGEST = 20 * 60.0
"""Seconds for one thing done; more than a key takes (PROTOCOL.md 4.1)."""


class SmpPhone:
    """An opened phone (``usbprov.phone.contract.Phone``)."""

    def __init__(self, facts: DeviceFacts, session: Session) -> None:
        """Speak with the device of ``facts`` through a session that is started."""
        self._facts = facts
        self._session = session

    @property
    def facts(self) -> DeviceFacts:
        """Where it is attached, and its USB descriptors."""
        return self._facts

    @property
    def may_be_exchanged(self) -> bool:
        """A line says nothing of what is plugged in at its end."""
        return self._session.is_line

    def identity(self) -> PhoneIdentity:
        """Ask INFO."""
        with self._doing("telling what it is"):
            said = self._identity()
        return PhoneIdentity(said.serial, said.mac.hex(":"))

    def info(self) -> PhoneInfo:
        """Ask INFO, LIST, CLOCK and the settings of slot 0, with which a phone signs in."""
        with self._doing("telling what it is"):
            said = self._identity()
            items = read_items(self._session)
            slots = tuple(slot_states(self._name, items, said.slots))
            return PhoneInfo(
                vendor=said.vendor,
                model=said.model,
                firmware=said.fw,
                serial=said.serial,
                mac=said.mac.hex(":"),
                capabilities=frozenset(c for bit, c in _CAPABILITIES.items() if said.caps & bit),
                rsa_bits=tuple(sorted(said.bits)),
                clock=self._clock(),
                slots=slots,
                roots=roots(items),
                settings=self._settings() if said.caps & m.Caps.CONFIGURE else None,
                limits=_limits(said),
            )

    def read_clock(self) -> datetime | None:
        """Ask CLOCK."""
        with self._doing("telling its time"):
            return self._clock()

    def generate_key(
        self, slot: int, bits: int, nonce: bytes, *, replace: bool, progress: Progress
    ) -> KeyState:
        """Have the phone make its key; returns the one with ``nonce`` if it is there already."""
        with self._doing(f"making a key of {bits} bits itself", slot):
            maker = KeyMaker(self._session, progress)
            key = maker.make(m.KeygenRequest(slot, bits, nonce, replace))
        return KeyState(key.hex(), nonce)

    def import_key(self, slot: int, pkcs8: bytes, nonce: bytes, *, replace: bool) -> KeyState:
        """Transfer a host-made key and make it the pending key."""
        parcel = Parcel(m.Kind.KEY, pkcs8, slot, nonce, replace)
        with self._doing("taking a host-made key", slot):
            send_parcel(self._session, parcel, _nobody)
            key = self._commit(parcel).key
        if key is None:
            raise ProtocolViolation(self._name, "COMMIT: a key without its digest")
        return KeyState(key.hex(), nonce)

    def request(self, slot: int, common_name: str) -> bytes:
        """Return the phone's PKCS#10 request (DER) for ``CN=common_name``."""
        with self._doing("making a certificate request", slot):
            return fetch(self._session, m.CSR, lambda off: m.CsrRequest(slot, common_name, off))

    def install(
        self, slot: int, credential: Credential, settings: PhoneSettings, progress: Progress
    ) -> None:
        """Transfer certificate, chain and settings, then commit them; 100 % is after the commit."""
        certificate = Parcel(m.Kind.CERT, credential.certificate, slot)
        chain = Parcel(m.Kind.CHAIN, b"".join(credential.chain), slot)
        total = len(certificate.content) + len(chain.content) + 1
        with self._doing("the certificate", slot):
            send_parcel(self._session, certificate, lambda at: progress(99 * at // total))
        with self._doing("the chain", slot):
            if chain.content:
                sent = len(certificate.content)
                send_parcel(self._session, chain, lambda at: progress(99 * (sent + at) // total))
        with self._doing("the settings", slot):
            self._configure(slot, settings)
        with self._doing("the certificate", slot, commits=True):
            self._commit(certificate, chain.sha if chain.content else None)
        progress(100)

    def read(self, kind: ObjectKind, slot: int) -> bytes:
        """Return the slot's certificate or chain."""
        with self._doing(f"reading its {kind.value}", slot):
            ask = m.GetRequest(_KINDS[kind], slot)
            return fetch(self._session, m.GET, lambda off: changed(ask, off=off))

    def add_root(self, certificate: bytes) -> None:
        """Transfer a certificate (DER) and add it to the trust store."""
        parcel = Parcel(m.Kind.ROOT, certificate)
        with self._doing("the root certificate"):
            send_parcel(self._session, parcel, _nobody)
            self._commit(parcel)

    def read_root(self, sha256: str) -> bytes:
        """Return the certificate of the trust store that has this digest."""
        digest = bytes.fromhex(sha256)
        ask = m.GetRequest(m.Kind.ROOT, sha=digest)
        with self._doing("reading a trusted root"):
            root = fetch(self._session, m.GET, lambda off: changed(ask, off=off))
        if hashlib.sha256(root).digest() != digest:
            raise ProtocolViolation(self._name, "GET: another root than was asked for")
        return root

    def prove(self, slot: int, nonce: bytes) -> bytes:
        """Return the active key's signature over ``POSSESSION_PREFIX + nonce``."""
        with self._doing("proving that it holds its key", slot):
            return fetch(self._session, m.PROVE, lambda off: m.ProveRequest(slot, nonce, off))

    def sign(self, slot: int, block: bytes) -> bytes:
        """Return the active key's PKCS#1 v1.5 signature of a TLS block."""
        with self._doing("signing for TLS", slot):
            return fetch(self._session, m.SIGN, lambda off: m.SignRequest(slot, block, off))

    def set_clock(self, now: datetime) -> None:
        """Set the phone's UTC clock, to the second."""
        with self._doing("setting its clock"):
            self._session.call(m.CLOCK_WRITE, m.Time(int(now.timestamp())))

    def erase(self, slot: int) -> None:
        """Destroy everything in the slot; the request names the phone's serial number."""
        with self._doing("erasing a slot", slot):
            confirm = f"{self._identity().serial}/{slot}"
            self._session.call(m.ERASE, m.EraseRequest(slot, confirm))

    def identify(self, *, on: bool) -> None:
        """Light, or put out, the lamp."""
        with self._doing("showing itself"):
            self._session.call(m.IDENTIFY, m.IdentifyRequest(on))

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        self._session.close()

    @property
    def _name(self) -> str:
        return self._session.link.name

    def _identity(self) -> m.InfoResponse:
        said = self._session.call(m.INFO, m.Nothing())
        if said.rev != m.REVISION:
            raise ProtocolViolation(self._name, f"it speaks revision {said.rev}, not {m.REVISION}")
        return said

    def _clock(self) -> datetime | None:
        try:
            now = self._session.call(m.CLOCK_READ, m.Nothing()).now
        except Refusal as refusal:
            if refusal.rc != m.Rc.UNSUPPORTED:
                raise
            return None
        return datetime.fromtimestamp(now, UTC)

    def _settings(self) -> PhoneSettings | None:
        uri = self._setting(m.Setting.SIP_URI)
        if not uri:  # what else there is would not be complete without it
            return None
        registrar = self._setting(m.Setting.REGISTRAR)
        url = self._setting(m.Setting.WEB_SERVICES_URL)
        return PhoneSettings(uri, url, registrar) if url else None

    def _setting(self, name: m.Setting) -> str | None:
        ask = m.SettingRequest(SIGN_IN_SLOT, m.SlotPart.ACTIVE, name)
        return self._session.call(m.CONFIGURE_READ, ask).value

    def _configure(self, slot: int, settings: PhoneSettings) -> None:
        """Send the settings for the next commit, in one message if it is not too large."""
        whole = m.ConfigureRequest(
            slot,
            m.When.COMMIT,
            clear=True,
            sip_uri=settings.sip_uri,
            registrar=settings.registrar,
            web_services_url=settings.web_services_url,
        )
        messages = [whole]
        if self._session.size_of(whole) > self._session.buffer:
            empty = m.ConfigureRequest(slot, m.When.COMMIT)
            messages = [
                changed(empty, clear=True, sip_uri=settings.sip_uri),
                changed(empty, web_services_url=settings.web_services_url),
            ]
            messages += [changed(empty, registrar=r) for r in [settings.registrar] if r]
        for message in messages:
            self._session.call(m.CONFIGURE_WRITE, message)

    def _commit(self, parcel: Parcel, chain: bytes | None = None) -> m.CommitResponse:
        answer = self._session.call(
            m.COMMIT,
            m.CommitRequest(
                parcel.kind, parcel.sha, parcel.slot, chain, parcel.nonce, parcel.replace
            ),
        )
        logger.debug("%s: %s committed", self._name, parcel.kind.value)
        return answer

    @contextmanager
    def _doing(self, what: str, slot: int = 0, *, commits: bool = False) -> Iterator[None]:
        """Turn a refusal into the error that says what it means for ``what``; bound its time."""
        try:
            with self._session.within(_LONGEST):
                yield
        except Refusal as refusal:
            attempt = Attempt(self._name, what, slot, commits=commits)
            if refusal.rc == m.Rc.OCCUPIED:
                attempt = changed(attempt, holds=self._holds(slot))
            raise error_of(attempt, refusal) from None

    def _holds(self, slot: int) -> str:
        """Say what a slot holds, or as much as is known when the phone does not tell."""
        try:
            with self._session.within(_LONGEST):
                items = read_items(self._session)
        except Refusal:
            return Attempt.holds
        return holds(list(slot_states(self._name, items, slot + 1))[slot])


def _limits(said: m.InfoResponse) -> ChainLimits | None:
    """Return the limits of its verification; None if INFO has neither field for them."""
    if said.sigs is None and said.rsa_max is None:
        return None
    all_kinds = frozenset(SignatureKind)
    kinds = frozenset(kind for bit, kind in _SIGNATURES.items() if (said.sigs or 0) & bit)
    return ChainLimits(all_kinds if said.sigs is None else kinds, said.rsa_max)


def _nobody(_: int) -> None:
    """Take progress that nobody wants to see."""


class SmpDriver:
    """The family's entry in the driver registry (``usbprov.phone.contract.Driver``)."""

    family = "smp"
    summary = "phones that speak SMP (MCUmgr) with the usbprov command group"

    matches = identity.MATCHES
    detects_only = False

    def open(self, device: AttachedDevice, link: LinkKind | None = None) -> Phone:
        """Open the cable, resynchronise, and agree on sizes and framing; see ``Driver``."""
        session = open_session(device, link)
        try:
            session.start()
        except BaseException:
            session.close()
            raise
        return SmpPhone(device.facts, session)

    def tap(self, kind: LinkKind) -> SmpTap:
        """Return what knows the cable's messages, for whoever records them."""
        return SmpTap(kind)


DRIVER = SmpDriver()
