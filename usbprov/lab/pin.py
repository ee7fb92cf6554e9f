"""PIN sign-in: extension and PIN in, user out.

Lab choice: how real servers take the PIN on the wire is not publicly known (the specification
has the port and no message). The lab takes a ``wsse:UsernameToken``; everything that a packet
trace may correct is in ``read_pin_credential``.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lxml import etree

from usbprov.lab.names import WSSE
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.store import PinOutcome, PoolStores
from usbprov.lab.users import LabUser

_NUMBER = re.compile(r"\+?[0-9]{1,15}", re.ASCII)
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

    def __init__(self, users: Sequence[LabUser], stores: PoolStores) -> None:
        self._by_extension = {user.extension: user for user in users}
        self._stores = stores

    def authenticate(self, credential: PinCredential) -> LabUser:
        """Return the user.

        Raises:
            SoapFault: No such extension, wrong PIN, or PIN locked; the client is told no
                difference.
        """
        user = self._by_extension.get(credential.number)
        if user is None:
            raise SoapFault(Fault.FAILED_AUTHENTICATION, "unknown extension")
        outcome = self._stores.of(user).try_pin(user, credential.pin)
        if outcome is not PinOutcome.RIGHT:
            raise SoapFault(
                Fault.FAILED_AUTHENTICATION, f"PIN {outcome.value} for extension {user.extension}"
            )
        return user


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
