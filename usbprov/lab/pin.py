"""PIN sign-in: extension and PIN in, user out.

Lab choice: how real servers take the PIN on the wire is not publicly known (the specification
has the port and no message). The lab takes a ``wsse:UsernameToken``; everything that a packet
trace may correct is in ``read_pin_credential``.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.names import WSSE
from usbprov.lab.policy import Policy
from usbprov.lab.refusals import Refusal
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.store import PinOutcome, PoolStores
from usbprov.lab.users import LabUser

_NUMBER = re.compile(r"\+?[0-9]{1,15}((;ext=|x)[0-9]{1,15})?", re.ASCII)
"""Extension, phone number, or both: ``+14255550123;ext=1001``, ``+14255550123x1001``."""
_LONGEST = 200


@dataclass(frozen=True)
class PinCredential:
    """What was keyed in at the phone."""

    number: str
    pin: str = field(repr=False)


def read_pin_credential(security: etree._Element | None) -> PinCredential:
    """Read extension and PIN from ``wsse:UsernameToken``: both as text, or both in base64.

    The two cannot be confused: the base64 form of digits is never digits alone.

    Raises:
        SoapFault: They are not there.
    """
    token = None if security is None else only_child(security, WSSE, "UsernameToken")
    if token is None:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "no UsernameToken")
    number = text_of(only_child(token, WSSE, "Username"))
    pin = text_of(only_child(token, WSSE, "Password"))
    if not _NUMBER.fullmatch(number):
        number, pin = _decoded(number), _decoded(pin)
    if not _NUMBER.fullmatch(number) or not 0 < len(pin) <= _LONGEST:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "no extension and PIN")
    return PinCredential(number, pin)


class PinAuthentication:
    """Finds the user of a credential, and locks PINs that are guessed at."""

    def __init__(
        self, users: Sequence[LabUser], stores: PoolStores, faults: Faults, policy: Policy
    ) -> None:
        self._users = tuple(users)
        self._stores = stores
        self._faults = faults
        self._policy = policy

    def authenticate(self, credential: PinCredential) -> LabUser:
        """Return the user.

        Several users may have one number: then the PIN tells them apart. If two of them have the
        same PIN too, number and extension are needed.

        Raises:
            SoapFault: No such extension or a wrong PIN, between which the client is told no
                difference; or the PIN is locked, not set or expired, or the number is shared.
        """
        self._misbehave()
        meant = [user for user in self._users if credential.number in _numbers(user)]
        if not meant:
            raise SoapFault(Fault.FAILED_AUTHENTICATION, "unknown extension")
        if not any(self._has_pin(user) for user in meant):
            raise _refused(Refusal.PIN_UNSET, meant[0])
        right = [user for user in meant if self._has_pin(user) and _same(user.pin, credential.pin)]
        if len(right) > 1:
            raise _refused(Refusal.NUMBER_SHARED, right[0])
        self._count(right or meant, credential)
        if right[0].pin_state == "expired":
            raise _refused(Refusal.PIN_EXPIRED, right[0])
        return right[0]

    def _misbehave(self) -> None:
        for name, refusal in _FAULTS.items():
            if self._faults.take(name):
                raise SoapFault(Fault.FAILED_AUTHENTICATION, f"fault {name.value}", refusal)

    def _has_pin(self, user: LabUser) -> bool:
        return user.pin_state != "unset" and len(user.pin) >= self._policy.pin_digits

    def _count(self, users: Sequence[LabUser], credential: PinCredential) -> None:
        """Keep the count of wrong tries; a wrong PIN counts for all who may have been meant."""
        outcomes = {
            self._stores.of(user).try_pin(user, credential.pin, self._policy.pin_tries)
            for user in users
        }
        if outcomes == {PinOutcome.LOCKED}:
            raise _refused(Refusal.PIN_LOCKED, users[0])
        if outcomes != {PinOutcome.RIGHT}:
            note = f"wrong PIN for extension {users[0].extension}"
            raise SoapFault(Fault.FAILED_AUTHENTICATION, note)


_FAULTS: Mapping[FaultName, Refusal] = {
    FaultName.PIN_LOCKED: Refusal.PIN_LOCKED,
    FaultName.PIN_UNSET: Refusal.PIN_UNSET,
    FaultName.PIN_EXPIRED: Refusal.PIN_EXPIRED,
    FaultName.NUMBER_SHARED: Refusal.NUMBER_SHARED,
}


def _refused(refusal: Refusal, user: LabUser) -> SoapFault:
    note = f"{refusal.name} for extension {user.extension}"
    return SoapFault(Fault.FAILED_AUTHENTICATION, note, refusal)


def _numbers(user: LabUser) -> frozenset[str]:
    """Return everything that may be keyed in for a user."""
    number, extension = user.phone_number, user.extension
    both = (f"{number};ext={extension}", f"{number}x{extension}")
    return frozenset({extension, *((number, *both) if number else ())})


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
