"""The certificate of a handshake, looked up in the user store of the user's home pool."""

import sqlite3
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from usbprov.lab.registrar.endpoints import Device
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.store import PoolStores
from usbprov.lab.users import LabUser


def check_published(
    stores: PoolStores,
    user: LabUser | None,
    device: Device,
    certificate: x509.Certificate,
    now: datetime,
) -> None:
    """See that a certificate is the one that is published for the user and his device.

    It is looked up at every sign-in, so that a revocation counts at once. Who has another user's
    certificate is told so; all else is one refusal.

    Args:
        stores: Of all pools.
        user: The user of ``From``; None if there is no such user.
        device: The device of the REGISTER.
        certificate: What the client has proved to have the key of.
        now: The server's time.

    Raises:
        Refused: It is not, or it is not valid now.
    """
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    found = _publication(stores, user, digest) if user else None
    if found is None and _is_of_another(stores, user, digest):
        raise Refused(Refusal.OTHER_USER, "the certificate is another user's")
    if found is None:
        raise Refused(Refusal.HANDSHAKE, "certificate not published in the user's home pool")
    if found != str(device.instance):
        raise Refused(Refusal.HANDSHAKE, "certificate published for another device")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Refused(Refusal.HANDSHAKE, "certificate not valid now")


def _publication(stores: PoolStores, user: LabUser, digest: str) -> str | None:
    """Return the device for which it is published for the user in his home pool."""
    try:
        return stores.of(user).device_of(user.sip_uri, digest)
    except sqlite3.Error:
        raise Refused(Refusal.BUSY, "the home pool's store cannot be reached") from None


def _is_of_another(stores: PoolStores, user: LabUser | None, digest: str) -> bool:
    for store in stores.all():
        try:
            owner = store.owner(digest)
        except sqlite3.Error:
            continue
        if owner and (user is None or owner != user.sip_uri):
            return True
    return False
