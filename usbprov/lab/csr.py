"""Reading of PKCS#10 requests, as the certificate service takes them.

Stock clients write the version field as 2, against RFC 2986, which knows 0 only, and the
service takes that. The field is under the signature, so the signature is verified over the
bytes as sent, and only a copy with version 0 is given to the parser.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_SEQUENCE, _INTEGER = 0x30, 0x02
_VERSIONS = range(3)
_HASHES = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)


def requested_key(der: bytes) -> rsa.RSAPublicKey:
    """Return the key of a request (DER) whose self-signature verifies.

    Raises:
        ValueError: It is no PKCS#10 request for an RSA key, or its signature is wrong.
    """
    signed, version_at = _signed_part(der)
    if der[version_at] not in _VERSIONS:
        raise ValueError("version")
    standard = der[:version_at] + b"\x00" + der[version_at + 1 :]
    try:
        request = x509.load_der_x509_csr(standard)
        key, algorithm = request.public_key(), request.signature_hash_algorithm
        scheme = request.signature_algorithm_parameters
    except (UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("algorithm") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - about bytes, not a Python type
    if not isinstance(algorithm, _HASHES) or not isinstance(scheme, padding.PKCS1v15):
        raise ValueError("signature algorithm")  # noqa: TRY004 - the same
    try:
        key.verify(request.signature, signed, scheme, algorithm)
    except InvalidSignature:
        raise ValueError("signature") from None
    return key


def _signed_part(der: bytes) -> tuple[bytes, int]:
    """Return CertificationRequestInfo (RFC 2986 4.1) and where its version's value stands."""
    start, end = _value(der, 0, _SEQUENCE)
    if end != len(der):
        raise ValueError("bytes after the request")
    inner, inner_end = _value(der, start, _SEQUENCE)
    version, version_end = _value(der, inner, _INTEGER)
    if version_end - version != 1:
        raise ValueError("version")
    return der[start:inner_end], version


def _value(der: bytes, at: int, wanted: int) -> tuple[int, int]:
    """Return begin and end of the value of the DER element at ``at`` (X.690 8.1)."""
    if at + 2 > len(der) or der[at] != wanted:
        raise ValueError("not DER")
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        begin += count
        if not 1 <= count <= 4 or begin > len(der):
            raise ValueError("length")
        length = int.from_bytes(der[at + 2 : begin], "big")
    if begin + length > len(der):
        raise ValueError("length")
    return begin, begin + length
