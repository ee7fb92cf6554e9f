"""What stands inside SIP headers: addresses with parameters, credentials (RFC 3261 20, 25)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from usbprov.lab.registrar.sip import Malformed


@dataclass(frozen=True)
class Address:
    """An address of ``From``, ``To``, ``Contact`` or the like.

    Attributes:
        uri: As it came, without angle brackets.
        params: Of the header, not of the URI; names in lower case, values without quotes.
    """

    uri: str
    params: Mapping[str, str]

    def param(self, name: str) -> str:
        """Return a parameter's value; "" where it is not there."""
        return self.params.get(name, "")


def parse_address(text: str) -> Address:
    """Read ``"Alice" <sip:alice@contoso.test>;tag=1`` or the form without brackets.

    Raises:
        Malformed: It is no address.
    """
    found = _IN_BRACKETS.fullmatch(text.strip())
    uri, tail = found.groups("") if found else text.partition(";")[::2]
    return Address(_no_space(uri.strip()), _params(split(tail, ";")))


_IN_BRACKETS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*|[^"<>]*)<([^<>]*)>\s*(?:;(.*))?', re.DOTALL)


@dataclass(frozen=True)
class Credentials:
    """The value of ``Authorization`` ([MS-SIPAE] 2.2.1); parameters as in ``Address``."""

    scheme: str
    params: Mapping[str, str]

    def param(self, name: str) -> str:
        """Return a parameter's value; "" where it is not there."""
        return self.params.get(name, "")


def parse_credentials(text: str) -> Credentials:
    """Read ``TLS-DSK qop="auth", realm="…", version=4``.

    Raises:
        Malformed: A parameter is none, or stands there twice.
    """
    scheme, _, rest = text.partition(" ")
    return Credentials(scheme, _params(split(rest, ",")))


def split(text: str, separator: str) -> list[str]:
    """Split where a separator stands outside quotes and angle brackets."""
    parts, begin = [], 0
    for at in _outside(text):
        if text[at] == separator:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _outside(text: str) -> Iterator[int]:
    """Yield the places that are neither in quotes nor in angle brackets."""
    quoted = bracketed = escaped = False
    for at, char in enumerate(text):
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "<>":
            bracketed = char == "<"
        elif not bracketed:
            yield at


def _params(parts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(str.strip, parts):
        name, _, value = part.partition("=")
        name = name.strip().lower()
        if name in found:
            raise Malformed("a parameter stands there twice")
        found[name] = _unquoted(value.strip())
    return found


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _no_space(uri: str) -> str:
    if not uri or any(char.isspace() or char in '<>"' for char in uri):
        raise Malformed("no URI")
    return uri
