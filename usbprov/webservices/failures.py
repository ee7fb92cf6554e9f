"""Exchanges that end without an answer: what sockets, TLS and HTTP raise, as errors of the tree."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from usbprov.errors import (
    AnswerInvalid,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    TrustError,
)
from usbprov.webservices.tls import trust_error

Failure = ServiceError | TrustError


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
    return trust_error(case.error, case.server)


def _unreachable(words: str) -> Callable[[_Case], Failure]:
    return lambda case: ServerUnreachable(case.server, words)


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
    (ssl.SSLError, _tls),
    (socket.gaierror, _unreachable("the name is not known")),
    (ConnectionRefusedError, _unreachable("it refuses the connection")),
    (NewConnectionError, _not_connected),
    (ConnectTimeoutError, _no_connection),
    (ReadTimeoutError, _timed_out),
    (TimeoutError, _timed_out),
    (ConnectionError, _unreachable(_BROKEN)),
    (http.client.IncompleteRead, _unreachable(_BROKEN)),
    (http.client.HTTPException, _no_http),
)
