"""The REGISTER requests of one registration (RFC 3261 10, [MS-SIPRE]; ``protocol.md`` 7.1, 13)."""

import secrets
from dataclasses import dataclass, field

from usbprov import __version__
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.message import Headers, Request
from usbprov.registrar.user import SipUser

USER_AGENT = f"usbprov/{__version__}"

_METHODS = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, BENOTIFY"


@dataclass
class Registration:
    """What all requests of a registration share, and the counter that tells them apart.

    Attributes:
        user: Who registers.
        endpoint: For which device: its epid and instance are those of the published certificate.
        local: Our end of the connection, ``192.0.2.10:50123``.
        call_id: The same in all requests (RFC 3261 10.2).
        tag: Our tag.
        sequence: Number of the request that was made last.
    """

    user: SipUser
    endpoint: Endpoint
    local: str
    call_id: str = field(default_factory=lambda: secrets.token_hex(16))
    tag: str = field(default_factory=lambda: secrets.token_hex(5))
    sequence: int = 0

    def request(self, expires: int | None = None) -> Request:
        """Make the next request, without any proof in it.

        Args:
            expires: For how many seconds the device registers; 0 ends it, and None leaves it to
                the Registrar, as the known clients do.
        """
        self.sequence += 1
        return Request("REGISTER", f"sip:{self.user.domain}", Headers(tuple(self._fields(expires))))

    def _fields(self, expires: int | None) -> list[tuple[str, str]]:
        fields = [
            ("Via", f"SIP/2.0/TLS {self.local};branch=z9hG4bK{secrets.token_hex(10).upper()}"),
            ("Max-Forwards", "70"),
            ("From", f"<{self.user.uri}>;tag={self.tag};epid={self.endpoint.epid}"),
            ("To", f"<{self.user.uri}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.sequence} REGISTER"),
            ("Contact", self._contact()),
            ("User-Agent", USER_AGENT),
            ("Supported", "gruu-10, adhoclist, msrtc-event-categories"),
            ("ms-keep-alive", "UAC;hop-hop=yes"),
            ("Event", "registration"),
        ]
        return fields if expires is None else [*fields, ("Expires", str(expires))]

    def _contact(self) -> str:
        instance = f'+sip.instance="<urn:uuid:{self.endpoint.instance}>"'
        where = f"<sip:{self.local};transport=tls;ms-opaque={self.tag}>"
        return f'{where};methods="{_METHODS}";proxy=replace;{instance}'
