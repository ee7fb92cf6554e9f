"""The front end put together from its parts. Needs the ``lab`` extra."""

import contextlib
from collections.abc import Sequence

from usbprov.lab.app import make_app
from usbprov.lab.authority import Authority, UserIssuer, open_authority
from usbprov.lab.certprov import CertificateService, Policy
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.frontend import FrontEnd
from usbprov.lab.layout import Layout
from usbprov.lab.metadata import Endpoints
from usbprov.lab.pin import PinAuthentication
from usbprov.lab.server import (
    HttpsServer,
    listen,
    loopback_addresses,
    port_of,
    server_context,
)
from usbprov.lab.store import PoolStores
from usbprov.lab.tickets import Tickets
from usbprov.lab.times import Clock, system_clock
from usbprov.lab.users import LabUser
from usbprov.lab.webticket import WebTicketService


def start_server(
    layout: Layout, host: str, port: int, users: Sequence[LabUser], faults: Faults
) -> tuple[Endpoints, HttpsServer]:
    """Open, or make, what the lab keeps in its folder, and serve over HTTPS.

    Args:
        layout: The folder.
        host: The server's name; it must resolve to loopback.
        port: TCP port; 0 for a free one.
        users: Who may have tickets.
        faults: What goes wrong; may be changed later.

    Returns:
        The URLs, and the running server, to be stopped by the caller.

    Raises:
        LabUnusable: The folder, the host or the port cannot be used.
    """
    addresses = loopback_addresses(host)
    authority = open_authority(layout.authority, host, expired=faults.is_on(FaultName.EXPIRED_CERT))
    stores = PoolStores(layout.stores)
    stores.create(users)
    context = server_context(authority.server_file)
    with contextlib.ExitStack() as undo:
        sockets = [undo.enter_context(bound) for bound in listen(addresses, port)]
        endpoints = Endpoints(f"https://{_in_url(host)}:{port_of(sockets[0])}")
        front_end = make_front_end(endpoints, host, authority, users, stores, faults, system_clock)
        server = HttpsServer(front_end, sockets, context)
        server.start()
        undo.pop_all()
    return endpoints, server


def make_front_end(
    endpoints: Endpoints,
    fqdn: str,
    authority: Authority,
    users: Sequence[LabUser],
    stores: PoolStores,
    faults: Faults,
    clock: Clock,
) -> FrontEnd:
    """Put both services together, behind one application."""
    tickets = Tickets(authority, endpoints)
    webticket = WebTicketService(PinAuthentication(users, stores), tickets, endpoints, clock)
    issuer = UserIssuer(authority.services)
    certprov = CertificateService(tickets, issuer, users, stores, faults, clock, Policy())
    return make_app(endpoints, fqdn, webticket, certprov, faults)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
