"""The user who signs in, as SIP writes him."""

import re
from dataclasses import dataclass
from typing import Self

from usbprov.errors import UsageError

_ADDRESS = re.compile(r"(?:sips?:)?([^\s@<>\"\\,;:?\x00-\x1f\x7f]+)@([\w.-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class SipUser:
    """A user.

    Attributes:
        uri: ``sip:alice@contoso.com``.
        domain: ``contoso.com``.
    """

    uri: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address, with ``sip:`` or without.

        Raises:
            UsageError: It is none.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"a user is given as sip:name@domain, not {text!r}")
        return cls(f"sip:{found[1]}@{found[2]}", found[2])
