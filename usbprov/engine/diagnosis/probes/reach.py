"""Is the server there: does its name resolve, does the port answer, do the other ports?"""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes.contract import Scene, address_of

_PORTS = (443, 80, 5061)
"""Where the servers of a pool listen: Web Services, chain download, Registrar."""

_CONNECT_SECONDS = 1.5

_STOPPED = frozenset({"service-stopped", "registrar-stopped"})
_AWAY = frozenset({"server-down", "firewall"})
_NAME = frozenset({"name-unknown"})


class Port(StrEnum):
    """How a TCP port behaves."""

    OPEN = "answers"
    REFUSED = "refuses the connection"
    SILENT = "does not answer"


class ReachProbe:
    """Opens TCP connections and closes them at once; nothing is sent."""

    name = "reach"
    seconds = 4.0
    codes = frozenset({"WEB-01", "WEB-02", "SIP-01", "SIP-02"})

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        """Resolve the name, then try the port and those that the servers of a pool have."""
        address = address_of(case, scene)
        if address is None:
            return None
        host, port = address
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            seen = f"the name {host} does not resolve on this computer"
            return Evidence(self.name, seen, _NAME, _STOPPED | _AWAY)
        return judged(host, port, states(host, (port, *_PORTS)))


def states(host: str, ports: tuple[int, ...]) -> Mapping[int, Port]:
    """Try ports side by side."""
    wanted = tuple(dict.fromkeys(ports))
    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(lambda port: _state(host, port), wanted), strict=True))


def _state(host: str, port: int) -> Port:
    try:
        with socket.create_connection((host, port), _CONNECT_SECONDS):
            return Port.OPEN
    except ConnectionRefusedError:
        return Port.REFUSED
    except OSError:
        return Port.SILENT


def judged(host: str, port: int, found: Mapping[int, Port]) -> Evidence:
    """Say what the states of the ports speak for; a refusal comes from the server itself."""
    told = ", ".join(f"port {number} {state}" for number, state in found.items())
    seen = f"{host}: {told}"
    others = {state for number, state in found.items() if number != port}
    if found[port] is Port.OPEN:
        return Evidence("reach", seen, excludes=_AWAY | _NAME)
    if found[port] is Port.REFUSED:
        return Evidence("reach", seen, _STOPPED, _AWAY | _NAME)
    if others - {Port.SILENT}:
        return Evidence("reach", seen, frozenset({"firewall"}), frozenset({"server-down"}) | _NAME)
    return Evidence("reach", seen, frozenset({"server-down"}), _NAME)
