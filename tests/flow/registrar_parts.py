"""What tests of the lab's Registrar need: certificates, published past the Web Services."""

import functools
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from doubles.sip_client import instance_of

from usbprov.lab.authority import DEFAULT_VALIDITY, UserIssuer, open_authority
from usbprov.lab.layout import Layout
from usbprov.lab.registrar.signins import SignIn, sign_ins
from usbprov.lab.store import NewCertificate, PoolStores
from usbprov.lab.up import Lab
from usbprov.pki.certificates import summarise, to_der

ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
EPID = "2ebb6f264f"


@dataclass(frozen=True)
class Enrolled:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    device: uuid.UUID


@functools.cache
def user_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def enrol(
    lab: Lab,
    uri: str = ALICE,
    *,
    epid: str = EPID,
    life: timedelta = DEFAULT_VALIDITY,
    key: rsa.RSAPrivateKey | None = None,
    publish: bool = True,
) -> Enrolled:
    """Issue and publish a certificate as the lab's Web Services do."""
    layout = Layout(lab.facts.ca_file.parents[1])
    user = next(user for user in lab.facts.users if user.sip_uri == uri)
    issuer = UserIssuer(open_authority(layout.authority, ["localhost"]).services)
    key, device = key or user_key(), instance_of(epid)
    certificate = issuer.issue(key.public_key(), user.entity, datetime.now(UTC), life)
    facts = summarise(certificate)
    if publish:
        new = NewCertificate(
            to_der(certificate), facts.sha256, facts.serial, facts.not_before, facts.not_after
        )
        PoolStores(layout.stores).of(user).publish(user, str(device), new)
    return Enrolled(certificate, key, device)


def last_sign_in(lab: Lab) -> SignIn:
    return sign_ins(lab.facts.ca_file.parents[1])[-1]
