"""What is signed in a SIP message ([MS-SIPAE] 3.2.5.2): the string, made of its headers."""

from collections.abc import Sequence
from dataclasses import dataclass

from usbprov.lab.registrar.sip import Request
from usbprov.lab.registrar.values import Credentials, parse_address, split

_OLDEST_WITH_ALL_FIELDS = 3


@dataclass(frozen=True)
class Signed:
    """The parts of the string that are the same in a request and in the answer to it.

    Attributes:
        scheme: ``TLS-DSK``, ``NTLM`` or ``Kerberos``.
        realm: As in the credentials.
        target: ``targetname``, likewise.
        version: Of the protocol; older than 3 it leaves some fields out.
    """

    scheme: str
    realm: str
    target: str
    version: int = 4

    def of_request(self, request: Request, credentials: Credentials) -> str:
        """Return the string that a client has signed.

        Raises:
            Malformed: A header that is signed is missing or wrong.
        """
        nonce = (credentials.param("crand"), credentials.param("cnum"))
        return self._string(nonce, request, request.value("to"), request.value("expires"))

    def of_response(
        self, nonce: tuple[str, int], request: Request, to: str, expires: str, status: int
    ) -> str:
        """Return the string that the server signs.

        Args:
            nonce: ``srand`` and ``snum``.
            request: What is answered: the answer repeats its headers.
            to: The answer's ``To``, with its tag.
            expires: The answer's ``Expires``; "" without.
            status: Its status code.
        """
        text = self._string((nonce[0], str(nonce[1])), request, to, expires, answer=True)
        return f"{text}<{status}>"

    def _string(
        self,
        nonce: tuple[str, str],
        request: Request,
        to: str,
        expires: str,
        *,
        answer: bool = False,
    ) -> str:
        sender, receiver = parse_address(request.value("from")), parse_address(to)
        number, _, method = request.value("cseq").partition(" ")
        fields = [self.scheme, *nonce, self.realm, self.target, request.value("call-id"), number]
        fields += [method.strip(), sender.uri, sender.param("tag")]
        if self.version >= _OLDEST_WITH_ALL_FIELDS:
            fields.append(receiver.uri)
        fields.append(receiver.param("tag"))
        if self.version >= _OLDEST_WITH_ALL_FIELDS:
            fields += ["", ""] if answer else _asserted(request)
        return "".join(f"<{field}>" for field in [*fields, expires])


def _asserted(request: Request) -> list[str]:
    """Return the SIP and the tel URI of P-Asserted-Identity or P-Preferred-Identity."""
    values = request.values("p-asserted-identity") or request.values("p-preferred-identity")
    uris = [parse_address(part).uri for value in values for part in split(value, ",")]
    return [_first(uris, "sip:"), _first(uris, "tel:")]


def _first(uris: Sequence[str], scheme: str) -> str:
    return next((uri for uri in uris if uri.lower().startswith(scheme)), "")
