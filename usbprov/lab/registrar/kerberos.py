"""Kerberos over SIP: a GSS token, then GSS_GetMIC signatures ([MS-SIPAE] 3.1). Needs ``gssapi``."""

import binascii
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from usbprov.errors import LabUnusable
from usbprov.lab.accounts import Accounts
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.refusals import Refusal, Refused

KERBEROS = "Kerberos"
_SERVICE = "sip"
_NO_KEY = 39756033
"""MIT's KG_KEYTAB_NOMATCH: the keytab is one, and has no key for that service."""


@dataclass(frozen=True)
class Kerberos:
    """The scheme.

    Attributes:
        accounts: Who there is.
        credentials: The acceptor's, of ``sip/host``.
    """

    accounts: Accounts
    credentials: Any = field(repr=False)

    @property
    def name(self) -> str:
        """As in ``WWW-Authenticate``."""
        return KERBEROS

    def target(self, host: str) -> str:
        """Return the service principal's name, which clients take as it is."""
        return f"{_SERVICE}/{host}"

    def offer(self) -> str:
        """Return nothing: there is no more to say."""
        return ""

    def begin(self) -> "KerberosSignIn":
        """Wait for the client's token."""
        return KerberosSignIn(self.accounts, self.credentials)


def open_kerberos(accounts: Accounts, keytab: Path, host: str) -> Kerberos | None:
    """Make the scheme; None where the keytab has no key for ``sip/HOST``.

    Raises:
        LabUnusable: The keytab cannot be used.
    """
    import gssapi  # noqa: PLC0415 - an extra
    from gssapi.raw.misc import GSSError  # noqa: PLC0415

    name = gssapi.Name(f"{_SERVICE}@{host}", gssapi.NameType.hostbased_service)
    store: dict[bytes | str, bytes | str] = {"keytab": f"FILE:{keytab.absolute()}"}
    try:
        credentials = gssapi.Credentials(name=name, usage="accept", store=store)
    except GSSError as error:
        if error.min_code == _NO_KEY:
            return None
        raise LabUnusable(f"the keytab {keytab} cannot be used") from None
    return Kerberos(accounts, credentials)


class KerberosSignIn:
    """One sign-in: the client's token, and for mutual authentication one in return."""

    def __init__(self, accounts: Accounts, credentials: Any) -> None:
        import gssapi  # noqa: PLC0415 - an extra
        from gssapi.raw.misc import GSSError  # noqa: PLC0415

        self._accounts = accounts
        self._context = gssapi.SecurityContext(creds=credentials, usage="accept")
        self._error: type[Exception] = GSSError

    @property
    def complete(self) -> bool:
        """Whether the client's ticket has been verified."""
        return bool(self._context.complete)

    @property
    def details(self) -> tuple[str, str]:
        """Nothing: there is no TLS inside."""
        return "", ""

    def step(self, token: bytes) -> bytes:
        """Verify the client's token and return the one that answers it.

        Raises:
            Refused: It is wrong.
        """
        try:
            return self._context.step(token) or b""
        except self._error as error:
            raise Refused(Refusal.HANDSHAKE, f"Kerberos: {type(error).__name__}") from None

    def prove(self, claim: Claim, now: datetime) -> datetime:
        """See that the principal is the user of ``From``, and return the end of his ticket.

        Raises:
            Refused: It is another's.
        """
        user = self._accounts.find(str(self._context.initiator_name))
        if user is None or claim.user is None or user.sip_uri != claim.user.sip_uri:
            raise Refused(Refusal.OTHER_USER, "the principal is not that of the From URI")
        return now + timedelta(seconds=self._context.lifetime)

    def sign(self, text: str, *, wrongly: bool = False) -> str:
        """Sign with the session's key; wrongly: another text."""
        signed = text.encode() + (b"<>" if wrongly else b"")
        return bytes(self._context.get_signature(signed)).hex()

    def verify(self, text: str, told: str) -> bool:
        """Verify with the session's key."""
        try:
            self._context.verify_signature(text.encode(), binascii.unhexlify(told))
        except (self._error, ValueError):  # binascii.Error is one
            return False
        return True
