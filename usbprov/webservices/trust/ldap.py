"""One LDAP conversation by ``ldap3``, with our TLS, our limits and our errors.

The library's own TLS checks are replaced by ours; referrals are not followed, since they would
carry the password elsewhere; an answer has a cap in bytes and in time.
"""

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from usbprov.errors import (
    AnswerInvalid,
    DirectoryRefused,
    DirectoryUnreachable,
    UsageError,
    UsbprovError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.net.failures import cleaned
from usbprov.net.tls import tls_context, trust_error

try:
    import ldap3
    from ldap3.core.exceptions import LDAPCommunicationError, LDAPStartTLSError
except ImportError:
    raise UsageError("reading a directory needs the Python package ldap3: usbprov[ldap]") from None

if TYPE_CHECKING:
    from usbprov.webservices.trust.directory import Bind, DirectoryAddress

logger = logging.getLogger(__name__)

_MOST_ENTRIES = 500
_MOST_BYTES = 2 * 1024 * 1024
_ERRNO = re.compile(r"\[Errno -?\d+\] ([\w ,]+)")

_WORDS: Mapping[str, str] = {
    "invalidCredentials": "name or password is wrong",
    "inappropriateAuthentication": "it does not take this kind of sign-in",
    "insufficientAccessRights": "this account may not read it",
    "strongerAuthRequired": "it wants TLS first",
    "confidentialityRequired": "it wants TLS first",
    "operationsError": "it wants a sign-in first",
    "noSuchObject": "it has no such container, or does not show it to this account",
    "unwillingToPerform": "it is not willing",
}
"""Result codes of RFC 4511 appendix A in words; others are told as they are named there."""


class Scope(StrEnum):
    """How far below its base a search goes (RFC 4511 4.5.1.2)."""

    BASE = "BASE"
    SUBTREE = "SUBTREE"


@dataclass(frozen=True)
class Entry:
    """One entry found; attribute values are bytes as they came."""

    dn: str
    attributes: Mapping[str, list[bytes]] = field(repr=False)

    def values(self, attribute: str) -> list[bytes]:
        """Return an attribute's values, with whatever options (``;binary``) it came."""
        wanted = attribute.lower()
        return [
            value
            for name, values in self.attributes.items()
            if name.lower().partition(";")[0] == wanted
            for value in values
        ]


class LdapSession:
    """A conversation with one directory. Not thread-safe; use it in a ``with`` statement."""

    def __init__(self, address: "DirectoryAddress", limits: TimeLimits) -> None:
        """Prepare; nothing is sent yet."""
        self._address = address
        self._limits = limits
        self._tls_failure: ssl.SSLError | None = None
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection, and the socket of one that never came about."""
        if self._connection is None:
            return
        with suppress(Exception):
            self._connection.strategy.close()
        if self._connection.socket is not None:
            self._connection.socket.close()

    def open(self, ca_file: Path | None, *, start_tls: bool) -> None:
        """Connect, with TLS from the beginning or by StartTLS (RFC 4511 4.14), or without.

        Raises:
            DirectoryUnreachable: There is no connection.
            DirectoryRefused: It offers no StartTLS.
            TrustError: It cannot prove who it is.
        """
        address, secured = self._address, self._address.tls or start_tls
        tls = _verified_tls(self._wrapped_by(tls_context(ca_file))) if secured else None
        server = ldap3.Server(
            address.host,
            address.port,
            use_ssl=address.tls,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=self._limits.connect,
        )
        with self._errors():
            self._connection = ldap3.Connection(
                server, auto_referrals=False, check_names=False, read_only=True
            )
            self._connection.open(read_server_info=False)
            if start_tls and not address.tls:
                self._connection.start_tls(read_server_info=False)
            if secured and not isinstance(self._connection.socket, ssl.SSLSocket):
                raise DirectoryRefused(str(address), "it does not begin TLS")
            metered = _Metered(self._connection.socket, self._limits.answer, str(address))
            self._connection.socket = metered

    def sign_in(self, bind: "Bind | None") -> None:
        """Sign in once, or say that we are nobody.

        Raises:
            DirectoryRefused: Name or password are not accepted.
        """
        connection = self._connection
        if bind is not None:
            connection.user, connection.password = bind.user, bind.password()
            connection.authentication = ldap3.SIMPLE
        with self._errors():
            done = connection.bind(read_server_info=False)
        connection.password = None
        if not done:
            raise self._refusal()

    def search(self, base: str, scope: Scope, condition: str, attribute: str) -> list[Entry]:
        """Search for entries, and one attribute of each.

        Raises:
            DirectoryRefused: The directory does not let us, or has no such base.
            DirectoryUnreachable: It broke off.
            AnswerInvalid: It is no LDAP, or too large.
        """
        connection = self._connection
        with self._errors():
            connection.search(
                base,
                condition,
                scope.value,
                dereference_aliases="NEVER",
                attributes=[attribute],
                size_limit=_MOST_ENTRIES,
            )
            if connection.result["description"] not in {"success", "sizeLimitExceeded"}:
                raise self._refusal()
            found = [e for e in connection.response if e["type"] == "searchResEntry"]
            return [Entry(cleaned(e["dn"]), dict(e["raw_attributes"])) for e in found]

    def _refusal(self) -> DirectoryRefused:
        said = cleaned(str(self._connection.result["description"]))
        return DirectoryRefused(str(self._address), _WORDS.get(said, said))

    def _wrapped_by(self, tls: ssl.SSLContext) -> "_Wrap":
        """Return what secures a connection, and remembers the reason if that fails."""

        def wrap(connection: Any) -> None:
            connection.socket.settimeout(self._limits.connect)
            try:
                connection.socket = tls.wrap_socket(
                    connection.socket, server_hostname=self._address.host
                )
            except ssl.SSLError as error:
                self._tls_failure = error
                raise

        return wrap

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the library raises into errors of the tree; it may raise anything."""
        where = str(self._address)
        try:
            yield
        except UsbprovError:
            raise
        except Exception as error:
            logger.debug("%s: %s", where, type(error).__name__)
            raise self._told(error, where) from None

    def _told(self, error: Exception, where: str) -> UsbprovError:
        if self._tls_failure is not None:
            return trust_error(self._tls_failure, where)
        if isinstance(error, LDAPStartTLSError):
            return DirectoryRefused(where, "it offers no StartTLS")
        if isinstance(error, LDAPCommunicationError | OSError):
            reason = _ERRNO.search(str(error))
            words = reason[1].lower() if reason else "the connection broke"
            return DirectoryUnreachable(
                where, "it takes too long" if "timed out" in str(error) else words
            )
        return AnswerInvalid(where, "it is not LDAP")


_Wrap = Callable[[Any], None]


def _verified_tls(wrap: _Wrap) -> ldap3.Tls:
    """Return the library's object for TLS, with nothing in it but our way to secure a socket."""

    class VerifiedTls(ldap3.Tls):  # type: ignore[misc]
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            wrap(connection)

    return VerifiedTls()


class _Socket(Protocol):
    """What is used of a socket here."""

    def recv(self, size: int, /) -> bytes: ...

    def settimeout(self, seconds: float, /) -> None: ...


class _Metered:
    """A socket whose whole conversation has a limit in bytes and in seconds."""

    def __init__(self, inner: _Socket, seconds: float, server: str) -> None:
        self._inner = inner
        self._ends = time.monotonic() + seconds
        self._left = _MOST_BYTES
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def recv(self, size: int) -> bytes:
        """Receive, if there is time left and room."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._inner.settimeout(left)
        data = self._inner.recv(size)
        self._left -= len(data)
        if self._left < 0:
            raise AnswerInvalid(self._server, f"it is larger than {_MOST_BYTES} bytes")
        return data
