"""Which of the lab's two Registrars serves a user."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.store import PoolStores
from usbprov.lab.users import LabUser


class Seat(Enum):
    """One of the two ports.

    The first is the Registrar that clients are told: of all pools that users had when the lab
    started. The other is that of all other pools, into which users are moved.
    """

    FIRST = "first"
    OTHER = "other"

    @property
    def opposite(self) -> "Seat":
        """The other one."""
        return Seat.OTHER if self is Seat.FIRST else Seat.FIRST


@dataclass(frozen=True)
class Homes:
    """Knows where users are at home.

    Attributes:
        addresses: ``host:port`` of both.
        pools: Those of the first.
        stores: Know the present pool of a user.
        faults: What goes wrong.
    """

    addresses: Mapping[Seat, str]
    pools: Collection[str]
    stores: PoolStores
    faults: Faults

    def redirect(self, user: LabUser, seat: Seat) -> str | None:
        """Return the Registrar to which a user must be sent; None if he is at home here."""
        home = self._home(user, seat)
        return None if home is seat else self.addresses[home]

    def _home(self, user: LabUser, seat: Seat) -> Seat:
        if self.faults.is_on(FaultName.REDIRECT_ENDLESS):
            return seat.opposite
        if self.faults.is_on(FaultName.HOME_POOL_MOVED):
            return Seat.OTHER
        return Seat.FIRST if self.stores.of(user).pool in self.pools else Seat.OTHER
