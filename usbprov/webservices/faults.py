"""Complaints: every way in which the Web Services say no, turned into one error of the tree.

The carriers are a SOAP 1.1 fault (with ``OCSDiagnosticsFault`` or without), the header
``X-Ms-diagnostics`` in both spellings, ``ErrorInfo`` within a good answer, and bare HTTP errors
([MS-OCAUTHWS] 2.2.4, 3.1.4.1, 3.2.4.1; ``protocol.md`` 6). A complaint about the request or the
credentials is final; only a server that is down, or its user store, is worth a repeat.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, assert_never

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    RequestRefused,
    ServerFailed,
    ServiceError,
)
from usbprov.webservices.session import Answer
from usbprov.webservices.xmlsafe import descendants, find_path, parse, text_of

if TYPE_CHECKING:
    from lxml import etree

_MOST_WORDS = 200
_OK = 200


class Class(Enum):
    """What a complaint is about."""

    CREDENTIAL = auto()
    REQUEST = auto()
    SERVER = auto()


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


_BY_ERROR_ID = {28020: Class.CREDENTIAL}

_BY_FAULT_CODE = {
    # WSS 1.1 12, WS-Trust 1.3 11
    "FailedAuthentication": Class.CREDENTIAL,
    "FailedCheck": Class.CREDENTIAL,
    "InvalidSecurity": Class.CREDENTIAL,
    "InvalidSecurityToken": Class.CREDENTIAL,
    "MessageExpired": Class.CREDENTIAL,
    "SecurityTokenUnavailable": Class.CREDENTIAL,
    "UnsupportedSecurityToken": Class.CREDENTIAL,
    # SOAP 1.1 4.4.1, and what WCF says of itself
    "ActivationFailed": Class.SERVER,
    "InternalServiceFault": Class.SERVER,
    "Server": Class.SERVER,
    "ServerTooBusy": Class.SERVER,
}

_BY_STATUS = {401: Class.CREDENTIAL, 407: Class.CREDENTIAL, 408: Class.SERVER, 429: Class.SERVER}

_STORE_DOWN = re.compile(
    r"\bstore\b.*\b(unavailable|not available|unreachable|not be reached|cannot be reached)\b",
    re.IGNORECASE | re.DOTALL,
)
"""The one passing trouble that the service tells in ``ErrorInfo`` (``protocol.md`` 5.5)."""

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
    return None if answer.status == _OK else status_error(answer)


def error_for(complaint: Complaint, answer: Answer, secrets: Iterable[str] = ()) -> ServiceError:
    """Return the error that a complaint means."""
    words = _cleaned(complaint.words, secrets)
    return _error(_class(complaint), answer, words, complaint.error_id)


def _class(complaint: Complaint) -> Class:
    if _STORE_DOWN.search(complaint.words):
        return Class.SERVER
    by_code = _BY_FAULT_CODE.get(complaint.fault_code, Class.REQUEST)
    if complaint.error_id is None:
        return by_code
    # A numbered diagnosis was made for this request: whatever the code, it is no accident.
    told = Class.REQUEST if by_code is Class.SERVER else by_code
    return _BY_ERROR_ID.get(complaint.error_id, told)


def status_error(answer: Answer) -> ServiceError:
    """Return the error that an HTTP status other than 200 means where nothing else is said.

    The body is no source of words: it may be any page.
    """
    words = f"HTTP status {answer.status} {answer.phrase}".rstrip()
    if answer.status < 400:
        return AnswerInvalid(answer.server, f"{words} is not the answer to this request")
    by_hundred = Class.SERVER if answer.status >= 500 else Class.REQUEST
    return _error(_BY_STATUS.get(answer.status, by_hundred), answer, words, None)


def _error(kind: Class, answer: Answer, words: str, error_id: int | None) -> ServiceError:
    match kind:
        case Class.CREDENTIAL:
            return CredentialRefused(answer.server, words, error_id)
        case Class.REQUEST:
            return RequestRefused(answer.server, words, error_id)
        case Class.SERVER:
            bare = words.startswith("HTTP status")
            return ServerFailed(answer.server, answer.status, answer.phrase if bare else words)
    assert_never(kind)


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
    everything = " ".join(str(text) for text in info.itertext(with_tail=False))
    return Complaint(texts["Reason"] or everything, _number(texts["ErrorId"]))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _cleaned(words: str, secrets: Iterable[str]) -> str:
    """Make a server's words fit for a terminal: one line, no control characters, not too long."""
    for secret in secrets:
        words = words.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line[:_MOST_WORDS] or "no reason given"
