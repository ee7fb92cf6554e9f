"""What the emulated phone remembers through a power cut: immutable records, and how they change.

Every change makes a new ``State``; ``store`` writes it as one file. No I/O here.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from usbprov_drivers.smp.messages import DIGEST, MAX_OBJECT, NONCE, Kind, Setting
from usbprov_drivers.smp.schema import Choice, Data, Int, ListOf, Nested, Text, rule

FORMAT = 1
"""The state file's format number."""

MAX_ROOTS = 64
MAX_SLOTS = 16

_CENTURIES = 400 * 366 * 86400
_OBJECT = rule(Data(MAX_OBJECT))
_VALUE = rule(Text(512, 1))


@dataclass(frozen=True)
class StoredKey:
    """A private key (PKCS#8, DER), the nonce of its maker, the SHA-256 of its public half."""

    pkcs8: bytes = field(metadata=rule(Data(8192)), repr=False)
    nonce: bytes = field(metadata=rule(Data(NONCE, NONCE)))
    sha: bytes = field(metadata=rule(Data(DIGEST, DIGEST)))


@dataclass(frozen=True)
class Settings:
    """A slot's settings; complete with address and URL."""

    sip_uri: str | None = field(default=None, metadata=_VALUE)
    registrar: str | None = field(default=None, metadata=_VALUE)
    web_services_url: str | None = field(default=None, metadata=_VALUE)

    @property
    def complete(self) -> bool:
        """Whether the phone could sign in with them."""
        return bool(self.sip_uri and self.web_services_url)

    def value(self, name: Setting) -> str | None:
        """Return one setting."""
        found: str | None = getattr(self, name.value)
        return found


@dataclass(frozen=True)
class Upload:
    """An object that PUT is transferring, or has; ``data`` is what was received."""

    kind: Kind = field(metadata=rule(Choice(Kind)))
    len: int = field(metadata=rule(Int(MAX_OBJECT)))
    sha: bytes = field(metadata=rule(Data(DIGEST, DIGEST)))
    data: bytes = field(metadata=_OBJECT, repr=False)

    @property
    def whole(self) -> bool:
        """Whether all bytes are there and have the announced digest."""
        return len(self.data) == self.len and sha256(self.data).digest() == self.sha


@dataclass(frozen=True)
class Inbox:
    """What PUT is receiving, or has received, for one slot or for the trust store."""

    uploads: tuple[Upload, ...] = field(default=(), metadata=rule(ListOf(Nested(Upload), 4)))

    def upload(self, kind: Kind) -> Upload | None:
        """Return what there is of a kind."""
        return next((u for u in self.uploads if u.kind is kind), None)

    def with_upload(self, upload: Upload) -> "Inbox":
        """Keep an upload in place of the last of its kind."""
        return Inbox((*self.without_upload(upload.kind).uploads, upload))

    def without_upload(self, kind: Kind) -> "Inbox":
        """Forget the upload of a kind."""
        return Inbox(tuple(u for u in self.uploads if u.kind is not kind))


_KEY = rule(Nested(StoredKey))
_SETTINGS = rule(Nested(Settings))
_INBOX = rule(Nested(Inbox))


@dataclass(frozen=True)
class Slot:
    """A credential slot: active credential, what is pending, what is being received."""

    key: StoredKey | None = field(default=None, metadata=_KEY)
    certificate: bytes | None = field(default=None, metadata=_OBJECT)
    chain: bytes = field(default=b"", metadata=_OBJECT)
    settings: Settings | None = field(default=None, metadata=_SETTINGS)
    pending_key: StoredKey | None = field(default=None, metadata=_KEY)
    pending_settings: Settings | None = field(default=None, metadata=_SETTINGS)
    inbox: Inbox = field(default=Inbox(), metadata=_INBOX)

    @property
    def occupied(self) -> bool:
        """Whether there is any key or certificate, active or pending."""
        return bool(self.key or self.certificate or self.pending_key)

    def with_pending_key(self, key: StoredKey) -> "Slot":
        """Make a key the pending one; whatever else was pending is discarded."""
        return replace(self, pending_key=key, pending_settings=None, inbox=Inbox())

    def committed(self, certificate: bytes, chain: bytes) -> "Slot":
        """Put everything pending in use, together with a certificate and its chain."""
        return Slot(
            key=self.pending_key or self.key,
            certificate=certificate,
            chain=chain,
            settings=self.pending_settings or self.settings,
        )


@dataclass(frozen=True)
class State:
    """All that survives a power cut.

    Attributes:
        rev: Rises with every change.
        clock: What the phone's clock is ahead of the host's, in seconds; negative if behind.
        slots: By number.
        roots: The trust store, DER each, in the order in which they came.
        inbox: Roots that PUT is transferring.
        format: Of the file.
    """

    slots: tuple[Slot, ...] = field(metadata=rule(ListOf(Nested(Slot), MAX_SLOTS, 1)))
    clock: int = field(default=0, metadata=rule(Int(_CENTURIES * 25, -_CENTURIES * 25)))
    roots: tuple[bytes, ...] = field(default=(), metadata=rule(ListOf(Data(MAX_OBJECT), MAX_ROOTS)))
    inbox: Inbox = field(default=Inbox(), metadata=_INBOX)
    rev: int = field(default=0, metadata=rule(Int(0xFFFFFFFF)))
    format: int = field(default=FORMAT, metadata=rule(Int(FORMAT, FORMAT)))

    def with_slot(self, number: int, slot: Slot) -> "State":
        """Put a slot in the place of the one that has its number."""
        return replace(self, slots=(*self.slots[:number], slot, *self.slots[number + 1 :]))

    def inbox_of(self, slot: int | None) -> Inbox:
        """Return a slot's inbox, or that of the trust store for None."""
        return self.inbox if slot is None else self.slots[slot].inbox

    def with_inbox(self, slot: int | None, inbox: Inbox) -> "State":
        """Put a changed inbox in its place."""
        if slot is None:
            return replace(self, inbox=inbox)
        return self.with_slot(slot, replace(self.slots[slot], inbox=inbox))

    def root(self, sha: bytes) -> bytes | None:
        """Return the trusted root with this SHA-256."""
        return next((root for root in self.roots if sha256(root).digest() == sha), None)
