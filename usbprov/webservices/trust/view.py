"""How a phone sees a server: with its own roots, by its own clock, within its own limits."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from cryptography import x509

from usbprov.errors import ObjectUnreadable, PhoneRefused, Unsupported
from usbprov.phone.contract import Capability, Phone, PhoneInfo
from usbprov.phone.models import chain_limits
from usbprov.pki.certificates import load_certificate, thumbprint
from usbprov.pki.validation import Verdict, Verifier
from usbprov.tape.clock import now
from usbprov.usb.devices import DeviceFacts
from usbprov.webservices.trust.servers import Server


class PhoneView:
    """A phone as a verifier. It is asked for a root only where nobody else knows the digest."""

    def __init__(self, phone: Phone, info: PhoneInfo) -> None:
        """Look through the eyes of ``phone``, whose ``info`` was just read."""
        self._phone = phone
        self._read: dict[str, x509.Certificate | None] = {}
        self.info = info
        self.limits = chain_limits(info)
        self.takes_roots = Capability.TRUST_STORE in info.capabilities
        self.takes_clock = Capability.SET_CLOCK in info.capabilities

    @property
    def facts(self) -> DeviceFacts:
        """Where the phone is attached."""
        return self._phone.facts

    @property
    def name(self) -> str:
        """How the phone is called in messages."""
        return self._phone.facts.name

    def certificates(self) -> dict[str, x509.Certificate | None]:
        """Read the whole trust store: by digest, None where a root cannot be read."""
        for digest in self.info.roots:
            self._root(digest)
        return dict(self._read)

    def judge(
        self, server: Server, known: Iterable[x509.Certificate], *, clock_set: bool = False
    ) -> Verdict:
        """Say what the phone makes of a server, and what it would need to trust it.

        Args:
            server: What it presents.
            known: Certificates that could be installed.
            clock_set: Judge as if the phone's clock were set.
        """
        known = frozenset(known)
        at_hand = {thumbprint(c): c for c in (*known, *server.chain)}
        held = {at_hand[digest] for digest in self.info.roots & at_hand.keys()}
        clock = now() if clock_set and self.takes_clock else self.info.clock
        verdict = self._verdict(frozenset(held), clock, server, known)
        if verdict.trusted:
            return verdict
        rest = {self._root(digest) for digest in self.info.roots - at_hand.keys()} - {None}
        return self._verdict(held.union(c for c in rest if c), clock, server, known)

    def _verdict(
        self,
        store: Iterable[x509.Certificate],
        clock: datetime | None,
        server: Server,
        known: frozenset[x509.Certificate],
    ) -> Verdict:
        verifier = Verifier(frozenset(store), clock, self.limits)
        return verifier.judge(server.chain, server.address.host, known)

    def _root(self, digest: str) -> x509.Certificate | None:
        if digest not in self._read:
            self._read[digest] = None
            with suppress(ObjectUnreadable, PhoneRefused, Unsupported):
                self._read[digest] = load_certificate(self._phone.read_root(digest))
        return self._read[digest]
