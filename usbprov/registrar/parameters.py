"""Parameters within headers: of authentication, of addresses, of diagnostics. No I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from usbprov.registrar.message import NotSip

_TOKEN = r"[!#-'*+.0-9A-Z^-z|~-]+"  # noqa: S105 - RFC 3261 25.1's name for it
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|$)(.*)", re.DOTALL)
_AUTH_PARAMETER = re.compile(rf"[ \t]*({_TOKEN})[ \t]*=[ \t]*({_QUOTED}|[^\s,\"]*)[ \t]*(?:,|$)")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*({_QUOTED}|[^\s;,\"]*))?[ \t]*")
_NAMED = re.compile(rf"(?:[ \t]*{_QUOTED}[ \t]*|[^<>\",;:]*)<([^<>\s]*)>")
_BARE = re.compile(r"[ \t]*([^<>\s;,\"]+)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DIAGNOSTIC = re.compile(r"[ \t]*(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Authentication:
    """What a header of authentication says: ``WWW-Authenticate``, ``Authentication-Info``.

    Attributes:
        scheme: ``TLS-DSK``.
        parameters: Values without their quotes, by name in lower case.
    """

    scheme: str
    parameters: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """Return a parameter, or ``""``."""
        return self.parameters.get(name, "")


def parse_authentication(value: str) -> Authentication:
    """Read ``TLS-DSK realm="…", version=4``.

    Raises:
        NotSip: It is not of that form, or has a parameter twice.
    """
    found = _SCHEME.fullmatch(value.strip())
    if found is None:
        raise NotSip("a header of authentication cannot be read")
    parameters: dict[str, str] = {}
    for name, content in _auth_parameters(found[2]):
        if name in parameters:
            raise NotSip("a header of authentication has a parameter twice")
        parameters[name] = content
    return Authentication(found[1], parameters)


def _auth_parameters(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _AUTH_PARAMETER.match(text, at)
        if found is None:
            raise NotSip("a header of authentication cannot be read")
        yield found[1].lower(), _unquoted(found[2])
        at = found.end()


def write_authentication(scheme: str, parameters: Mapping[str, str]) -> str:
    """Write a header of authentication; ``version`` goes without quotes, as servers have it."""
    written = (
        f"{name}={value}" if name == "version" else f"{name}={_quoted(value)}"
        for name, value in parameters.items()
    )
    return f"{scheme} {', '.join(written)}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


@dataclass(frozen=True)
class Address:
    """An address with what belongs to it: ``From``, ``To``, ``Contact``, ``P-Asserted-Identity``.

    Attributes:
        uri: As on the wire.
        parameters: Those after the address, by name in lower case.
    """

    uri: str
    parameters: Mapping[str, str]


def parse_address(value: str) -> Address:
    """Read the first address of a header: ``"Alice" <sip:alice@contoso.com>;tag=1``.

    Raises:
        NotSip: It begins with none.
    """
    found = _NAMED.match(value) or _BARE.match(value)
    if found is None:
        raise NotSip("an address cannot be read")
    return Address(found[1], _parameters(value, found.end())[0])


def parse_addresses(value: str) -> Iterator[Address]:
    """Read all addresses of a header that may hold several, with commas between them.

    Raises:
        NotSip: One of them cannot be read.
    """
    at = 0
    while True:
        found = _NAMED.match(value, at) or _BARE.match(value, at)
        if found is None:
            raise NotSip("an address cannot be read")
        parameters, at = _parameters(value, found.end())
        yield Address(found[1], parameters)
        if not value.startswith(",", at):
            return
        at += 1


def _parameters(value: str, at: int) -> tuple[Mapping[str, str], int]:
    """Read ``;name=value`` from a place on; return them, and where they end."""
    found: dict[str, str] = {}
    while (parameter := _PARAMETER.match(value, at)) is not None:
        found.setdefault(parameter[1].lower(), _unquoted(parameter[2] or ""))
        at = parameter.end()
    return found, at


@dataclass(frozen=True)
class Diagnostic:
    """What ``ms-diagnostics`` says ([MS-OCER]).

    Attributes:
        number: Its id.
        reason: The server's words; hostile until cleaned.
        source: The server that says so, as it calls itself.
    """

    number: int
    reason: str
    source: str


def parse_diagnostic(value: str) -> Diagnostic | None:
    """Read ``1003;reason="User does not exist.";source="fe.contoso.com"``; None if it is not that.

    A diagnosis that cannot be read is no reason to say less than the answer itself does.
    """
    found = _DIAGNOSTIC.match(value)
    if found is None:
        return None
    parameters, _ = _parameters(value, found.end())
    return Diagnostic(int(found[1]), parameters.get("reason", ""), parameters.get("source", ""))
