"""Sign-in with a user certificate: WS-Security with the X.509 token profile 1.1.

The holder sends his certificate and signs with its key, at least the ``wsu:Timestamp``
([MS-OCAUTHWS] 3.2; which parts real servers want signed is not publicly known). The certificate is
verified by looking it up among the published ones, not by building a chain.
"""

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from usbprov.lab.names import (
    BASE64_BINARY,
    DS,
    EXC_C14N,
    RSA_SHA1,
    RSA_SHA256,
    SHA1,
    SHA256,
    WSSE,
    WSU,
    X509V3,
    tag,
)
from usbprov.lab.security import canonical, check_equal, check_ids, one
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.store import PoolStores
from usbprov.lab.tickets import SKEW
from usbprov.lab.times import read_time
from usbprov.lab.users import LabUser

_LONGEST_WINDOW = timedelta(hours=1)
_MOST_REFERENCES = 8
_ID = tag(WSU, "Id")
_SIGNATURE_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    RSA_SHA1: hashes.SHA1(),  # noqa: S303 - the wire's
    RSA_SHA256: hashes.SHA256(),
}
_DIGESTS = {SHA1: hashlib.sha1, SHA256: hashlib.sha256}


class CertificateAuthentication:
    """Finds the user whose published certificate has signed a request."""

    def __init__(self, users: Sequence[LabUser], stores: PoolStores) -> None:
        self._users = {user.sip_uri: user for user in users}
        self._stores = stores

    def authenticate(self, security: etree._Element | None, now: datetime) -> LabUser:
        """Return the user.

        Args:
            security: The request's ``wsse:Security`` header.
            now: The server's time.

        Raises:
            SoapFault: The certificate is not published or not valid now, or the signature or its
                time is not right.
        """
        if security is None:
            raise SoapFault(Fault.FAILED_AUTHENTICATION, "no Security header")
        check_ids(security)
        certificate = _sent_certificate(security)
        user = self._owner(certificate)
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            raise SoapFault(Fault.INVALID_TOKEN, f"certificate of {user.sip_uri} not valid now")
        _check_window(verify_signature(security, certificate), now)
        return user

    def _owner(self, certificate: x509.Certificate) -> LabUser:
        """Look the certificate up in every pool; it counts in its user's home pool only."""
        digest = certificate.fingerprint(hashes.SHA256()).hex()
        for store in self._stores.all():
            try:
                user = self._users.get(store.owner(digest) or "")
            except sqlite3.Error:
                continue
            if user is not None and self._stores.of(user).pool == store.pool:
                return user
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "certificate not published")


def verify_signature(security: etree._Element, certificate: x509.Certificate) -> etree._Element:
    """Verify the header's signature with a certificate and return the signed timestamp.

    Raises:
        SoapFault: Anything is missing, double, of another algorithm, or does not verify; or the
            timestamp is not among what is signed.
    """
    timestamp = one(security, WSU, "Timestamp")
    signature = one(security, DS, "Signature")
    info = one(signature, DS, "SignedInfo")
    _check_key_info(security, signature)
    signed = [_verified(reference, security) for reference in _references(info)]
    _check_value(info, one(signature, DS, "SignatureValue"), certificate)
    if timestamp not in signed:
        raise SoapFault(Fault.FAILED_CHECK, "the timestamp is not signed")
    return timestamp


def _sent_certificate(security: etree._Element) -> x509.Certificate:
    token = one(security, WSSE, "BinarySecurityToken")
    if token.get("ValueType") != X509V3 or token.get("EncodingType", "").lower() not in {
        "",
        BASE64_BINARY.lower(),
        _STANDARD_BASE64.lower(),
    }:
        raise SoapFault(Fault.INVALID_TOKEN, "no X.509 token in base64")
    try:
        der = base64.b64decode("".join(text_of(token).split()), validate=True)
        return x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError):
        raise SoapFault(Fault.INVALID_TOKEN, "no certificate") from None


_STANDARD_BASE64 = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)


def _check_key_info(security: etree._Element, signature: etree._Element) -> None:
    """The signature must name the one certificate that is sent."""
    reference = one(one(signature, DS, "KeyInfo"), WSSE, "SecurityTokenReference")
    token = one(security, WSSE, "BinarySecurityToken")
    if one(reference, WSSE, "Reference").get("URI") != f"#{token.get(_ID, '')}":
        raise SoapFault(Fault.FAILED_CHECK, "the signature names another token")


def _references(info: etree._Element) -> list[etree._Element]:
    if one(info, DS, "CanonicalizationMethod").get("Algorithm") != EXC_C14N:
        raise SoapFault(Fault.FAILED_CHECK, "canonicalisation")
    found = info.findall(tag(DS, "Reference"))
    if not 1 <= len(found) <= _MOST_REFERENCES:
        raise SoapFault(Fault.FAILED_CHECK, "number of references")
    return found


def _verified(reference: etree._Element, security: etree._Element) -> etree._Element:
    """Verify the digest of what a reference names, and return that element."""
    transform = one(one(reference, DS, "Transforms"), DS, "Transform")
    method = _DIGESTS.get(one(reference, DS, "DigestMethod").get("Algorithm", ""))
    if transform.get("Algorithm") != EXC_C14N or len(transform) or method is None:
        raise SoapFault(Fault.FAILED_CHECK, "algorithm of a reference")
    named = [
        found
        for found in security.getroottree().iter(etree.Element)
        if f"#{found.get(_ID, '')}" == reference.get("URI") != "#"
    ]
    if len(named) != 1:
        raise SoapFault(Fault.FAILED_CHECK, "a reference names nothing")
    check_equal(method(canonical(named[0])).digest(), one(reference, DS, "DigestValue"), "digest")
    return named[0]


def _check_value(
    info: etree._Element, value: etree._Element, certificate: x509.Certificate
) -> None:
    method = one(info, DS, "SignatureMethod")
    algorithm = _SIGNATURE_HASHES.get(method.get("Algorithm", ""))
    key = certificate.public_key()
    if algorithm is None or len(method) or not isinstance(key, rsa.RSAPublicKey):
        raise SoapFault(Fault.FAILED_CHECK, "algorithm of the signature")
    try:
        signature = base64.b64decode("".join(text_of(value).split()), validate=True)
        key.verify(signature, canonical(info), padding.PKCS1v15(), algorithm)
    except (binascii.Error, ValueError, InvalidSignature):
        raise SoapFault(Fault.FAILED_CHECK, "signature value") from None


def _check_window(timestamp: etree._Element, now: datetime) -> None:
    try:
        created = read_time(text_of(only_child(timestamp, WSU, "Created")))
        expires = read_time(text_of(only_child(timestamp, WSU, "Expires")))
    except ValueError:
        raise SoapFault(Fault.INVALID_SECURITY, "timestamp without times") from None
    if not created < expires <= created + _LONGEST_WINDOW:
        raise SoapFault(Fault.INVALID_SECURITY, "timestamp too long")
    if not created - SKEW <= now < expires + SKEW:
        raise SoapFault(Fault.EXPIRED, "timestamp not valid now")
