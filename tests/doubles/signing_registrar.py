"""What doubles of a Registrar share: the demand, the client's signature, their own.

No code of the client is used: the signed text is put together here. Each fault is a field.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from doubles.sip_server import TARGET, Asked

REALM = "SIP Communications Service"


@dataclass
class SigningRegistrar:
    """Takes the signed REGISTER and signs its answer; a subclass has the scheme and its keys."""

    scheme: ClassVar[str] = ""
    target: str = TARGET
    protocol: int = 4
    signature: Callable[[str], str] = lambda right: right
    signs: bool = True
    numbers: Callable[[int], int] = lambda number: number
    final: tuple[str, ...] = ("200 OK", "Expires: 7200")
    target_later: str = ""
    accepted: list[str] = field(default_factory=list)
    signatures: int = 0
    flights: int = 0
    opaque: str = ""

    def own_signature(self, text: str) -> str:
        raise NotImplementedError

    def clients_signature(self, text: str) -> str:
        raise NotImplementedError

    def begin(self) -> None:
        self.opaque = secrets.token_hex(4).upper()
        self.flights = self.signatures = 0

    def demand(self, *more: str) -> str:
        target = self.target_later if self.target_later and self.flights else self.target
        names = (f'realm="{REALM}"', f'targetname="{target}"', f"version={self.protocol}")
        return f"WWW-Authenticate: {self.scheme} {', '.join([*more, *names])}"

    def registered(self, asked: Asked, proof: str) -> bytes:
        signed = self._check(asked, proof)
        status, *more = self.final if "expires" not in asked.headers else ("200 OK", "Expires: 0")
        lines = [*more, *([self._information(asked, status, more)] if self.signs else [])]
        if signed:
            self.accepted.append(asked.headers["cseq"])
        return asked.answer(status, *lines)

    def _check(self, asked: Asked, proof: str) -> bool:
        """Verify the client's signature; a wrong one ends the test with an error."""
        response = parameter(proof, "response")
        if not response:
            return False
        frame = (parameter(proof, "crand"), parameter(proof, "cnum"), REALM, self.target)
        text = self._text(frame, asked, asked.headers.get("expires", ""))
        assert parameter(proof, "opaque") in {self.opaque, ""}
        assert response == self.clients_signature(text).upper()
        return True

    def _information(self, asked: Asked, status: str, more: list[str]) -> str:
        self.signatures += 1
        salt, number = secrets.token_hex(4).upper(), str(self.numbers(self.signatures))
        expires = next((line[9:] for line in more if line.startswith("Expires: ")), "")
        text = self._text((salt, number, REALM, self.target), asked, expires, status[:3])
        right = self.own_signature(text)
        return (
            f'Authentication-Info: {self.scheme} qop="auth", opaque="{self.opaque}", '
            f'srand="{salt}", snum="{number}", rspauth="{self.signature(right)}", '
            f'targetname="{self.target}", realm="{REALM}", version={self.protocol}'
        )

    def _text(self, frame: tuple[str, ...], asked: Asked, expires: str, *status: str) -> str:
        full = self.protocol > 2
        return signed_text(self.scheme, frame, asked, expires, *status, full=full)


SERVER_TAG = "9588410E2DA11CEE9D0AE7733E07830F"


def signed_text(
    scheme: str,
    frame: tuple[str, ...],
    asked: Asked,
    expires: str,
    *status: str,
    full: bool = True,
) -> str:
    """Put the signed text together; before version 3 it is not the full one."""
    number, method = asked.headers["cseq"].split()
    sender, to = asked.headers["from"], asked.headers["to"]
    uri = re.compile(r"<([^>]*)>")
    values = [
        scheme,
        *frame,
        asked.headers["call-id"],
        number,
        method,
        uri.search(sender)[1],
        parameter(sender, "tag"),
        *([uri.search(to)[1]] if full else []),
        SERVER_TAG if status else "",
        *(["", ""] if full else []),
        expires,
        *status,
    ]
    return "".join(f"<{value}>" for value in values)


def parameter(text: str, name: str) -> str:
    """Return a parameter of a header, with quotes or without, or ``""``."""
    found = re.search(rf'\b{name}=(?:"([^"]*)"|([^\s,;]+))', text)
    return (found[1] or found[2] or "") if found else ""
