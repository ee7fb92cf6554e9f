"""The chain download: the issuers of the server's certificate, over plain HTTP, for anybody.

Lab choice: real servers publish the address (``CAHandlerInternalAnonUri``) and send PKCS#7, but the
message is not publicly known. Everything that a packet trace may correct is in this module: a GET
is answered with a degenerate PKCS#7 (RFC 5652 5.2, certificates only) in base64, a POST with the
same in a SOAP envelope.
"""

import base64
import textwrap
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from usbprov.lab.names import BASE64_BINARY, OCS_AUTH, tag
from usbprov.lab.soap import Fault, Message, SoapFault, element, envelope, sub

CHAIN_ACTION = OCS_AUTH + "GetCertChain"
MEDIA_TYPE = "application/x-pkcs7-certificates"

_COLUMNS = 64


def chain_document(issuers: Sequence[x509.Certificate]) -> bytes:
    """Answer a GET.

    Args:
        issuers: From the server's issuer to the root.
    """
    der = pkcs7.serialize_certificates(list(issuers), Encoding.DER)
    lines = textwrap.wrap(base64.b64encode(der).decode(), _COLUMNS)
    return "".join(f"{line}\r\n" for line in lines).encode()


def chain_answer(message: Message, issuers: Sequence[x509.Certificate]) -> bytes:
    """Answer a POST.

    Raises:
        SoapFault: The body is not ``GetCertChain``.
    """
    if message.content.tag != tag(OCS_AUTH, "GetCertChain"):
        raise SoapFault(Fault.ACTION, "no GetCertChain")
    root = element(OCS_AUTH, "GetCertChainResponse")
    holder = sub(root, OCS_AUTH, "CertChain", chain_document(issuers).decode())
    holder.set("EncodingType", BASE64_BINARY)
    return envelope(root)
