"""What the client agrees on with a server's share of ECDHE, and what it refuses."""

from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from usbprov.registrar.curves import agree
from usbprov.registrar.records import AesCbc
from usbprov.registrar.tlslite_names import (
    GroupName,
    TLSIllegalParameterException,
    create_aes,
)

P256, P384 = GroupName.secp256r1, GroupName.secp384r1


def _share(key: ec.EllipticCurvePrivateKey, shape: PublicFormat) -> bytearray:
    return bytearray(key.public_key().public_bytes(Encoding.X962, shape))


@pytest.mark.parametrize(
    ("group", "curve"), [(P256, ec.SECP256R1()), (P384, ec.SECP384R1())], ids=["P-256", "P-384"]
)
def test_both_sides_have_the_same_secret(group: int, curve: ec.EllipticCurve) -> None:
    server = ec.generate_private_key(curve)
    share = _share(server, PublicFormat.UncompressedPoint)
    exchange = SimpleNamespace(acceptedCurves=[P256, P384], ecdhYc=None)
    secret = agree(exchange, None, SimpleNamespace(named_curve=group, ecdh_Ys=share))
    client = ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes(exchange.ecdhYc))
    assert secret == server.exchange(ec.ECDH(), client)


_SERVER = ec.generate_private_key(ec.SECP256R1())
_POINT = _share(_SERVER, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize(
    ("group", "share"),
    [
        pytest.param(P384, _POINT, id="another curve's point"),
        pytest.param(P256, _POINT[:-1] + bytes([_POINT[-1] ^ 1]), id="off the curve"),
        pytest.param(P256, _POINT[:-1], id="cut off"),
        pytest.param(P256, b"", id="empty"),
        pytest.param(P256, b"\0", id="the point at infinity"),
        pytest.param(P256, _share(_SERVER, PublicFormat.CompressedPoint), id="compressed"),
        pytest.param(GroupName.x25519, bytes(range(32)), id="a curve that nobody offered"),
        pytest.param(GroupName.secp521r1, _POINT, id="a curve that is not known"),
    ],
)
def test_a_share_that_cannot_be_used_is_refused(group: int, share: bytes) -> None:
    exchange = SimpleNamespace(acceptedCurves=[P256, P384], ecdhYc=None)
    with pytest.raises(TLSIllegalParameterException):
        agree(exchange, None, SimpleNamespace(named_curve=group, ecdh_Ys=bytearray(share)))


@pytest.mark.parametrize("size", [16, 32], ids=["AES-128", "AES-256"])
def test_records_are_encrypted_as_the_library_does_it(size: int) -> None:
    key, iv = bytearray(range(size)), bytearray(range(100, 116))
    ours, its = AesCbc(key, iv), create_aes(key, iv, ["python"])
    back = AesCbc(key, iv)
    for blocks in (1, 3):  # the second goes on where the first ended
        text = bytearray(range(16 * blocks))
        encrypted = ours.encrypt(text[:])
        assert encrypted == its.encrypt(text[:])
        assert back.decrypt(encrypted[:]) == text
    assert (ours.name, ours.block_size) == (its.name, its.block_size)


def test_a_curve_that_was_not_offered_is_refused() -> None:
    exchange = SimpleNamespace(acceptedCurves=[P384], ecdhYc=None)
    with pytest.raises(TLSIllegalParameterException):
        agree(exchange, None, SimpleNamespace(named_curve=P256, ecdh_Ys=_POINT))
