"""Where the ledger is: a file, or a PostgreSQL database that several benches share."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from usbprov.errors import LedgerAddressInvalid

_SCHEMES = ("postgresql", "postgres")

_SECRET = frozenset({"password", "sslpassword", "oauth_client_secret"})

_KNOWN = frozenset(
    {
        "application_name",
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "host",
        "krbsrvname",
        "passfile",
        "port",
        "require_auth",
        "service",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
"""Parameters of libpq that may stand in the URL; none of them can make a commit less durable."""

_VERIFIED = "verify-full"


@dataclass(frozen=True)
class PostgresAddress:
    """A database on a PostgreSQL server.

    Attributes:
        user: The role, or empty for libpq's default.
        hosts: Names, addresses or folders of Unix sockets; none for libpq's default.
        port: TCP port, or empty for libpq's default.
        database: The database's name, or empty for libpq's default.
        parameters: Further parameters of libpq; never a secret.
    """

    user: str = ""
    hosts: tuple[str, ...] = ()
    port: str = ""
    database: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Write it as a URL, without its parameters."""
        at = f"{quote(self.user)}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{at}{','.join(self.hosts)}{port}/{quote(self.database)}"

    def connection_parameters(self, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return what libpq is to be given.

        A server on another computer must prove who it is: ``sslmode`` becomes ``verify-full``.
        A service file may name such a server, so the same holds with one.
        """
        parameters = {
            "user": self.user,
            "host": ",".join(self.hosts),
            "port": self.port,
            "dbname": self.database,
            **self.parameters,
        }
        if not self._stays_here(environment):
            parameters["sslmode"] = _VERIFIED
        return {name: value for name, value in parameters.items() if value}

    def _stays_here(self, environment: Mapping[str, str]) -> bool:
        if "service" in self.parameters or environment.get("PGSERVICE"):
            return False
        hosts = self.hosts or tuple(filter(None, environment.get("PGHOST", "").split(",")))
        address = environment.get("PGHOSTADDR")
        return all(map(is_local, hosts)) and (not address or is_local(address))


LedgerPlace = Path | PostgresAddress
"""Where a ledger can be."""


def parse_place(text: str) -> LedgerPlace:
    """Read what ``--ledger`` was given: a URL of PostgreSQL, or else a file's name.

    Raises:
        LedgerAddressInvalid: It is such a URL, and holds a password or what is not understood.
            The text is not repeated in the error, since it may hold a password.
    """
    scheme, colon, _ = text.partition("://")
    if not colon or "/" in scheme:
        return Path(text)
    if scheme.lower() not in _SCHEMES:
        raise LedgerAddressInvalid("it is neither a file nor a URL postgresql://USER@HOST/DATABASE")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise LedgerAddressInvalid("its host or port cannot be read") from None
    if parts.password is not None:
        raise LedgerAddressInvalid("it holds a password, and a command line is public")
    return _postgres(parts, str(port or ""))


def _postgres(parts: SplitResult, port: str) -> PostgresAddress:
    if parts.fragment:
        raise LedgerAddressInvalid("'#' has no meaning in it")
    parameters = _parameters(parts.query)
    hosts = parameters.pop("host", unquote(parts.hostname or ""))
    return PostgresAddress(
        user=unquote(parts.username or ""),
        hosts=tuple(filter(None, hosts.split(","))),
        port=parameters.pop("port", port),
        database=unquote(parts.path.removeprefix("/")),
        parameters=_checked(parameters, tuple(hosts.split(","))),
    )


def _parameters(query: str) -> dict[str, str]:
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    for name in parameters:
        if name in _SECRET:
            raise LedgerAddressInvalid("it holds a password, and a command line is public")
        if name not in _KNOWN:
            raise LedgerAddressInvalid(f"the parameter {name!r} is not one that usbprov knows")
    return parameters


def _checked(parameters: dict[str, str], hosts: Sequence[str]) -> dict[str, str]:
    """Refuse a connection to another computer that would not be verified."""
    mode = parameters.get("sslmode", _VERIFIED)
    elsewhere = "service" in parameters or not all(map(is_local, filter(None, hosts)))
    if elsewhere and mode != _VERIFIED:
        raise LedgerAddressInvalid(
            f"sslmode={mode} does not verify a server on another computer; {_VERIFIED} does"
        )
    return parameters


def state_file(address: PostgresAddress) -> Path:
    """Return the name in the user's state folder that stands for a database."""
    import platformdirs  # noqa: PLC0415 - few need it

    name = re.sub(r"[^\w.-]+", "-", f"{','.join(address.hosts)}-{address.port}-{address.database}")
    return platformdirs.user_state_path("usbprov") / f"postgresql-{name.strip('-')}"


def is_local(host: str) -> bool:
    """Say whether a host is this computer: a socket's folder, or an address of loopback."""
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
