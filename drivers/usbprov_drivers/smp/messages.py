"""The commands of PROTOCOL.md 3 and 4 as data: numbers, fields, time limits, what may be repeated.

No I/O. One ``Command`` a row of the protocol's tables; requests and responses are records of
``schema``. The host's session and the emulated phone both read these tables and nothing else.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from typing import Generic, TypeVar

from usbprov_drivers.smp.schema import (
    Choice,
    Data,
    Flag,
    Int,
    ListOf,
    Nested,
    Record,
    Text,
    rule,
)
from usbprov_drivers.smp.wire import Op

OS_GROUP = 0
GROUP = 0x0550
"""The private command group of this protocol (1360)."""
REVISION = 1
MAX_OBJECT = 65536
"""The largest object that PUT and GET carry, in bytes."""
MAX_TIME = 253402300799
"""9999-12-31T23:59:59Z, in seconds since 1970."""
NONCE = 16
DIGEST = 32


class Rc(IntEnum):
    """Error codes of the group (PROTOCOL.md 5)."""

    UNKNOWN = 1
    INVALID = 2
    NO_SUCH_SLOT = 3
    OCCUPIED = 4
    EMPTY = 5
    BUSY = 6
    UNSUPPORTED = 7
    NO_SUCH_JOB = 8
    HASH_MISMATCH = 9
    TOO_LARGE = 10
    UNREADABLE = 11
    KEY_MISMATCH = 12
    NOT_VALID_NOW = 13
    BLOCK_REFUSED = 14
    NOT_CONFIRMED = 15
    STORAGE = 16
    KEYGEN_FAILED = 17
    NOT_STAGED = 18


class MgmtRc(IntEnum):
    """Error codes of the message layer and the standard groups (PROTOCOL.md 3.4)."""

    OK = 0
    UNKNOWN = 1
    INVALID = 3
    MESSAGE_SIZE = 7
    NOT_SUPPORTED = 8
    BUSY = 10
    TOO_OLD = 12


class Caps(IntFlag):
    """INFO's ``caps`` (PROTOCOL.md 4.0)."""

    GENERATE_KEY = 1
    IMPORT_KEY = 2
    TRUST_STORE = 4
    SET_CLOCK = 8
    CONFIGURE = 16
    PROVE = 32
    SIGN = 64
    IDENTIFY = 128


class Sigs(IntFlag):
    """INFO's ``sigs``: signatures that it verifies in a server's chain (PROTOCOL.md 4.0)."""

    RSA_SHA1 = 1
    RSA_SHA2 = 2
    RSA_PSS = 4
    ECDSA = 8


class Framings(IntFlag):
    """INFO's ``framings``: what it takes on a serial line besides console framing (6.3, 6.4)."""

    COBS = 1


class Kind(Enum):
    """What PUT, COMMIT and GET carry."""

    CERT = "cert"
    CHAIN = "chain"
    ROOT = "root"
    KEY = "key"


class SlotPart(Enum):
    """The two halves of a slot (PROTOCOL.md 2.1)."""

    ACTIVE = "active"
    PENDING = "pending"


class JobState(Enum):
    """How a key generation stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class When(Enum):
    """When CONFIGURE's settings take effect."""

    COMMIT = "commit"
    NOW = "now"


class Setting(Enum):
    """The names of a slot's settings."""

    SIP_URI = "sip_uri"
    REGISTRAR = "registrar"
    WEB_SERVICES_URL = "web_services_url"


_U32 = rule(Int(0xFFFFFFFF))
_SLOT = rule(Int(255))
_SIZE = rule(Int(MAX_OBJECT))
_SHA = rule(Data(DIGEST, DIGEST))
_NONCE = rule(Data(NONCE, NONCE))
_FLAG = rule(Flag())
_KIND = rule(Choice(Kind))
_DATA = rule(Data(MAX_OBJECT))
_LABEL = rule(Text(24))
_TIME = rule(Int(MAX_TIME))
_SETTING = rule(Text(512, 1))


@dataclass(frozen=True)
class Nothing:
    """An empty map."""


# --- the OS group ------------------------------------------------------------------------------


@dataclass(frozen=True)
class EchoRequest:
    """Text to be sent back."""

    d: str = field(metadata=rule(Text(128)))


@dataclass(frozen=True)
class EchoResponse:
    """The text of the request."""

    r: str = field(metadata=rule(Text(128)))


@dataclass(frozen=True)
class ResetRequest:
    """MCUmgr's options, without effect here."""

    force: int | None = field(default=None, metadata=rule(Int(1)))
    boot_mode: int | None = field(default=None, metadata=rule(Int(255)))


@dataclass(frozen=True)
class ParametersResponse:
    """Sizes in bytes: ``buf_size`` includes the header."""

    buf_size: int = field(metadata=rule(Int(0xFFFFFFFF, 1)))
    buf_count: int = field(metadata=rule(Int(0xFFFFFFFF)))


# --- the usbprov group -------------------------------------------------------------------------


@dataclass(frozen=True)
class InfoResponse:
    """Who the phone is and what it can do; ``max`` in bytes, ``bits`` are RSA modulus lengths.

    ``sigs`` and ``rsa_max`` are the limits of what it verifies; without them it says nothing.
    ``framings`` is what it takes on a serial line besides console framing.
    """

    rev: int = field(metadata=rule(Int(255, 1)))
    vendor: str = field(metadata=_LABEL)
    model: str = field(metadata=_LABEL)
    fw: str = field(metadata=_LABEL)
    serial: str = field(metadata=_LABEL)
    mac: bytes = field(metadata=rule(Data(6, 6)))
    slots: int = field(metadata=rule(Int(256, 1)))
    caps: int = field(metadata=_U32)
    bits: tuple[int, ...] = field(metadata=rule(ListOf(Int(4096, 2048), 8, 1)))
    max: int = field(metadata=rule(Int(MAX_OBJECT, 4096)))
    sigs: int | None = field(default=None, metadata=_U32)
    rsa_max: int | None = field(default=None, metadata=rule(Int(65536, 1024)))
    framings: int | None = field(default=None, metadata=_U32)


@dataclass(frozen=True)
class KeygenRequest:
    """Which key to make, and the host's nonce for it."""

    slot: int = field(metadata=_SLOT)
    bits: int = field(metadata=rule(Int(16384)))
    nonce: bytes = field(metadata=_NONCE)
    replace: bool = field(metadata=_FLAG)


@dataclass(frozen=True)
class KeygenResponse:
    """The job to poll; with ``key``, the key is there already."""

    job: int = field(metadata=_U32)
    key: bytes | None = field(default=None, metadata=_SHA)


@dataclass(frozen=True)
class JobRequest:
    """A job of KEYGEN."""

    job: int = field(metadata=_U32)


@dataclass(frozen=True)
class JobResponse:
    """``pct`` from 0 to 100; ``key`` when done, ``error`` (see ``Rc``) when failed."""

    state: JobState = field(metadata=rule(Choice(JobState)))
    pct: int = field(metadata=rule(Int(100)))
    nonce: bytes = field(metadata=_NONCE)
    key: bytes | None = field(default=None, metadata=_SHA)
    error: int | None = field(default=None, metadata=_U32)


@dataclass(frozen=True)
class CsrRequest:
    """The common name to ask a certificate for."""

    slot: int = field(metadata=_SLOT)
    cn: str = field(metadata=rule(Text(256, 1)))
    off: int = field(default=0, metadata=_SIZE)


@dataclass(frozen=True)
class PieceResponse:
    """A piece of a result (PROTOCOL.md 2.4): where it begins; length and SHA-256 of the whole."""

    off: int = field(metadata=_SIZE)
    len: int = field(metadata=_SIZE)
    sha: bytes = field(metadata=_SHA)
    data: bytes = field(metadata=_DATA)


@dataclass(frozen=True)
class PutRequest:
    """A piece of an object (PROTOCOL.md 2.3); ``nonce`` and ``replace`` for a key only."""

    kind: Kind = field(metadata=_KIND)
    off: int = field(metadata=_SIZE)
    len: int = field(metadata=rule(Int(MAX_OBJECT, 1)))
    sha: bytes = field(metadata=_SHA)
    data: bytes = field(metadata=_DATA, repr=False)
    slot: int | None = field(default=None, metadata=_SLOT)
    nonce: bytes | None = field(default=None, metadata=_NONCE)
    replace: bool | None = field(default=None, metadata=_FLAG)


@dataclass(frozen=True)
class PutResponse:
    """The offset that the phone wants next."""

    off: int = field(metadata=_SIZE)


@dataclass(frozen=True)
class CommitRequest:
    """The object to put in use, by its SHA-256; ``chain`` is the digest of the chain with it."""

    kind: Kind = field(metadata=_KIND)
    sha: bytes = field(metadata=_SHA)
    slot: int | None = field(default=None, metadata=_SLOT)
    chain: bytes | None = field(default=None, metadata=_SHA)
    nonce: bytes | None = field(default=None, metadata=_NONCE)
    replace: bool | None = field(default=None, metadata=_FLAG)


@dataclass(frozen=True)
class CommitResponse:
    """What is in use now; ``key`` is the digest of the key now active, or pending for a key."""

    sha: bytes = field(metadata=_SHA)
    key: bytes | None = field(default=None, metadata=_SHA)


@dataclass(frozen=True)
class ListRequest:
    """From which item on."""

    start: int = field(default=0, metadata=rule(Int(65535)))


@dataclass(frozen=True)
class Item:
    """Something that the phone holds; ``kind`` may be a word that this revision does not know."""

    kind: str = field(metadata=rule(Text(24)))
    sha: bytes = field(metadata=_SHA)
    state: SlotPart | None = field(default=None, metadata=rule(Choice(SlotPart)))
    slot: int | None = field(default=None, metadata=_SLOT)
    nonce: bytes | None = field(default=None, metadata=_NONCE)
    not_after: int | None = field(default=None, metadata=_TIME)


@dataclass(frozen=True)
class ListResponse:
    """A page of items; ``rev`` differs when anything listed has changed."""

    rev: int = field(metadata=_U32)
    items: tuple[Item, ...] = field(metadata=rule(ListOf(Nested(Item), 512)))
    next: int | None = field(default=None, metadata=rule(Int(65535, 1)))


@dataclass(frozen=True)
class GetRequest:
    """An active object of a slot, or a root by its SHA-256."""

    kind: Kind = field(metadata=_KIND)
    slot: int | None = field(default=None, metadata=_SLOT)
    sha: bytes | None = field(default=None, metadata=_SHA)
    off: int = field(default=0, metadata=_SIZE)


@dataclass(frozen=True)
class ProveRequest:
    """The nonce that follows the fixed prefix."""

    slot: int = field(metadata=_SLOT)
    nonce: bytes = field(metadata=_NONCE)
    off: int = field(default=0, metadata=_SIZE)


@dataclass(frozen=True)
class EraseRequest:
    """``confirm`` is serial number, solidus, slot number."""

    slot: int = field(metadata=_SLOT)
    confirm: str = field(metadata=rule(Text(64)))


@dataclass(frozen=True)
class SignRequest:
    """The block to sign: 36 or 51 bytes."""

    slot: int = field(metadata=_SLOT)
    block: bytes = field(metadata=rule(Data(51)))
    off: int = field(default=0, metadata=_SIZE)


@dataclass(frozen=True)
class Time:
    """Seconds since 1970-01-01T00:00:00Z."""

    now: int = field(metadata=_TIME)


@dataclass(frozen=True)
class ConfigureRequest:
    """Settings to add to those pending or in force; ``clear`` forgets those first."""

    slot: int = field(metadata=_SLOT)
    when: When = field(metadata=rule(Choice(When)))
    clear: bool | None = field(default=None, metadata=_FLAG)
    sip_uri: str | None = field(default=None, metadata=_SETTING)
    registrar: str | None = field(default=None, metadata=_SETTING)
    web_services_url: str | None = field(default=None, metadata=_SETTING)


@dataclass(frozen=True)
class SettingRequest:
    """Which setting to read."""

    slot: int = field(metadata=_SLOT)
    state: SlotPart = field(metadata=rule(Choice(SlotPart)))
    name: Setting = field(metadata=rule(Choice(Setting)))


@dataclass(frozen=True)
class SettingResponse:
    """Its value, or None where it is not set."""

    value: str | None = field(default=None, metadata=_SETTING)


@dataclass(frozen=True)
class IdentifyRequest:
    """Lamp on or off."""

    on: bool = field(metadata=_FLAG)


# --- the table ---------------------------------------------------------------------------------

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)


@dataclass(frozen=True)
class Command(Generic[Q, A]):
    """One row of the protocol's tables.

    Attributes:
        name: As in PROTOCOL.md; used in errors and logs.
        op: READ or WRITE.
        group: Group number.
        number: Command number within the group.
        request: The request's record.
        answer: The response's record.
        limit: Seconds after which the host gives up.
        again: Whether it may be sent once more when no answer came.
    """

    name: str
    op: Op
    group: int
    number: int
    request: type[Q]
    answer: type[A]
    limit: float
    again: bool = True


_R, _W = Op.READ, Op.WRITE

ECHO = Command("echo", _W, OS_GROUP, 0, EchoRequest, EchoResponse, 2)
RESET = Command("reset", _W, OS_GROUP, 5, ResetRequest, Nothing, 2, again=False)
PARAMETERS = Command("parameters", _R, OS_GROUP, 6, Nothing, ParametersResponse, 2)

INFO = Command("INFO", _R, GROUP, 0, Nothing, InfoResponse, 2)
KEYGEN = Command("KEYGEN", _W, GROUP, 1, KeygenRequest, KeygenResponse, 5)
JOB = Command("JOB", _R, GROUP, 2, JobRequest, JobResponse, 2)
CSR = Command("CSR", _R, GROUP, 3, CsrRequest, PieceResponse, 20)
PUT = Command("PUT", _W, GROUP, 4, PutRequest, PutResponse, 10)
COMMIT = Command("COMMIT", _W, GROUP, 5, CommitRequest, CommitResponse, 20)
LIST = Command("LIST", _R, GROUP, 6, ListRequest, ListResponse, 5)
GET = Command("GET", _R, GROUP, 7, GetRequest, PieceResponse, 5)
PROVE = Command("PROVE", _W, GROUP, 8, ProveRequest, PieceResponse, 20)
ERASE = Command("ERASE", _W, GROUP, 9, EraseRequest, Nothing, 20, again=False)
SIGN = Command("SIGN", _W, GROUP, 10, SignRequest, PieceResponse, 20)
CLOCK_READ = Command("CLOCK", _R, GROUP, 11, Nothing, Time, 5)
CLOCK_WRITE = Command("CLOCK", _W, GROUP, 11, Time, Nothing, 5)
CONFIGURE_READ = Command("CONFIGURE", _R, GROUP, 12, SettingRequest, SettingResponse, 10)
CONFIGURE_WRITE = Command("CONFIGURE", _W, GROUP, 12, ConfigureRequest, Nothing, 10)
IDENTIFY = Command("IDENTIFY", _W, GROUP, 13, IdentifyRequest, Nothing, 2)
