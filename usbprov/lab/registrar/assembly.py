"""The Registrar put together from its parts. Needs the ``lab`` extra."""

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usbprov.lab.accounts import Accounts
from usbprov.lab.authority import Authority
from usbprov.lab.calls import CallLog
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.layout import Layout
from usbprov.lab.policy import Policy
from usbprov.lab.presented import Presentation
from usbprov.lab.registrar.dsk import TlsDsk
from usbprov.lab.registrar.handshake import Presented
from usbprov.lab.registrar.homes import Homes, Seat
from usbprov.lab.registrar.kerberos import open_kerberos
from usbprov.lab.registrar.negotiations import Scheme
from usbprov.lab.registrar.server import Doors, SipServer
from usbprov.lab.registrar.service import Registrar
from usbprov.lab.registrar.signins import SignIns
from usbprov.lab.registrar.turns import Parts
from usbprov.lab.registrar.windows import Ntlm
from usbprov.lab.store import PoolStores
from usbprov.lab.times import Clock
from usbprov.lab.users import LabUser


@dataclass(frozen=True)
class RegistrarSite:
    """What is to be served.

    Attributes:
        layout: The lab's folder.
        host: The server's name.
        sockets: Bound to both ports.
        addresses: ``host:port`` of both.
        sts_uri: Where a client gets a certificate.
        authority: Has the server's key.
        presentation: Has the chain that is sent with it.
        users: Who there is.
        stores: Where certificates are looked up.
        policy: What is offered.
        faults: What goes wrong.
        clock: The server's time.
        calls: The request log.
        keytab: For Kerberos, of ``sip/host@REALM``; or None.
    """

    layout: Layout
    host: str
    sockets: Mapping[Seat, Sequence[socket.socket]]
    addresses: Mapping[Seat, str]
    sts_uri: str
    authority: Authority
    presentation: Presentation
    users: Sequence[LabUser]
    stores: PoolStores
    policy: Policy
    faults: Faults
    clock: Clock
    calls: CallLog
    keytab: Path | None = None


def open_registrar(site: RegistrarSite, undo: contextlib.ExitStack) -> SipServer:
    """Put the Registrar together; the caller starts it, and ends it by ``undo``.

    Raises:
        LabUnusable: The list of sign-ins cannot be kept, or the keytab not be used.
    """
    sign_ins = SignIns(site.layout.sign_ins)
    undo.callback(sign_ins.close)
    pools = {user.home_pool for user in site.users}
    parts = Parts(
        host=site.host,
        schemes=_Offer(site).schemes,
        users=site.users,
        homes=Homes(site.addresses, pools, site.stores, site.faults),
        sign_ins=sign_ins,
        faults=site.faults,
        clock=site.clock,
    )
    doors = Doors(
        Registrar(parts), lambda: site.presentation.now().context, site.calls, site.faults
    )
    server = SipServer(doors, site.sockets)
    undo.callback(server.stop)
    return server


class _Offer:
    """The schemes that are offered: by policy, and as faults have it."""

    def __init__(self, site: RegistrarSite) -> None:
        self._site = site
        policy, accounts = site.policy, Accounts(site.users)
        dsk = TlsDsk(self._presented, policy.dsk_tls, site.sts_uri, site.stores, site.faults)
        self._dsk = [dsk] if policy.registrar_certificate_auth else []
        self._others: list[Scheme] = []
        if policy.registrar_ntlm_auth:
            self._others.append(Ntlm(accounts, site.host, site.users[0].domain))
        if policy.registrar_kerberos_auth and site.keytab is not None:
            kerberos = open_kerberos(accounts, site.keytab, site.host)
            self._others += [kerberos] if kerberos else []

    def schemes(self) -> list[Scheme]:
        """Return what is offered now."""
        off = self._site.faults.is_on(FaultName.DSK_OFF)
        return [*([] if off else self._dsk), *self._others]

    def _presented(self) -> Presented:
        return Presented(self._site.authority.server.key, self._site.presentation.now().chain.sent)
