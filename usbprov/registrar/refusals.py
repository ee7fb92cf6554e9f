"""Refusals: what every answer that is not the one hoped for means, in one table.

The number of ``ms-diagnostics`` ([MS-OCER]; ``protocol.md`` 6.2) tells more than SIP's status, so
it is asked first. Whether an error is passing or final, and what to do about it, its class says.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from usbprov.errors import (
    AccountNotAccepted,
    CertificateNotAccepted,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarFailed,
    SignInRefused,
    UserNotAllowed,
    UserUnknown,
)
from usbprov.net.failures import cleaned
from usbprov.registrar.message import Response
from usbprov.registrar.parameters import Diagnostic, parse_diagnostic

_CARRIERS = ("ms-diagnostics", "ms-diagnostics-public")
_CERTIFICATE_SCHEME = "TLS-DSK"


@dataclass(frozen=True)
class Case:
    """An answer that refuses.

    Attributes:
        response: The answer.
        server: Who gave it.
        user: Whose sign-in it refuses.
        scheme: By what the user was being proved, or ``""`` where nothing was proved yet.
    """

    response: Response
    server: str
    user: str
    scheme: str = ""


@dataclass(frozen=True)
class _Told:
    """A case with what it says made fit for a terminal."""

    case: Case
    words: str
    diagnostic: int | None


_Maker = Callable[[_Told], RegistrarError]


def _credential(told: _Told) -> RegistrarError:
    kind = CertificateNotAccepted if told.case.scheme == _CERTIFICATE_SCHEME else AccountNotAccepted
    return kind(told.case.server, told.words, diagnostic=told.diagnostic)


def _about_user(kind: type[UserUnknown | UserNotAllowed]) -> _Maker:
    return lambda told: kind(
        told.case.server, told.case.user, told.words, diagnostic=told.diagnostic
    )


def _with_status(kind: type[RegistrarFailed | SignInRefused]) -> _Maker:
    return lambda told: kind(
        told.case.server, told.case.response.status, told.words, diagnostic=told.diagnostic
    )


_unknown = _about_user(UserUnknown)
_not_allowed = _about_user(UserNotAllowed)
_failed = _with_status(RegistrarFailed)
_refused = _with_status(SignInRefused)


@dataclass(frozen=True)
class Row:
    """What some answers mean.

    Attributes:
        numbers: Ids of ``ms-diagnostics``.
        statuses: Status codes of SIP, where no id is known.
        make: Makes the error.
    """

    numbers: frozenset[int]
    statuses: frozenset[int]
    make: _Maker


def _row(make: _Maker, numbers: Iterable[int], statuses: Iterable[int]) -> Row:
    return Row(frozenset(numbers), frozenset(statuses), make)


TABLE = (
    _row(_credential, (1000,), (401, 407)),
    _row(_unknown, (1003, 4005, 4006), (404, 410, 604)),
    _row(_not_allowed, (4003, 4004, 4141), (403,)),
    _row(_failed, (1007,), (408, 430, 480, *range(500, 600))),
    _row(_refused, (1010, 4002, 4010, 4011, 4012), range(300, 700)),
)
"""From the particular to the general: the first row that fits counts.

4006 (user not found in pool) may pass when the user is being moved, but asks for somebody to look;
4010 to 4012 speak of the endpoint's id in our own request.
"""


def refusal(case: Case) -> RegistrarError:
    """Return the error of the tree for an answer."""
    told = _told(case)
    make = next(_makers(told), None)
    if make is None:
        problem = f"{case.response.status} is no answer to a request to sign in"
        return RegistrarAnswerInvalid(case.server, problem, diagnostic=told.diagnostic)
    return make(told)


def _makers(told: _Told) -> Iterator[_Maker]:
    status = told.case.response.status
    yield from (row.make for row in TABLE if told.diagnostic in row.numbers)
    yield from (row.make for row in TABLE if status in row.statuses)


def _told(case: Case) -> _Told:
    said = diagnostic(case.response)
    words = (said and said.reason) or case.response.reason
    return _Told(case, cleaned(words), said.number if said else None)


def diagnostic(response: Response) -> Diagnostic | None:
    """Return what ``ms-diagnostics`` says, in either of its headers, or None."""
    values = (value for name in _CARRIERS for value in response.headers.all(name))
    return next(filter(None, map(parse_diagnostic, values)), None)
