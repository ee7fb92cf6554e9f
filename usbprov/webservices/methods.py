"""The methods by which a ticket is earned: one small class for each kind of credential.

All of them send ``RST/Issue`` to a port of the ticket service and end in the same ``Ticket``. They
differ in the port, in the WS-Security header, and in what HTTP does around it.
"""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, assert_never

from lxml import etree

from usbprov.errors import UsageError
from usbprov.net.credentials import (
    CertificateCredential,
    Credential,
    PasswordCredential,
    PinCredential,
    Way,
    WindowsCredential,
)
from usbprov.tape.clock import now
from usbprov.webservices.adapters import load_pin_form
from usbprov.webservices.metadata import TicketMethod
from usbprov.webservices.names import PASSWORD_TEXT, SOAP, WSSE
from usbprov.webservices.proof import timestamp, x509_signature, x509_token
from usbprov.webservices.soap import Post, Security, insert_of

PORTS: Mapping[Way, Sequence[TicketMethod]] = {
    Way.PIN: (TicketMethod.PIN,),
    Way.NTLM: (TicketMethod.WIN_NTLM, TicketMethod.WIN_NEGOTIATE),
    Way.KERBEROS: (TicketMethod.WIN_NEGOTIATE,),
    Way.NEGOTIATE: (TicketMethod.WIN_NEGOTIATE, TicketMethod.WIN_NTLM),
    Way.PASSWORD: (TicketMethod.PASSWORD,),
    Way.CERTIFICATE: (TicketMethod.CERTIFICATE,),
}
"""Where each way is taken; the first that is offered."""

_FRESH = timedelta(minutes=5)
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


class Method(ABC):
    """How one credential earns a ticket."""

    claims_user: ClassVar = True
    """Whether the request says who the user claims to be, where that is known."""
    signs_in_connection: ClassVar = False
    """Whether the connection is the user's from then on, as NTLM has it."""

    @property
    @abstractmethod
    def way(self) -> Way:
        """Which of the ways it is."""

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that are sent and must not come back in a server's words."""
        return frozenset()

    def security(self) -> Security:
        """Return the WS-Security header, or None where HTTP proves the user.

        Raises:
            UsageError: The credential has characters that XML cannot carry.
            PhoneError: The phone does not sign.
        """
        return None

    def sender(self, post: Post) -> Post:
        """Return what sends the request, with all that HTTP needs for it."""
        return post


class PinMethod(Method):
    """Extension and PIN, in a form that a site can replace (``adapters``)."""

    way = Way.PIN
    claims_user = False  # whoever has a PIN need not know the address: the server tells it

    def __init__(self, credential: PinCredential, form: Path | None = None) -> None:
        self._credential = credential
        self._form = form

    @property
    def secrets(self) -> frozenset[str]:
        """The PIN, as it is and in base64."""
        return _spellings(self._credential.pin)

    def security(self) -> Security:
        """Return the header as the form has it."""
        return load_pin_form(self._form).header(self._credential)


class PasswordMethod(Method):
    """User name and password in a ``UsernameToken``, both in base64 (``protocol.md`` 4.2 c)."""

    way = Way.PASSWORD

    def __init__(self, credential: PasswordCredential) -> None:
        self._credential = credential

    @property
    def secrets(self) -> frozenset[str]:
        """The password, as it is and in base64."""
        return _spellings(self._credential.password)

    def security(self) -> Security:
        """Return the header, marked as one that must be understood."""
        try:
            return self._header()
        except ValueError:
            pass  # its words may hold the password
        raise UsageError("user name and password must be text that UTF-8 can carry")

    def _header(self) -> "etree._Element":
        root = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "soap": SOAP})
        root.set(f"{{{SOAP}}}mustUnderstand", "1")
        token = etree.SubElement(root, f"{{{WSSE}}}UsernameToken")
        name = etree.SubElement(token, f"{{{WSSE}}}Username")
        password = etree.SubElement(token, f"{{{WSSE}}}Password", Type=PASSWORD_TEXT)
        name.text = _base64(self._credential.login)
        password.text = _base64(self._credential.password)
        return root


class WindowsMethod(Method):
    """Integrated Windows authentication: HTTP proves the user (``protocol.md`` 4.2 a)."""

    signs_in_connection = True

    def __init__(self, credential: WindowsCredential) -> None:
        self._credential = credential

    @property
    def way(self) -> Way:
        """The credential's."""
        return self._credential.way

    @property
    def secrets(self) -> frozenset[str]:
        """The password, though it never is sent itself."""
        return _spellings(self._credential.password or "")

    def sender(self, post: Post) -> Post:
        """Return what signs in to have the request answered."""
        from usbprov.webservices.windows import signing_in  # noqa: PLC0415 - the one that needs it

        return signing_in(post, self._credential)


class CertificateMethod(Method):
    """A certificate of these Web Services signs a fresh timestamp (``protocol.md`` 4.2 d).

    LAB CHOICE: that it is the timestamp and nothing else that is signed; it is what the ticket's
    own proof signs. WSS 1.1 X.509 token profile.
    """

    way = Way.CERTIFICATE

    def __init__(self, credential: CertificateCredential) -> None:
        self._credential = credential

    def security(self) -> Security:
        """Return timestamp, certificate and signature, to be inserted as they are."""
        begin = now()
        times = {"Created": begin, "Expires": begin + _FRESH}
        texts = (f"<wsu:{name}>{time:{_MOMENT}}</wsu:{name}>" for name, time in times.items())
        stamp = timestamp("".join(texts).encode())
        signature = x509_signature(stamp, self._credential.sign)
        return insert_of(stamp + x509_token(self._credential.certificate) + signature)


def method_of(credential: Credential, pin_form: Path | None = None) -> Method:
    """Return the method for a credential.

    Args:
        credential: Of any kind.
        pin_form: File that says how a PIN goes over the wire, or None for our guess.
    """
    match credential:
        case PinCredential():
            return PinMethod(credential, pin_form)
        case PasswordCredential():
            return PasswordMethod(credential)
        case WindowsCredential():
            return WindowsMethod(credential)
        case CertificateCredential():
            return CertificateMethod(credential)
    assert_never(credential)


def _spellings(secret: str) -> frozenset[str]:
    """Return the forms in which a secret may come back; nothing for an empty one."""
    return frozenset({secret, _base64(secret)}) if secret else frozenset()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
