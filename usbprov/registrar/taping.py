"""The port of a sign-in, recorded and replayed, and the SIP messages on the tape between.

A replay has the outcome only: the handshake of TLS-DSK is made of keys that no tape has.
"""

from usbprov.net.credentials import CertificateCredential, WindowsCredential
from usbprov.registrar.client import SignIn
from usbprov.registrar.message import Message
from usbprov.registrar.wirelog import shown
from usbprov.tape.deck import recorder
from usbprov.tape.events import Json, Kind, number, text
from usbprov.tape.ports import Port
from usbprov.tape.words import said

_MOST_LINES = 60
_MOST_REDIRECTS = 20


def sign_in_port(
    user: str, credential: CertificateCredential | WindowsCredential, registrar: str
) -> Port[SignIn]:
    """Return the port of a user's sign-in at a Registrar."""
    how = "certificate" if isinstance(credential, CertificateCredential) else credential.way.value
    return Port("sign-in over SIP", f"{user} at {registrar} by {how}", vars, _revived)


def note_message(message: Message, *, sent: bool) -> None:
    """Record a message, without what proves the user."""
    to = recorder()
    if to is not None:
        lines = [said(line) for line in shown(message).splitlines()[:_MOST_LINES]]
        to.note(Kind.SIP, {"way": "sent" if sent else "received", "lines": lines})


def _revived(result: Json) -> SignIn:
    if not isinstance(result, dict):
        raise ValueError("a sign-in is no map")  # noqa: TRY004 - one kind for the caller
    redirects = result.get("redirects")
    return SignIn(
        server=text(result.get("server"), 300),
        scheme=text(result.get("scheme"), 40),
        protocol=text(result.get("protocol"), 40),
        cipher=text(result.get("cipher"), 100),
        redirects=tuple(text(item, 300) for item in redirects[:_MOST_REDIRECTS])
        if isinstance(redirects, list)
        else (),
        expires=int(number(result.get("expires"))),
        signed_out=result.get("signed_out") is True,
        ms=int(number(result.get("ms"))),
    )
