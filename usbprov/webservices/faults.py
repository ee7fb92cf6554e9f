"""Complaints: every way in which the Web Services say no, turned into one error of the tree.

The carriers are a SOAP 1.1 fault (with ``OCSDiagnosticsFault`` or without), the header
``X-Ms-diagnostics`` in both spellings, ``ErrorInfo`` within a good answer, and bare HTTP errors
([MS-OCAUTHWS] 2.2.4, 3.1.4.1, 3.2.4.1; ``protocol.md`` 6). ``TABLE`` has what each means. Whether
an error is passing or final, and what to do about it, its class says.

Only 28020 was seen from real servers. The other numbers are those of the lab: the real list
([MS-OCER] 7.22) is not publicly readable, so the words count as much as the numbers.
"""

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    NumberShared,
    PinLocked,
    PinUnset,
    RedirectRefused,
    RegistrarUnavailable,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServiceError,
    StoreUnreachable,
)
from usbprov.net.failures import cleaned
from usbprov.tape.clock import now
from usbprov.webservices.session import REDIRECTS, Answer
from usbprov.webservices.xmlsafe import descendants, find_path, parse, text_of

if TYPE_CHECKING:
    from lxml import etree

_OK = 200
_WORDS_READ = 1000
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True)
class Complaint:
    """What a server complains of, in its own words.

    Attributes:
        words: The reason, for people; hostile until cleaned.
        error_id: The number of [MS-OCER], or None.
        fault_code: Local name of the SOAP fault code, or ``""``.
    """

    words: str
    error_id: int | None = None
    fault_code: str = ""


@dataclass(frozen=True)
class Sign:
    """By what a complaint is recognised: any one of what is given.

    Attributes:
        ids: Numbers of [MS-OCER].
        words: What its words contain.
        codes: Fault codes, by local name.
        accidents: Fault codes that count only without a number: a numbered diagnosis was made
            for this request, so it is no accident.
        statuses: HTTP status codes, where nothing else is told.
        dated: Whether the header ``Retry-After`` must be there besides.
        anything: Recognises every complaint.
    """

    ids: frozenset[int] = frozenset()
    words: re.Pattern[str] | None = None
    codes: frozenset[str] = frozenset()
    accidents: frozenset[str] = frozenset()
    statuses: Container[int] = ()
    dated: bool = False
    anything: bool = False

    def fits(self, complaint: Complaint) -> bool:
        """Say whether this is such a complaint."""
        return (
            self.anything
            or complaint.error_id in self.ids
            or bool(self.words and self.words.search(complaint.words[:_WORDS_READ]))
            or complaint.fault_code in self.codes
            or (complaint.error_id is None and complaint.fault_code in self.accidents)
        )

    def fits_status(self, answer: Answer) -> bool:
        """Say whether this is such an answer, which tells nothing but its status."""
        return answer.status in self.statuses and ("Retry-After" in answer.headers) >= self.dated


@dataclass(frozen=True)
class _Case:
    """What is known when the error is made; the words are fit for a terminal."""

    answer: Answer
    words: str
    error_id: int | None = None
    secrets: Iterable[str] = ()


_Maker = Callable[[_Case], ServiceError]
_Worded = CredentialRefused | RequestRefused | StoreUnreachable | RegistrarUnavailable


def _told(kind: type[_Worded]) -> _Maker:
    return lambda case: kind(case.answer.server, case.words, case.error_id)


def _failed(case: _Case) -> ServiceError:
    return ServerFailed(case.answer.server, case.answer.status, case.words)


def _busy(case: _Case) -> ServiceError:
    return ServerBusy(case.answer.server, case.words, retry_after(case.answer))


def _redirected(case: _Case) -> ServiceError:
    try:
        host = urlsplit(case.answer.headers.get("Location", "")).hostname
    except ValueError:
        host = None
    where = f" to {cleaned(host, case.secrets)}" if host else ""
    problem = f"{_status_words(case.answer)}{where}, in answer to what is sent once only"
    return RedirectRefused(case.answer.server, problem)


def _no_answer(case: _Case) -> ServiceError:
    words = f"{_status_words(case.answer)} is not the answer to this request"
    return AnswerInvalid(case.answer.server, words)


def _about(subject: str, trouble: str) -> re.Pattern[str]:
    """Match a subject with its trouble after it, not far off, whatever the case."""
    return re.compile(rf"\b{subject}\b.{{0,120}}\b(?:{trouble})\b", re.IGNORECASE | re.DOTALL)


_DOWN = (
    "unavailable|not available|unreachable|(?:not|cannot) be (?:reached|contacted)|not running|"
    "(?:not|no) (?:respond|responding|response)|down"
)
_UNSET = "not (?:been )?set|never (?:been )?set|expired"
_SHARED = "not unique|shared|ambiguous|more than one|several|multiple"

TABLE: tuple[tuple[Sign, _Maker], ...] = (
    # --- what is told of the PIN, whatever the carrier
    (Sign(ids=frozenset({28901}), words=_about("PIN", "locked|locked out")), _told(PinLocked)),
    (Sign(ids=frozenset({28902, 28903}), words=_about("PIN", _UNSET)), _told(PinUnset)),
    (Sign(words=re.compile(r"\bno PIN\b", re.IGNORECASE)), _told(PinUnset)),
    (
        Sign(ids=frozenset({28904}), words=_about("(?:number|extension)", _SHARED)),
        _told(NumberShared),
    ),
    (Sign(words=_about(f"(?:{_SHARED}) users", "number|extension")), _told(NumberShared)),
    # --- what stands behind the Web Services (Problems 1 and 2 of the phones' own help)
    (Sign(ids=frozenset({28911}), words=_about("store", _DOWN)), _told(StoreUnreachable)),
    (Sign(ids=frozenset({28912}), words=_about("registrar", _DOWN)), _told(RegistrarUnavailable)),
    # --- the credentials: WSS 1.1 12, WS-Trust 1.3 11
    (
        Sign(
            ids=frozenset({28020}),
            codes=frozenset(
                {
                    "FailedAuthentication",
                    "FailedCheck",
                    "InvalidSecurity",
                    "InvalidSecurityToken",
                    "MessageExpired",
                    "SecurityTokenUnavailable",
                    "UnsupportedSecurityToken",
                }
            ),
        ),
        _told(CredentialRefused),
    ),
    # --- the server itself: what WCF says, and SOAP 1.1 4.4.1
    (Sign(accidents=frozenset({"ServerTooBusy"})), _busy),
    (Sign(accidents=frozenset({"ActivationFailed", "InternalServiceFault", "Server"})), _failed),
    # --- any other complaint is about the request
    (Sign(anything=True), _told(RequestRefused)),
)
"""What each complaint means; the first sign that fits counts."""

STATUS_TABLE: tuple[tuple[Sign, _Maker], ...] = (
    (Sign(statuses={401, 407}), _told(CredentialRefused)),
    (Sign(statuses={429}), _busy),
    (Sign(statuses={503}, dated=True), _busy),
    (Sign(statuses={408}), _failed),
    (Sign(statuses=REDIRECTS), _redirected),
    (Sign(statuses=range(500, 1000)), _failed),
    (Sign(statuses=range(400, 500)), _told(RequestRefused)),
    (Sign(statuses=range(1000)), _no_answer),
)
"""What an HTTP status means where nothing else is told. The body is no source of words: it may be
any page."""

_CHALLENGE = re.compile(r"\b(?:NTLM|Negotiate|Kerberos)\s+[A-Za-z0-9+/]{8}", re.IGNORECASE)
"""A token of the server's: a refusal has none, a sign-in that is to go on has one."""

_DIAGNOSTICS_ID = re.compile(r"\s*(\d{1,9})\s*;")
_DIAGNOSTICS_KEYED = re.compile(r"""(reason|faultcode)\s*=\s*"([^"]*)\"""", re.IGNORECASE)
_DIAGNOSTICS_QUOTED = re.compile(r""";\s*"([^"]*)\"""")


def complaint_error(answer: Answer, secrets: Iterable[str] = ()) -> ServiceError | None:
    """Return the error that an answer to a SOAP request means, or None if it is no complaint.

    Args:
        answer: The answer; one with status 200 and no fault is none.
        secrets: Texts that were sent and must not come back in the server's words.
    """
    complaint = soap_fault(answer) or header_diagnostics(answer)
    if complaint is not None:
        return error_for(complaint, answer, secrets)
    return None if answer.status == _OK else status_error(answer, secrets)


def error_for(complaint: Complaint, answer: Answer, secrets: Iterable[str] = ()) -> ServiceError:
    """Return the error that a complaint means."""
    case = _Case(answer, cleaned(complaint.words, secrets), complaint.error_id)
    return next(make for sign, make in TABLE if sign.fits(complaint))(case)


def status_error(answer: Answer, secrets: Iterable[str] = ()) -> ServiceError:
    """Return the error that an HTTP status other than 200 means where nothing else is said."""
    make = next(make for sign, make in STATUS_TABLE if sign.fits_status(answer))
    phrase = answer.phrase if make is _failed else _status_words(answer)
    return make(_Case(answer, phrase, secrets=secrets))


def _status_words(answer: Answer) -> str:
    words = f"HTTP status {answer.status} {answer.phrase}".rstrip()
    again = _CHALLENGE.search(answer.headers.get("WWW-Authenticate", ""))
    return f"{words}, with another challenge" if again else words


def retry_after(answer: Answer) -> float | None:
    """Return the header ``Retry-After`` in seconds from now (RFC 9110 10.2.3); None without it."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - now()).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def soap_fault(answer: Answer) -> Complaint | None:
    """Read the SOAP fault of an answer, if it has one."""
    if b"Fault" not in answer.body or b"Envelope" not in answer.body:
        return None
    try:
        root = parse(answer.body, answer.server).root
    except AnswerInvalid:
        if answer.status == _OK:
            raise
        return None
    fault = find_path(root, "Body", "Fault")
    return None if fault is None else _fault_complaint(fault)


def _fault_complaint(fault: "etree._Element") -> Complaint:
    detail = find_path(fault, "detail", "OCSDiagnosticsFault", "Ms-Diagnostics-Fault")
    words = text_of(find_path(fault, "faultstring"))
    code = text_of(find_path(fault, "faultcode")).rpartition(":")[2]
    if detail is None:
        return Complaint(words or code, fault_code=code)
    reason = text_of(find_path(detail, "Reason"))
    return Complaint(reason or words, _number(text_of(find_path(detail, "ErrorId"))), code)


def header_diagnostics(answer: Answer) -> Complaint | None:
    """Read the header ``X-Ms-diagnostics``, with keys or as the bare list of the specification."""
    value = answer.headers.get("X-Ms-diagnostics", "")
    number = _DIAGNOSTICS_ID.match(value)
    if number is None:
        return None
    keyed = {key.lower(): text for key, text in _DIAGNOSTICS_KEYED.findall(value)}
    quoted = [*_DIAGNOSTICS_QUOTED.findall(value), "", "", ""]
    reason = keyed.get("reason", quoted[1])
    code = keyed.get("faultcode", quoted[2])
    return Complaint(reason, int(number[1]), code.rpartition(":")[2])


def error_info(response: "etree._Element") -> Complaint | None:
    """Read the ``ErrorInfo`` of a certificate service's answer, if it has one.

    Its children are not publicly known; ``ErrorId`` and ``Reason`` at any depth are understood,
    else all its text is the reason.
    """
    info = next(descendants(response, "ErrorInfo"), None)
    if info is None:
        return None
    texts = {name: text_of(next(descendants(info, name), None)) for name in ("ErrorId", "Reason")}
    everything = " ".join(str(text) for text in info.itertext(with_tail=False))[:_WORDS_READ]
    return Complaint(texts["Reason"] or everything, _number(texts["ErrorId"]))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
