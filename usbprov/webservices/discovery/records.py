"""DNS: SRV records and addresses (RFC 2782), through dnspython."""

import functools
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usbprov.errors import AnswerInvalid, ServerUnreachable, UsageError

if TYPE_CHECKING:
    import dns.resolver

# ruff: noqa: PLC0415 - dnspython is imported when something is asked

_DNS_PORT = 53
_LIFETIME = 3.0


@dataclass(frozen=True)
class SrvRecord:
    """One SRV record, lowest priority first in lists.

    Attributes:
        priority: Lower is tried first.
        weight: Share among those of one priority.
        port: TCP port.
        target: Host name without the dot at the end; empty where there is no such service.
    """

    priority: int
    weight: int
    port: int
    target: str


class Names:
    """Asks the system's DNS servers, or one that is named.

    Search domains are not applied. After a server did not answer in time, nothing more is asked.
    """

    def __init__(self, server: str | None = None, lifetime: float = _LIFETIME) -> None:
        """Prepare; nothing is asked yet.

        Args:
            server: ``HOST[:PORT]`` of a DNS server, or None for the system's.
            lifetime: Seconds for one question, repetitions included.
        """
        self._server = server
        self._lifetime = lifetime

    @property
    def server(self) -> str:
        """Who is asked, in words."""
        return f"DNS server {self._server}" if self._server else "the system's DNS server"

    @functools.cached_property
    def _resolver(self) -> "dns.resolver.Resolver":
        import dns.exception
        import dns.resolver

        try:
            resolver = dns.resolver.Resolver(configure=self._server is None)
        except dns.exception.DNSException:
            raise ServerUnreachable(self.server, "none is configured") from None
        if self._server is not None:
            host, port = _host_and_port(self._server)
            resolver.nameservers = [host]
            resolver.port = port
        resolver.lifetime = self._lifetime
        return resolver

    def srv(self, name: str) -> list[SrvRecord]:
        """Return the SRV records of a name, best first; an empty list if there are none.

        Raises:
            ServerUnreachable: Nobody answers.
            AnswerInvalid: There is no usable answer.
        """
        answer = self._ask(name, "SRV")
        records = [
            SrvRecord(
                r.priority, r.weight, r.port, r.target.to_text(omit_final_dot=True).strip(".")
            )
            for r in (answer or ())
        ]
        return sorted(records, key=lambda r: (r.priority, -r.weight, r.target))

    def addresses(self, name: str) -> list[str]:
        """Return the IPv4 addresses of a name, or else the IPv6 ones; maybe none.

        Raises:
            ServerUnreachable: Nobody answers.
            AnswerInvalid: There is no usable answer.
        """
        for kind in ("A", "AAAA"):
            found = [r.address for r in (self._ask(name, kind) or ())]
            if found:
                return found
        return []

    def _ask(self, name: str, kind: str) -> "dns.resolver.Answer | None":
        import dns.exception
        import dns.resolver

        try:
            return self._resolver.resolve(f"{name}.", kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.Timeout:
            raise ServerUnreachable(self.server, f"no answer within {self._lifetime:g} s") from None
        except dns.resolver.NoNameservers as error:
            problem = _refusals(error) or "it gives no usable answer"
        except (dns.exception.DNSException, OSError) as error:
            problem = f"{name}: {type(error).__name__}"
        raise AnswerInvalid(self.server, problem)


def _refusals(error: "dns.resolver.NoNameservers") -> str:
    """Say with which codes (REFUSED, SERVFAIL) the servers declined."""
    import dns.rcode

    answers = [attempt[4] for attempt in error.kwargs.get("errors", ())]
    codes = {dns.rcode.to_text(answer.rcode()) for answer in answers if answer is not None}
    return f"it answers {', '.join(sorted(codes))}" if codes else ""


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise UsageError(f"--dns-server {text}: {port!r} is no port")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        raise UsageError(f"--dns-server {text}: the name cannot be resolved") from None
    return str(found[0][4][0]), int(port) if colon else _DNS_PORT


def resolves(host: str) -> bool:
    """Tell whether this computer can resolve a name, the way connections are made later."""
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False
