"""Which of the offered schemes a credential is for, and the association that uses it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from usbprov.errors import NotOffered, SchemeNotOffered, ServerUnreachable, UsageError
from usbprov.net import kerberos
from usbprov.net.credentials import CertificateCredential, Way, WindowsCredential
from usbprov.registrar.association import Association
from usbprov.registrar.challenges import names
from usbprov.registrar.connection import Connection
from usbprov.registrar.identity import check_identity
from usbprov.registrar.kerberos import Kerberos
from usbprov.registrar.ntlm import Ntlm
from usbprov.registrar.parameters import Authentication
from usbprov.registrar.tls_dsk import TlsDsk

logger = logging.getLogger(__name__)

Offered = Sequence[Authentication]

_SERVICE = "sip"
"""Service class of a Registrar's principal, where its ``targetname`` does not say one."""


@dataclass(frozen=True)
class Chosen:
    """What was chosen.

    Attributes:
        association: It proves the user, and signs.
        offer: What the Registrar said of it.
    """

    association: Association
    offer: Authentication


@dataclass(frozen=True)
class _Case:
    offered: Offered
    connection: Connection
    stack: ExitStack


def choose(
    credential: CertificateCredential | WindowsCredential,
    offered: Offered,
    connection: Connection,
    stack: ExitStack,
) -> Chosen:
    """Choose a scheme for a credential, and prepare it.

    Args:
        credential: What proves the user.
        offered: What the Registrar takes.
        connection: To the Registrar.
        stack: Keeps what must be given up in the end.

    Raises:
        SchemeNotOffered: The Registrar takes nothing that the credential is for.
        UsageError: This computer lacks what the scheme needs.
        CertificateUnfit: The certificate's key cannot be used.
    """
    case = _Case(offered, connection, stack)
    if isinstance(credential, CertificateCredential):
        return _certificate(credential, case)
    return _BY_WAY[credential.way](credential, case)


def _certificate(credential: CertificateCredential, case: _Case) -> Chosen:
    offer = _offer(case, TlsDsk.scheme)

    def check(presented: list[bytes]) -> None:
        check_identity(presented, offer.get("targetname"), case.connection)

    return Chosen(TlsDsk(credential, case.connection.server, check), offer)


def _ntlm(credential: WindowsCredential, case: _Case) -> Chosen:
    offer = _offer(case, Ntlm.scheme)
    if not credential.login or credential.password is None:
        raise UsageError("NTLM needs an account and its password")
    server = case.connection.server
    return Chosen(Ntlm(credential.login, credential.password, server), offer)


def _kerberos(credential: WindowsCredential, case: _Case) -> Chosen:
    offer = _offer(case, Kerberos.scheme)
    service, _, host = offer.get("targetname").rpartition("/")
    server = case.connection.server
    cache = case.stack.enter_context(
        kerberos.credential_cache(credential.login, credential.password)
    )
    context, token = kerberos.begin_signing(cache, service or _SERVICE, host, server)
    return Chosen(Kerberos(context, token), offer)


def _negotiate(credential: WindowsCredential, case: _Case) -> Chosen:
    """Kerberos if it is to be had; but a password that a KDC refused is not tried by NTLM, too."""
    try:
        return _kerberos(credential, case)
    except (NotOffered, SchemeNotOffered, ServerUnreachable, UsageError) as error:
        if credential.password is None:
            raise
        logger.debug("no Kerberos, so NTLM: %s", error)
    return _ntlm(credential, case)


def _offer(case: _Case, scheme: str) -> Authentication:
    """Return what is offered for a scheme."""
    for offer in case.offered:
        if offer.scheme.upper() == scheme.upper():
            return offer
    offered = " and ".join(names(case.offered)) or "nothing"
    raise SchemeNotOffered(case.connection.server, scheme, offered)


_BY_WAY: Mapping[Way, Callable[[WindowsCredential, _Case], Chosen]] = {
    Way.NTLM: _ntlm,
    Way.KERBEROS: _kerberos,
    Way.NEGOTIATE: _negotiate,
}
