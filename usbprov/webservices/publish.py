"""``GetAndPublishCert``: the certificate request, and the reading of its answer.

[MS-OCAUTHWS] 3.1.4.1; ``protocol.md`` 5. An error is told by ``ErrorInfo`` within a good answer.
"""

import textwrap
import uuid
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from typing import TYPE_CHECKING

from usbprov.errors import AnswerInvalid, ObjectUnreadable
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import load_certificate, to_der
from usbprov.webservices.faults import error_for, error_info
from usbprov.webservices.names import (
    BASE64_BINARY,
    PKCS10,
    REQUEST_ISSUE_CERTIFICATE,
    X509_TOKEN,
)
from usbprov.webservices.proof import signature, timestamp
from usbprov.webservices.session import Answer
from usbprov.webservices.ticket import Ticket
from usbprov.webservices.xmlsafe import descendants, find_path, parse, text_of

if TYPE_CHECKING:
    from lxml import etree

_LINE = 76


def security_content(ticket: Ticket) -> bytes:
    """Return what goes into ``wsse:Security``: timestamp, assertion untouched, signature."""
    stamp = timestamp(ticket.lifetime)
    return stamp + ticket.assertion + signature(stamp, ticket.key, ticket.assertion_id)


def publish_fields(
    sip_uri: str, request: bytes, endpoint: Endpoint, request_id: uuid.UUID
) -> dict[str, object]:
    """Return the content of ``GetAndPublishCert``.

    Args:
        sip_uri: The ticket's user, with ``sip:``.
        request: PKCS#10, DER.
        endpoint: The phone for which the certificate is; a new one replaces its old one.
        request_id: A fresh name for this request.
    """
    lines = textwrap.wrap(b64encode(request).decode("ascii"), _LINE)
    return {
        "DeviceId": f"{{{endpoint.instance}}}",
        "Entity": sip_uri.partition(":")[2],
        "RequestSecurityToken": {
            "TokenType": X509_TOKEN,
            "RequestType": REQUEST_ISSUE_CERTIFICATE,
            "BinarySecurityToken": {
                "ValueType": PKCS10,
                "EncodingType": BASE64_BINARY,
                # The stock client's CRLF reaches the server as this: XML 1.0 2.11.
                "_value_1": "\n" + "\n".join(lines),
            },
            "RequestID": str(request_id),
        },
    }


def read_certificate(answer: Answer, request_id: uuid.UUID, secrets: Iterable[str] = ()) -> bytes:
    """Read the answer to ``GetAndPublishCert``.

    Args:
        answer: The answer, with status 200.
        request_id: The name that the request was given.
        secrets: Texts that must not come back in the server's words.

    Returns:
        The one certificate, DER.

    Raises:
        RequestRefused: The service says so.
        StoreUnreachable: It says that it cannot reach the user store.
        RegistrarUnavailable: It says that it cannot reach the Registrar.
        AnswerInvalid: There is not exactly one certificate, or it answers another request.
    """
    root = parse(answer.body, answer.server).root
    response = find_path(root, "Body", "GetAndPublishCertResponse")
    if response is None:
        raise AnswerInvalid(answer.server, "it has no GetAndPublishCertResponse")
    complaint = error_info(response)
    if complaint is not None:
        raise error_for(complaint, answer, secrets)
    if not _echoes(response) <= {str(request_id)}:
        raise AnswerInvalid(answer.server, "it answers another request")
    tokens = list(descendants(response, "BinarySecurityToken"))
    wanted = find_path(
        response, "RequestSecurityTokenResponse", "RequestedSecurityToken", "BinarySecurityToken"
    )
    if wanted is None or len(tokens) != 1:
        raise AnswerInvalid(answer.server, f"it has {len(tokens)} certificates instead of one")
    return _certificate(text_of(wanted), answer.server)


def _echoes(response: "etree._Element") -> set[str]:
    """Return the names of requests that an answer gives back: ``RequestID`` and ``Context``.

    The request has no ``Context`` (WS-Trust 1.3 3.1), so an answer that has one must mean the
    same request all the same.
    """
    texts = [text_of(echo) for echo in descendants(response, "RequestID")]
    texts += [
        found.get("Context", "") for found in descendants(response, "RequestSecurityTokenResponse")
    ]
    return {text.lower() for text in texts} - {""}


def _certificate(text: str, server: str) -> bytes:
    try:
        return to_der(load_certificate(b64decode("".join(text.split()), validate=True)))
    except (ObjectUnreadable, Base64Error, ValueError):
        pass
    raise AnswerInvalid(server, "what it calls a certificate is none")
