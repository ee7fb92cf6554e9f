"""Parts of a lab in memory, at a fixed time."""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from usbprov.lab.authority import Authority
from usbprov.lab.metadata import Endpoints
from usbprov.lab.profiles import Identity, Profile, Purpose, make_certificate
from usbprov.lab.tickets import Tickets

NOW = datetime(2012, 5, 1, 8, 0, 0, tzinfo=UTC)
"""The time in the worked examples of the protocol."""

ENDPOINTS = Endpoints("https://lyncpool.contoso.com")


SERVER = Profile("lyncpool.contoso.com", Purpose.SERVER, timedelta(days=1))


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def identity(number: int = 0) -> Identity:
    profile = Profile(f"identity {number}", Purpose.SIGNING, timedelta(days=36500))
    made = make_certificate(profile, key(number).public_key(), key(number), NOW - timedelta(days=1))
    return Identity(key(number), made)


def authority(number: int = 0, wrapping_key: bytes = bytes(32)) -> Authority:
    one = identity(number)
    nowhere = Path("/nonexistent")
    return Authority(one, one, one, one, one, SERVER, wrapping_key, nowhere, nowhere)


def tickets(number: int = 0, wrapping_key: bytes = bytes(32)) -> Tickets:
    return Tickets(authority(number, wrapping_key), ENDPOINTS)
