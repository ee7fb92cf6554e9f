"""What the workers of a bench share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usbprov.bench.again import Patience
from usbprov.bench.keypool import KeyPool
from usbprov.bench.leases import Leases
from usbprov.bench.memory import Tidier
from usbprov.bench.pins import PinDesk
from usbprov.bench.secrets import Secrets
from usbprov.bench.servers import Servers
from usbprov.bench.users import Users
from usbprov.engine.order import Order
from usbprov.engine.retry import RetryPolicy
from usbprov.ledger.ledger import Ledger
from usbprov.phone.contract import PhoneIdentity

if TYPE_CHECKING:
    from usbprov.engine.sealing import SealingKeys
    from usbprov.pki.vault.vault import Vault


class Stopped(Exception):
    """Ends a worker whose bench is told to stop; never leaves this package."""


@dataclass(frozen=True)
class Shop:
    """What all workers of a bench share.

    Attributes:
        name: The bench's name.
        order: What every job is to do; user and credential are filled in.
        users: The roster at work.
        secrets: PINs and passwords.
        servers: How the servers are reached.
        keys: Keys made by this computer.
        ledger: What all of it is recorded in.
        leases: The claims.
        patience: Within what bounds a job is tried again.
        retries: The same of a single call.
        places: How many phones are worked on at a time.
        stopped: Set when the bench is to end.
        returned: Is told of a phone that was recognised; it may have been away.
        pins: Has PINs keyed in that no file has, or None.
        vault: Gives the stored key pairs, or None.
        sealing: Gives the key that seals host-made keys, or None.
        tidier: Gives free memory back.
    """

    name: str
    order: Order
    users: Users
    secrets: Secrets
    servers: Servers
    keys: KeyPool
    ledger: Ledger
    leases: Leases
    patience: Patience
    retries: RetryPolicy
    places: threading.BoundedSemaphore
    stopped: threading.Event
    returned: Callable[[PhoneIdentity, str], None]
    pins: PinDesk | None = None
    vault: "Callable[[], Vault] | None" = None
    sealing: "SealingKeys | None" = None
    tidier: Tidier = field(default_factory=Tidier)
