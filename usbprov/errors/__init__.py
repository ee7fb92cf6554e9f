"""One tree of errors.

Every class says in its docstring when it is raised, carries the facts as typed fields, and has
a stable code, an exit code, a likely cause and a remedy. ``docs/errors.md`` has one section a
code and is generated from this module.

::

    UsbprovError
    ├── UsageError ─ ConfigInvalid
    ├── UsbError ─ NoPhone, NoSuchPhone, AmbiguousPhone, BusUnavailable, PhoneBusy, AccessDenied,
    │              PhoneGone, LinkTimeout, LinkBroken, NoDriver, NoSuchLink
    ├── PhoneError ─ ProtocolViolation, PhoneRefused, SlotOccupied, KeyGenerationFailed,
    │                Unsupported, TransferCorrupt, CredentialMismatch, PhoneChanged,
    │                NoPublicProtocol, NothingToProvision
    ├── HostError ─ RulesNotChanged, LocksUnusable, ChecksFailed
    ├── CallError ─ ServiceError, RegistrarError
    │   ├── ServiceError ─ ServerUnreachable, ServerTimeout, ServerFailed, RequestRefused,
    │                      CredentialRefused, WrongUser, AnswerInvalid, NotOffered,
    │                      StoreUnreachable, ServerBusy, RegistrarUnavailable, RedirectRefused
    │   │   └── CredentialRefused ─ PinLocked, PinUnset, NumberShared
    │   └── RegistrarError ─ RegistrarUnreachable, RegistrarTimeout, RegistrarFailed,
    │                        SignInRefused, CertificateNotAccepted, AccountNotAccepted,
    │                        UserUnknown, UserNotAllowed, SchemeNotOffered, RegistrarUnproved,
    │                        RegistrarAnswerInvalid, RedirectsEndless, HandshakeNotAgreed
    ├── TrustError ─ ChainUntrusted, NameMismatch, ServerCertificateExpired, HandshakeFailed,
    │                PhoneDistrusts, PhoneCannotVerify, SourceUnverified
    ├── DirectoryError ─ DirectoryUnreachable, DirectoryRefused
    ├── CheckFailed ─ CertificateUnfit, ReadBackDiffers, PossessionUnproved, ObjectUnreadable,
    │                 InstalledUnfit
    ├── LedgerError ─ LedgerUnusable, LedgerTooNew, NoSuchJob, LedgerAltered, LedgerHashUnknown,
    │                 LedgerAddressInvalid, LedgerDependencyMissing, LedgerUnreached,
    │                 LedgerSignInRefused, LedgerDenied, LedgerBusy, LedgerNotDurable
    ├── JobError ─ Interrupted, JobBusy, SomeFailed
    ├── RosterError ─ RosterUnreadable, RosterInvalid, SecretsUnsafe, SecretsInvalid,
    │                 SecretMissing, WorkbookSupportMissing
    ├── ReportError ─ ReportSupportMissing, ReportNotWritten, NothingToReport
    ├── PortMapError ─ PortMapInvalid, PortMapNotSaved
    ├── ScanError ─ ScanUnknown, ScanOutOfTurn, ScanRefused
    ├── BenchError ─ ClaimLost, ClaimedElsewhere, NoUserForPhone, BenchRuns, NoSuchPort, NotNow,
    │                LeftOut, PinUnusable, BenchStopped
    ├── BoardError ─ BoardUnusable, BoardDependencyMissing
    ├── DiscoveryError ─ NothingFound, DhcpNotPermitted, OptionInvalid, RegistrarNotFound
    ├── TapeError ─ BundleInvalid, NothingRecorded, NotOnTape, ReplayDiffers, BundleNotWritten
    └── LabError ─ LabUnusable, LabDependencyMissing, GadgetUnusable
"""

from usbprov.errors.base import CallError, ExitCode, UsbprovError
from usbprov.errors.bench import (
    BenchError,
    BenchRuns,
    BenchStopped,
    ClaimedElsewhere,
    ClaimLost,
    LeftOut,
    NoSuchPort,
    NotNow,
    NoUserForPhone,
    PinUnusable,
)
from usbprov.errors.board import BoardDependencyMissing, BoardError, BoardUnusable
from usbprov.errors.cable import (
    AccessDenied,
    AmbiguousPhone,
    BusUnavailable,
    LinkBroken,
    LinkTimeout,
    NoDriver,
    NoPhone,
    NoSuchLink,
    NoSuchPhone,
    PhoneBusy,
    PhoneGone,
    UsbError,
)
from usbprov.errors.checks import (
    CertificateUnfit,
    CheckFailed,
    InstalledUnfit,
    ObjectUnreadable,
    PossessionUnproved,
    ReadBackDiffers,
)
from usbprov.errors.directory import DirectoryError, DirectoryRefused, DirectoryUnreachable
from usbprov.errors.discovery import (
    DhcpNotPermitted,
    DiscoveryError,
    NothingFound,
    OptionInvalid,
    RegistrarNotFound,
)
from usbprov.errors.host import ChecksFailed, HostError, LocksUnusable, RulesNotChanged
from usbprov.errors.job import Interrupted, JobBusy, JobError, SomeFailed
from usbprov.errors.lab import GadgetUnusable, LabDependencyMissing, LabError, LabUnusable
from usbprov.errors.ledger import (
    LedgerAddressInvalid,
    LedgerAltered,
    LedgerBusy,
    LedgerDenied,
    LedgerDependencyMissing,
    LedgerError,
    LedgerHashUnknown,
    LedgerNotDurable,
    LedgerSignInRefused,
    LedgerTooNew,
    LedgerUnreached,
    LedgerUnusable,
    NoSuchJob,
)
from usbprov.errors.phone import (
    CredentialMismatch,
    KeyGenerationFailed,
    NoPublicProtocol,
    NothingToProvision,
    PhoneChanged,
    PhoneError,
    PhoneRefused,
    ProtocolViolation,
    SlotOccupied,
    TransferCorrupt,
    Unsupported,
)
from usbprov.errors.portmap import PortMapError, PortMapInvalid, PortMapNotSaved
from usbprov.errors.registrar import (
    AccountNotAccepted,
    CertificateNotAccepted,
    HandshakeNotAgreed,
    RedirectsEndless,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarFailed,
    RegistrarTimeout,
    RegistrarUnproved,
    RegistrarUnreachable,
    SchemeNotOffered,
    SignInRefused,
    UserNotAllowed,
    UserUnknown,
)
from usbprov.errors.report import (
    NothingToReport,
    ReportError,
    ReportNotWritten,
    ReportSupportMissing,
)
from usbprov.errors.roster import (
    RosterError,
    RosterInvalid,
    RosterUnreadable,
    SecretMissing,
    SecretsInvalid,
    SecretsUnsafe,
    WorkbookSupportMissing,
)
from usbprov.errors.scan import ScanError, ScanOutOfTurn, ScanRefused, ScanUnknown
from usbprov.errors.services import (
    AnswerInvalid,
    CredentialRefused,
    NotOffered,
    NumberShared,
    PinLocked,
    PinUnset,
    RedirectRefused,
    RegistrarUnavailable,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    StoreUnreachable,
    WrongUser,
)
from usbprov.errors.tape import (
    BundleInvalid,
    BundleNotWritten,
    NothingRecorded,
    NotOnTape,
    ReplayDiffers,
    TapeError,
)
from usbprov.errors.trust import (
    ChainUntrusted,
    HandshakeFailed,
    NameMismatch,
    PhoneCannotVerify,
    PhoneDistrusts,
    ServerCertificateExpired,
    SourceUnverified,
    TrustError,
)
from usbprov.errors.usage import ConfigInvalid, UsageError

__all__ = [
    "AccessDenied",
    "AccountNotAccepted",
    "AmbiguousPhone",
    "AnswerInvalid",
    "BenchError",
    "BenchRuns",
    "BenchStopped",
    "BoardDependencyMissing",
    "BoardError",
    "BoardUnusable",
    "BundleInvalid",
    "BundleNotWritten",
    "BusUnavailable",
    "CallError",
    "CertificateNotAccepted",
    "CertificateUnfit",
    "ChainUntrusted",
    "CheckFailed",
    "ChecksFailed",
    "ClaimLost",
    "ClaimedElsewhere",
    "ConfigInvalid",
    "CredentialMismatch",
    "CredentialRefused",
    "DhcpNotPermitted",
    "DirectoryError",
    "DirectoryRefused",
    "DirectoryUnreachable",
    "DiscoveryError",
    "ExitCode",
    "GadgetUnusable",
    "HandshakeFailed",
    "HandshakeNotAgreed",
    "HostError",
    "InstalledUnfit",
    "Interrupted",
    "JobBusy",
    "JobError",
    "KeyGenerationFailed",
    "LabDependencyMissing",
    "LabError",
    "LabUnusable",
    "LedgerAddressInvalid",
    "LedgerAltered",
    "LedgerBusy",
    "LedgerDenied",
    "LedgerDependencyMissing",
    "LedgerError",
    "LedgerHashUnknown",
    "LedgerNotDurable",
    "LedgerSignInRefused",
    "LedgerTooNew",
    "LedgerUnreached",
    "LedgerUnusable",
    "LeftOut",
    "LinkBroken",
    "LinkTimeout",
    "LocksUnusable",
    "NameMismatch",
    "NoDriver",
    "NoPhone",
    "NoPublicProtocol",
    "NoSuchJob",
    "NoSuchLink",
    "NoSuchPhone",
    "NoSuchPort",
    "NoUserForPhone",
    "NotNow",
    "NotOffered",
    "NotOnTape",
    "NothingFound",
    "NothingRecorded",
    "NothingToProvision",
    "NothingToReport",
    "NumberShared",
    "ObjectUnreadable",
    "OptionInvalid",
    "PhoneBusy",
    "PhoneCannotVerify",
    "PhoneChanged",
    "PhoneDistrusts",
    "PhoneError",
    "PhoneGone",
    "PhoneRefused",
    "PinLocked",
    "PinUnset",
    "PinUnusable",
    "PortMapError",
    "PortMapInvalid",
    "PortMapNotSaved",
    "PossessionUnproved",
    "ProtocolViolation",
    "ReadBackDiffers",
    "RedirectRefused",
    "RedirectsEndless",
    "RegistrarAnswerInvalid",
    "RegistrarError",
    "RegistrarFailed",
    "RegistrarNotFound",
    "RegistrarTimeout",
    "RegistrarUnavailable",
    "RegistrarUnproved",
    "RegistrarUnreachable",
    "ReplayDiffers",
    "ReportError",
    "ReportNotWritten",
    "ReportSupportMissing",
    "RequestRefused",
    "RosterError",
    "RosterInvalid",
    "RosterUnreadable",
    "RulesNotChanged",
    "ScanError",
    "ScanOutOfTurn",
    "ScanRefused",
    "ScanUnknown",
    "SchemeNotOffered",
    "SecretMissing",
    "SecretsInvalid",
    "SecretsUnsafe",
    "ServerBusy",
    "ServerCertificateExpired",
    "ServerFailed",
    "ServerTimeout",
    "ServerUnreachable",
    "ServiceError",
    "SignInRefused",
    "SlotOccupied",
    "SomeFailed",
    "SourceUnverified",
    "StoreUnreachable",
    "TapeError",
    "TransferCorrupt",
    "TrustError",
    "Unsupported",
    "UsageError",
    "UsbError",
    "UsbprovError",
    "UserNotAllowed",
    "UserUnknown",
    "WorkbookSupportMissing",
    "WrongUser",
]
