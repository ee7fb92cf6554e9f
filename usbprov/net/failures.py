"""Exchanges that end without an answer: what sockets, TLS and HTTP raise, as errors of the tree."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from usbprov.errors import (
    AnswerInvalid,
    ObjectUnreadable,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    TrustError,
)
from usbprov.net.tls import look_at_chain, trust_error
from usbprov.pki.certificates import load_certificate, shown_name, thumbprint
from usbprov.tape.words import without_blobs

Failure = ServiceError | TrustError

_MOST_WORDS = 200
_WORDS_READ = 4000
_MOST_CERTIFICATES = 10
_HTTPS_PORT = 443


@dataclass(frozen=True)
class _Case:
    """What was raised, talking to whom, after how many seconds."""

    error: BaseException
    server: str
    seconds: float


def exchange_error(error: BaseException, server: str, seconds: float) -> Failure:
    """Turn an exception into the error of the tree that tells its root cause.

    Libraries wrap one exception in another; the table is asked in its order, each row about the
    whole nest.

    Args:
        error: What was raised.
        server: Who was talked to.
        seconds: How long it lasted.
    """
    nest = list(_nest(error))
    for kind, turn in _TURNS:
        found = next((inner for inner in nest if isinstance(inner, kind)), None)
        if found is not None:
            return turn(_Case(found, server, seconds))
    return ServerUnreachable(server, "the connection failed")


def _nest(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that are within it, each once."""
    left, seen = [error], set[int]()
    while left:
        found = left.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = [*found.args, getattr(found, "reason", None), found.__cause__, found.__context__]
        left.extend(item for item in inner if isinstance(item, BaseException))


def _tls(case: _Case) -> Failure:
    assert isinstance(case.error, ssl.SSLError)  # noqa: S101 - the table's own row
    return trust_error(case.error, case.server, presented_lines(case.server))


def presented_lines(server: str) -> tuple[str, ...]:
    """Describe what a server presents, a line a certificate, by a handshake of its own.

    Nothing that is got so is verified or used: it is what a person looks at, to see why the
    server was refused.

    Args:
        server: ``host`` or ``host:port``.
    """
    parts = urlsplit(f"//{server}")
    presented = look_at_chain(parts.hostname or "", parts.port or _HTTPS_PORT)
    return tuple(_certificate_line(der) for der in presented[:_MOST_CERTIFICATES])


def _certificate_line(der: bytes) -> str:
    try:
        certificate = load_certificate(der)
    except ObjectUnreadable as error:
        return cleaned(str(error))
    subject, issuer = shown_name(certificate.subject), shown_name(certificate.issuer)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        f"{subject}, issued by {issuer}, valid {begin:%Y-%m-%d} to {end:%Y-%m-%d} UTC, "
        f"SHA-256 {thumbprint(certificate)}"
    )


def cleaned(words: str, secrets: Iterable[str] = ()) -> str:
    """Make a server's words fit for a terminal: one line, no control characters, not too long.

    It may give back what it was sent. So known secrets are taken out before anything is cut, and
    so is what no person wrote: a piece of a ticket, a share of a key.

    Args:
        words: Any text.
        secrets: Texts that were sent and must not come back.
    """
    for secret in secrets:
        words = words.replace(secret, "***")
    words = without_blobs(words)[:_WORDS_READ]
    if not words.isprintable():
        words = "".join(c if c.isprintable() else " " for c in words)
    line = " ".join(words.split())
    return line[:_MOST_WORDS] or "no reason given"


def _unreachable(words: str) -> Callable[[_Case], Failure]:
    return lambda case: ServerUnreachable(case.server, words)


def _broken(words: str) -> Callable[[_Case], Failure]:
    return lambda case: ServerUnreachable(case.server, words, connected=True)


def _no_connection(case: _Case) -> Failure:
    return ServerUnreachable(case.server, f"no connection within {case.seconds:.3g} s")


def _not_connected(case: _Case) -> Failure:
    words = (
        getattr(case.error.__cause__ or case.error.__context__, "strerror", None)
        or "the connection failed"
    )
    return ServerUnreachable(case.server, str(words).lower())


def _timed_out(case: _Case) -> Failure:
    return ServerTimeout(case.server, float(f"{case.seconds:.3g}"))


def _no_http(case: _Case) -> Failure:
    return AnswerInvalid(case.server, "it is not HTTP")


_BROKEN = "the connection broke before the whole answer was here"

_TURNS: tuple[tuple[type[BaseException], Callable[[_Case], Failure]], ...] = (
    (ssl.SSLEOFError, _broken("it closes the connection where TLS should begin or go on")),
    (ssl.SSLError, _tls),
    (socket.gaierror, _unreachable("the name is not known")),
    (ConnectionRefusedError, _unreachable("it refuses the connection")),
    (NewConnectionError, _not_connected),
    (ConnectTimeoutError, _no_connection),
    (ReadTimeoutError, _timed_out),
    (TimeoutError, _timed_out),
    (ConnectionError, _broken(_BROKEN)),
    (http.client.IncompleteRead, _broken(_BROKEN)),
    (http.client.HTTPException, _no_http),
)
