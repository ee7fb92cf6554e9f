"""PKCS#10 certificate requests (RFC 2986): building and checking."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from usbprov.errors import ObjectUnreadable

_WHAT = "the certificate request"


def build_request(key: rsa.RSAPrivateKey, common_name: str) -> bytes:
    """Build a request with the one subject attribute CN, no extensions, signed with SHA-256.

    That is the form that the stock client sends and the service takes (``protocol.md`` 5.2, 13).

    Returns:
        The request as DER.
    """
    # Longer than X.520 allows is better than no request: the server takes the user from the ticket.
    attribute = x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)
    subject = x509.Name([attribute])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def load_request(der: bytes) -> x509.CertificateSigningRequest:
    """Parse a request (DER) and verify its self-signature: proof that its maker holds the key.

    Raises:
        ObjectUnreadable: It cannot be parsed, is not for an RSA key, or the signature is wrong.
    """
    try:
        request = x509.load_der_x509_csr(der)
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm, InvalidSignature) as error:
        raise ObjectUnreadable(_WHAT, str(error) or "it is not PKCS#10") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ObjectUnreadable(_WHAT, "it is not for an RSA key")
    if not signed:
        raise ObjectUnreadable(_WHAT, "its signature does not verify")
    return request
