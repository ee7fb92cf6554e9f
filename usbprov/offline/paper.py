"""A phone on paper: what stands for the phone where the servers are. Its memory is a prepared file.

It fulfils the phone contract, so that the steps of a job do with it what they do with a phone: it
takes a host-made key or has the request of a phone-made one, takes roots and a certificate, and
proves what it can prove. Each of these is in the file, durably, before the call returns; so a job
that is killed goes on with the same key.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from usbprov.errors import CredentialMismatch, PhoneRefused, SlotOccupied, Unsupported
from usbprov.offline.files import SealedFile
from usbprov.offline.package import Package, present
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
from usbprov.pki.keys import from_pkcs8, key_digest
from usbprov.pki.requests import build_request
from usbprov.tape.clock import now
from usbprov.usb.devices import DeviceFacts

_ALWAYS = frozenset({Capability.CONFIGURE})
_OF_THE_PHONE = frozenset({Capability.TRUST_STORE, Capability.SET_CLOCK})
"""What the paper takes on behalf of a phone that can."""
_WITH_KEY = frozenset({Capability.IMPORT_KEY, Capability.PROVE, Capability.SIGN})
"""What needs the private key, which the paper has only where a computer made it."""


class PaperPhone:
    """Fulfils the phone contract for one slot."""

    def __init__(self, file: SealedFile, package: Package) -> None:
        self._file = file
        self.package = package
        self._facts = DeviceFacts("file", file.name, 0, 0)
        self._private: rsa.RSAPrivateKey | None = None

    def _keep(self, package: Package) -> None:
        """Write what there is now; only then is it so."""
        self._file.write(package)
        self.package = package

    # --- what it is

    @property
    def facts(self) -> DeviceFacts:
        """The file in place of a port."""
        return self._facts

    @property
    def may_be_exchanged(self) -> bool:
        """A file stays what it is."""
        return False

    @property
    def _name(self) -> str:
        return self._file.name

    def identity(self) -> PhoneIdentity:
        """Say for which phone it stands."""
        return self.package.phone.identity

    def info(self) -> PhoneInfo:
        """Say what is known of the phone, and what the paper has of it."""
        package, phone = self.package, self.package.phone
        with_key = frozenset() if package.request else _WITH_KEY
        return replace(
            phone,
            capabilities=_ALWAYS | with_key | (phone.capabilities & _OF_THE_PHONE),
            clock=self.read_clock(),
            slots=(*(SlotState(n) for n in range(package.slot)), self._slot()),
            roots=phone.roots | {thumbprint(load_certificate(c)) for c in package.roots},
            settings=package.settings,
        )

    def _slot(self) -> SlotState:
        package = self.package
        if package.certificate is None:
            return SlotState(package.slot, pending_key=package.key)
        used = thumbprint(load_certificate(package.certificate))
        return SlotState(package.slot, package.key, used)

    # --- key and request

    def generate_key(
        self, slot: int, bits: int, nonce: bytes, *, replace: bool, progress: Progress
    ) -> KeyState:
        """Only a phone makes a phone's key."""
        self._cannot("making a key")

    def import_key(self, slot: int, pkcs8: bytes, nonce: bytes, *, replace: bool) -> KeyState:
        """Put the key into the file. One that is there stays, whatever ``replace`` says.

        Raises:
            SlotOccupied: There is one.
        """
        package = self.package
        if package.key is not None:
            raise SlotOccupied(self._name, slot, "a key")
        private = from_pkcs8(pkcs8)
        key = KeyState(key_digest(private.public_key()), nonce)
        self._keep(_with_key(package, key, pkcs8))
        self._private = private
        return key

    def request(self, slot: int, common_name: str) -> bytes:
        """Return the phone's request, or sign one with the key in the file."""
        if self.package.request is not None:
            return self.package.request
        return build_request(self._key("request"), common_name)

    def _key(self, command: str) -> rsa.RSAPrivateKey:
        if self.package.pkcs8 is None:
            raise PhoneRefused(self._name, command, "there is no private key in the file")
        if self._private is None:  # checking a key takes as long as some signatures
            self._private = from_pkcs8(self.package.pkcs8)
        return self._private

    # --- certificate and trust

    def install(
        self, slot: int, credential: Credential, settings: PhoneSettings, progress: Progress
    ) -> None:
        """Put certificate and settings into the file, both at once.

        Raises:
            CredentialMismatch: The certificate is for another key.
        """
        certified = key_digest(load_certificate(credential.certificate).public_key())
        if self.package.key is None or certified != self.package.key.sha256:
            raise CredentialMismatch(self._name, slot, "it is for another key")
        self._keep(replace(self.package, certificate=credential.certificate, settings=settings))

    def read(self, kind: ObjectKind, slot: int) -> bytes:
        """Return the certificate; nothing is kept above it."""
        if self.package.certificate is None:
            raise PhoneRefused(self._name, "read", "there is none")
        return self.package.certificate if kind is ObjectKind.CERTIFICATE else b""

    def carry(self, chain: Sequence[bytes], roots: Sequence[bytes]) -> None:
        """Take along what the server presented, and what leads from it to its root (DER each)."""
        package = self.package
        known = tuple(dict.fromkeys((*roots, *package.roots)))
        if (tuple(chain), known) != (package.server_chain, package.roots):
            made = present()
            self._keep(replace(package, made=made, server_chain=tuple(chain), roots=known))

    def add_root(self, certificate: bytes) -> None:
        """Take a certificate along that the phone is to trust."""
        self.carry(self.package.server_chain, [certificate])

    def read_root(self, sha256: str) -> bytes:
        """Return one of those that it takes along; of the phone's own it knows the digests only."""
        for certificate in self.package.roots:
            if thumbprint(load_certificate(certificate)) == sha256:
                return certificate
        raise PhoneRefused(self._name, "read_root", "only its digest is known")

    # --- proofs

    def prove(self, slot: int, nonce: bytes) -> bytes:
        """Sign with the key in the file."""
        signed = POSSESSION_PREFIX + nonce
        return self._key("prove").sign(signed, padding.PKCS1v15(), hashes.SHA256())

    def sign(self, slot: int, block: bytes) -> bytes:
        """Sign for a handshake with the key in the file."""
        return self._key("sign").sign(block, padding.PKCS1v15(), utils.NoDigestInfo())

    def read_clock(self) -> datetime | None:
        """Say what a clock shows that nobody can set; one that can be set will be right."""
        behind = self.package.clock_behind
        try:
            return None if behind is None else now() - timedelta(seconds=behind)
        except OverflowError:
            return None

    # --- what paper cannot do

    def set_clock(self, now: datetime) -> None:
        """There is no clock on paper."""
        self._cannot("setting a clock")

    def erase(self, slot: int) -> None:
        """The file is its owner's to remove."""
        self._cannot("erasing")

    def identify(self, *, on: bool) -> None:
        """There is no lamp."""
        self._cannot("lighting a lamp")

    def close(self) -> None:
        """Nothing is open."""

    def _cannot(self, what: str) -> NoReturn:
        raise Unsupported(self._name, what)


def _with_key(package: Package, key: KeyState, pkcs8: bytes) -> Package:
    return replace(package, key=key, pkcs8=pkcs8)
