"""What a look at a phone is told to look at, and what it has seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from usbprov.engine.checks.network import Network
from usbprov.engine.recovery.facts import Facts
from usbprov.engine.recovery.remembered import KeptCertificate, Unfinished, Wish
from usbprov.errors import UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord
from usbprov.phone.contract import Phone, PhoneIdentity, PhoneInfo

Lines = tuple[tuple[str, str], ...]
"""What was seen, for people: names and words."""


@dataclass(frozen=True)
class StoredPair:
    """A pair in the vault that belongs to a phone: its user (SIP URI), and its key's digest."""

    user: str
    sha256: str


@dataclass(frozen=True)
class Inquest:
    """What is looked at, and by what means.

    Attributes:
        phone: The phone, open.
        ledger: What this computer did before.
        network: Reaches the servers; None: no server is asked.
        wish: What the caller says.
        has_secret: Says whether something but the phone's certificate can prove the user; asked
            only where that counts.
        stored: Returns the pairs that the vault has for a phone; no passphrase is needed for that.
        slot: The slot that is looked at.
        may_replace: Whether what is in the slot may be replaced.
    """

    phone: Phone
    ledger: Ledger
    network: Network | None = None
    wish: Wish = field(default_factory=Wish)
    has_secret: Callable[[], bool] = lambda: False
    stored: Callable[[PhoneIdentity], Sequence[StoredPair]] = lambda _phone: ()
    slot: int = 0
    may_replace: bool = False


@dataclass(frozen=True)
class Sight:
    """What was seen.

    Attributes:
        name: How the phone is called in messages.
        facts: For the table.
        info: What the phone says of itself.
        lines: What was seen, for people.
        wish: Whose phone it is to be, and its servers: the caller's word, then the ledger's, then
            the phone's own settings.
        certificate: The one in use (DER), if it can be read.
        holder: The user whom it names.
        unfinished: The job to go on with.
        kept: A certificate of the ledger that the phone lacks.
        stored: The vault's pair of user and phone.
        restorable: A certificate of the ledger for that pair.
        trouble: Why the Web Services cannot be asked.
        last: The phone's newest job that came to anything.
    """

    name: str
    facts: Facts
    info: PhoneInfo
    lines: Lines
    wish: Wish
    certificate: bytes | None = None
    holder: str | None = None
    unfinished: Unfinished | None = None
    kept: KeptCertificate | None = None
    stored: StoredPair | None = None
    restorable: KeptCertificate | None = None
    trouble: UsbprovError | None = None
    last: JobRecord | None = None
