"""The Registrar put together from its parts. Needs the ``lab`` extra."""

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from usbprov.lab.authority import Authority
from usbprov.lab.calls import CallLog
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.layout import Layout
from usbprov.lab.policy import Policy
from usbprov.lab.presented import Presentation
from usbprov.lab.registrar.dsk import TlsDsk
from usbprov.lab.registrar.handshake import Presented
from usbprov.lab.registrar.homes import Homes, Seat
from usbprov.lab.registrar.negotiations import Scheme
from usbprov.lab.registrar.server import Doors, SipServer
from usbprov.lab.registrar.service import Registrar
from usbprov.lab.registrar.signins import SignIns
from usbprov.lab.registrar.turns import Parts
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


def open_registrar(site: RegistrarSite, undo: contextlib.ExitStack) -> SipServer:
    """Put the Registrar together; the caller starts it, and ends it by ``undo``.

    Raises:
        LabUnusable: The list of sign-ins cannot be kept.
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
        self._dsk = TlsDsk(
            self._presented, site.policy.dsk_tls, site.sts_uri, site.stores, site.faults
        )

    def schemes(self) -> list[Scheme]:
        """Return what is offered now."""
        site = self._site
        dsk = site.policy.registrar_certificate_auth and not site.faults.is_on(FaultName.DSK_OFF)
        return [self._dsk] if dsk else []

    def _presented(self) -> Presented:
        return Presented(self._site.authority.server.key, self._site.presentation.now().chain.sent)
