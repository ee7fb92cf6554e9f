"""Where the board is served, and under which names browsers may ask for it. Pure."""

import ipaddress
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class BoardAddress:
    """A host, by name or number, and a TCP port; port 0 is one that is free."""

    port: int
    host: str = LOOPBACK

    @classmethod
    def parse(cls, text: str) -> "BoardAddress":
        """Read ``[HOST:]PORT``; an IPv6 address stands in brackets.

        Raises:
            ValueError: It is none.
        """
        host, _, port = text.strip().rpartition(":")
        name = host.removeprefix("[").removesuffix("]")
        is_bracketed = host != name
        if not port.isdecimal() or not port.isascii() or int(port) > 65535:
            raise ValueError(f"{text!r} is no [HOST:]PORT")
        if (":" in name) != is_bracketed or text.strip().startswith(":"):
            raise ValueError(f"{text!r} is no [HOST:]PORT; write IPv6 as [::1]:8080")
        return cls(int(port), name or LOOPBACK)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer's own browsers can reach it."""
        number = _number(self.host)
        return number.is_loopback if number else self.host.casefold() == "localhost"

    @property
    def url(self) -> str:
        """The page's address for a browser on this computer."""
        number = _number(self.host)
        host = LOOPBACK if number and number.is_unspecified else self.host
        return f"http://{BoardAddress(self.port, host)}/"

    def answers_to(self, host: str, names: frozenset[str] = frozenset()) -> bool:
        """Say whether a ``Host`` header names this server.

        A page elsewhere may have its own name resolved to this computer's address (DNS
        rebinding) and would then be of the same origin: so a name must be one that is ours. On
        other than loopback addresses a number is as good as a name: nobody can rebind that.

        Args:
            host: The header.
            names: What this computer is called, in small letters.
        """
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if (port or "80") != str(self.port):
            return False
        plain = name.removeprefix("[").removesuffix("]").casefold()
        if plain in _LOCAL_NAMES or plain == self.host.casefold():
            return True
        return not self.is_loopback and (plain in names or _number(plain) is not None)


def is_near(client: str, server: str) -> bool:
    """Say whether a connection from one number to another never leaves this computer."""
    number, own = _number(client), _number(server)
    return number is not None and (number.is_loopback or number == own)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
