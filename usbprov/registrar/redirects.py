"""Redirects: a Registrar that is not the user's home says which is (RFC 3261 21.3)."""

from collections.abc import Callable
from typing import TypeVar

from usbprov.errors import RedirectsEndless, UsageError
from usbprov.net.failures import cleaned
from usbprov.registrar.client import RegistrarAddress
from usbprov.registrar.message import NotSip, Response
from usbprov.registrar.parameters import parse_address

MOST_REDIRECTS = 5
"""Our choice: a first hop to the home pool, one within it, and some to spare."""

STATUSES = frozenset({301, 302, 305})

_Result = TypeVar("_Result")


class Moved(Exception):
    """Raised to begin anew at another Registrar: no error, and never shown."""

    def __init__(self, target: RegistrarAddress) -> None:
        super().__init__()
        self.target = target


def look_for_redirect(response: Response, server: str) -> None:
    """Follow an answer that sends the user elsewhere; do nothing about any other.

    Raises:
        Moved: It is such an answer.
        RedirectsEndless: It is, and names no Registrar that can be reached over TLS.
    """
    if response.status in STATUSES:
        raise Moved(_target(response, server))


def _target(response: Response, server: str) -> RegistrarAddress:
    contact = response.headers.get("Contact")
    try:
        address = parse_address(contact)
    except NotSip:
        raise RedirectsEndless(server, "it does not say where to") from None
    scheme, _, rest = address.uri.partition(":")
    where, *parameters = rest.rpartition("@")[2].split(";")
    transport = next((p[10:] for p in map(str.lower, parameters) if p[:10] == "transport="), "tls")
    if scheme.lower() not in {"sip", "sips"} or transport != "tls":
        raise RedirectsEndless(server, f"{cleaned(address.uri)} is not SIP over TLS")
    try:
        return RegistrarAddress.parse(where)
    except UsageError:
        raise RedirectsEndless(server, f"{cleaned(address.uri)} names no server") from None


def follow(
    start: RegistrarAddress, act: Callable[[RegistrarAddress, tuple[str, ...]], _Result]
) -> _Result:
    """Do something at a Registrar, or at the one that it names.

    Args:
        start: The first.
        act: Does it, given where, and who sent us there; raises ``Moved`` to go on.

    Raises:
        RedirectsEndless: There is no end of it.
    """
    address, visited = start, [start]
    while True:
        try:
            return act(address, tuple(str(server) for server in visited[:-1]))
        except Moved as moved:
            _check(moved.target, visited)
            address = moved.target
            visited.append(address)


def _check(target: RegistrarAddress, visited: list[RegistrarAddress]) -> None:
    last = str(visited[-1])
    if _same(target) in map(_same, visited):
        way = " to ".join(str(server) for server in (*visited, target))
        raise RedirectsEndless(last, f"from {way}, in a circle")
    if len(visited) > MOST_REDIRECTS:
        raise RedirectsEndless(last, f"after {MOST_REDIRECTS} redirects there is another one")


def _same(address: RegistrarAddress) -> tuple[str, int]:
    return address.host.lower(), address.port
