"""User name and password in the SOAP header: the port ``/Auth``.

Name and password are base64 in a ``wsse:UsernameToken``, as the dial-in web pages of real servers
send them. A token of type ``PasswordDigest`` is refused there too.
"""

import base64
import binascii
from dataclasses import dataclass, field

from lxml import etree

from usbprov.lab.accounts import Accounts
from usbprov.lab.names import WSSE
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.users import LabUser

_PASSWORD_TEXT = (
    "http://docs.oasis-open.org/wss/2004/01/"  # noqa: S105 - a URI
    "oasis-200401-wss-username-token-profile-1.0#PasswordText"
)
_LONGEST = 512


@dataclass(frozen=True)
class PasswordCredential:
    r"""A Windows account, ``DOMAIN\user`` or ``user@domain``, and its password."""

    account: str
    password: str = field(repr=False)


def read_password_credential(security: etree._Element | None) -> PasswordCredential:
    """Read account and password from the header.

    Raises:
        SoapFault: They are not there, or not as they must be.
    """
    token = None if security is None else only_child(security, WSSE, "UsernameToken")
    if token is None:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "no UsernameToken")
    name, password = (only_child(token, WSSE, part) for part in ("Username", "Password"))
    if password is None or password.get("Type", _PASSWORD_TEXT) != _PASSWORD_TEXT:
        raise SoapFault(Fault.INVALID_SECURITY, "no password as text")
    found = PasswordCredential(_decoded(text_of(name)), _decoded(text_of(password)))
    if not found.account or not found.password:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "no user name and password in base64")
    return found


def authenticate_password(accounts: Accounts, credential: PasswordCredential) -> LabUser:
    """Return the user.

    Raises:
        SoapFault: No such account, or a wrong password; the client is told no difference.
    """
    user = accounts.check(credential.account, credential.password)
    if user is None:
        known = accounts.find(credential.account)
        note = f"wrong password for {known.sip_uri}" if known else "unknown account"
        raise SoapFault(Fault.FAILED_AUTHENTICATION, note)
    return user


def _decoded(text: str) -> str:
    try:
        found = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return found if len(found) <= _LONGEST else ""
