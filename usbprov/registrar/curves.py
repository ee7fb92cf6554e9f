"""ECDHE by OpenSSL in the inner handshake: the library does it in Python, at ten times the price.

Everything else of the handshake, and what it raises, stays the library's.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from usbprov.registrar.records import OpenSslRecords
from usbprov.registrar.tlslite_names import (
    AECDHKeyExchange,
    GroupName,
    TLSConnection,
    TLSIllegalParameterException,
)

_CURVES: Mapping[int, type[ec.EllipticCurve]] = {
    GroupName.secp256r1: ec.SECP256R1,
    GroupName.secp384r1: ec.SECP384R1,
}
"""The curves that are offered."""

_UNCOMPRESSED = 4
"""How a point begins in the only form that is offered (RFC 8422 5.4.1)."""


class OpenSslCurves(TLSConnection):  # type: ignore[misc]  # the library is not typed
    """A connection of the library whose client agrees on a secret, and encrypts, by OpenSSL."""

    def __init__(self, sock: object) -> None:
        super().__init__(sock)
        self._recordLayer = OpenSslRecords(self.sock)

    def _clientKeyExchange(self, *arguments: Any) -> Iterator[Any]:  # noqa: N802 - the library's
        exchange = arguments[-1]
        if isinstance(exchange, AECDHKeyExchange):
            exchange.processServerKeyExchange = partial(agree, exchange)
        found: Iterator[Any] = super()._clientKeyExchange(*arguments)
        return found


def agree(exchange: Any, _certified: object, message: Any) -> bytearray:
    """Make the client's share, and return the secret (RFC 8422 5.10).

    Args:
        exchange: The library's, which is given the share.
        _certified: The server's certified key; its signature is verified elsewhere.
        message: The ServerKeyExchange.

    Raises:
        TLSIllegalParameterException: The server's share cannot be used.
    """
    curve = _CURVES.get(message.named_curve)
    if curve is None or message.named_curve not in exchange.acceptedCurves:
        raise TLSIllegalParameterException("a curve that was not offered")
    own = ec.generate_private_key(curve())
    shape = PublicFormat.UncompressedPoint
    exchange.ecdhYc = bytearray(own.public_key().public_bytes(Encoding.X962, shape))
    return bytearray(own.exchange(ec.ECDH(), _point(curve(), bytes(message.ecdh_Ys))))


def _point(curve: ec.EllipticCurve, share: bytes) -> ec.EllipticCurvePublicKey:
    if share[:1] == bytes([_UNCOMPRESSED]):
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, share)
        except ValueError:
            pass
    raise TLSIllegalParameterException("no point of the curve")
