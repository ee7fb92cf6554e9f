"""The front end put together from its parts. Needs the ``lab`` extra."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp

from usbprov.lab.accounts import Accounts
from usbprov.lab.app import Parts, plain_app, secure_app
from usbprov.lab.authority import Authority, UserIssuer, open_authority
from usbprov.lab.autodiscover import Autodiscover
from usbprov.lab.calls import CallLog
from usbprov.lab.certprov import CertificateService
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.frontend import FrontEnd
from usbprov.lab.layout import Layout
from usbprov.lab.metadata import Endpoints
from usbprov.lab.pin import PinAuthentication
from usbprov.lab.policy import Policy, WindowsAuth
from usbprov.lab.presented import Presentation
from usbprov.lab.registrar.assembly import RegistrarSite, open_registrar
from usbprov.lab.registrar.homes import Seat
from usbprov.lab.registrar.server import SipServer
from usbprov.lab.server import WebServer, listen, loopback_addresses, port_of
from usbprov.lab.store import PoolStores
from usbprov.lab.tickets import Tickets
from usbprov.lab.times import Clock, system_clock
from usbprov.lab.users import LabUser
from usbprov.lab.webticket import Proofs, WebTicketService
from usbprov.lab.windows import NEGOTIATE, NTLM, Acceptor, WindowsAuthentication, environment
from usbprov.lab.x509token import CertificateAuthentication


@dataclass(frozen=True)
class Site:
    """What is to be served.

    Attributes:
        layout: The lab's folder.
        host: The server's name; it must resolve to loopback.
        https_port: TCP port; 0 for a free one.
        http_port: The same for what is anonymous.
        sip_port: The same for the Registrar.
        users: Who may have tickets.
        policy: Server settings.
        faults: What goes wrong; may be changed later.
        keytab: For Kerberos, or None.
        show: Is called with each line of the request log, or None.
    """

    layout: Layout
    host: str
    https_port: int
    http_port: int
    sip_port: int
    users: Sequence[LabUser]
    policy: Policy
    faults: Faults
    keytab: Path | None = None
    show: Callable[[str], None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Served:
    """What runs, to be stopped by whoever started it.

    Attributes:
        endpoints: The URLs.
        registrar: ``host:port`` of the Registrar.
        servers: Over HTTPS, over HTTP, and the Registrar.
    """

    endpoints: Endpoints
    registrar: str
    servers: tuple[WebServer, WebServer, SipServer]
    undo: contextlib.ExitStack = field(repr=False)

    @property
    def running(self) -> bool:
        """Whether all servers are alive."""
        return all(server.running for server in self.servers)

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self.undo.close()


def serve(site: Site) -> Served:
    """Open, or make, what the lab keeps in its folder, and serve.

    Raises:
        LabUnusable: The folder, the host, a port or the keytab cannot be used.
    """
    addresses = loopback_addresses(site.host)
    with contextlib.ExitStack() as undo:
        authority = open_authority(site.layout.authority, server_names(site.host, site.users))
        stores = PoolStores(site.layout.stores)
        stores.create(site.users)
        secure, plain, sip, other_sip = (
            [undo.enter_context(bound) for bound in listen(addresses, port)]
            for port in (site.https_port, site.http_port, site.sip_port, 0)
        )
        host = f"[{site.host}]" if ":" in site.host else site.host
        endpoints = Endpoints(
            f"https://{host}:{port_of(secure[0])}", f"http://{host}:{port_of(plain[0])}"
        )
        calls = CallLog(site.layout.calls, site.show)
        undo.callback(calls.close)
        addresses_of = {
            seat: f"{host}:{port_of(bound[0])}"
            for seat, bound in ((Seat.FIRST, sip), (Seat.OTHER, other_sip))
        }
        registrar = addresses_of[Seat.FIRST]
        parts = _parts(site, endpoints, registrar, authority, stores, undo)
        clock = skewed(site.faults)
        registrar_site = RegistrarSite(
            layout=site.layout,
            host=site.host,
            sockets={Seat.FIRST: sip, Seat.OTHER: other_sip},
            addresses=addresses_of,
            sts_uri=endpoints.certprov,
            authority=authority,
            presentation=parts.presentation,
            users=site.users,
            stores=stores,
            policy=site.policy,
            faults=site.faults,
            clock=clock,
            calls=calls,
            keytab=site.keytab,
        )

        def front(app: ASGIApp) -> FrontEnd:
            return FrontEnd(app, site.host, clock, calls)

        servers = (
            WebServer(front(secure_app(parts)), secure, parts.presentation.context()),
            WebServer(front(plain_app(parts)), plain),
            open_registrar(registrar_site, undo),
        )
        for server in servers:
            undo.callback(server.stop)
            server.start()
        return Served(endpoints, registrar, servers, undo.pop_all())


def server_names(host: str, users: Sequence[LabUser]) -> list[str]:
    """Return the names of the server: its own, and those by which LyncDiscover is looked for."""
    domains = dict.fromkeys(user.entity.rpartition("@")[2] for user in users)
    found = [f"{name}.{domain}" for domain in domains for name in _DISCOVER_NAMES]
    return [host, *found]


_DISCOVER_NAMES = ("lyncdiscoverinternal", "lyncdiscover")


def skewed(faults: Faults) -> Clock:
    """Return the server's clock, as a fault may have set it."""
    return lambda: system_clock() + timedelta(seconds=faults.value(FaultName.CLOCK_SKEW) or 0)


def _parts(
    site: Site,
    endpoints: Endpoints,
    registrar: str,
    authority: Authority,
    stores: PoolStores,
    undo: contextlib.ExitStack,
) -> Parts:
    clock, users, faults = skewed(site.faults), site.users, site.faults
    tickets = Tickets(authority, endpoints)
    accounts = Accounts(users)
    proofs = Proofs(
        PinAuthentication(users, stores, faults, site.policy),
        accounts,
        CertificateAuthentication(users, stores),
    )
    issuer = UserIssuer(authority.services)
    life = timedelta(hours=site.policy.ticket_hours)
    return Parts(
        endpoints=endpoints,
        fqdn=site.host,
        webticket=WebTicketService(proofs, tickets, endpoints, life, faults, clock),
        certprov=CertificateService(tickets, issuer, users, stores, faults, clock, site.policy),
        windows=_windows(site, accounts, undo),
        autodiscover=Autodiscover(endpoints, registrar, tickets, clock),
        presentation=Presentation(authority, faults, system_clock),
        policy=site.policy,
        faults=faults,
    )


def _windows(site: Site, accounts: Accounts, undo: contextlib.ExitStack) -> WindowsAuthentication:
    accounts.write(site.layout.accounts)
    acceptor = Acceptor(environment(site.layout.accounts, site.keytab))
    undo.callback(acceptor.close)
    ntlm_only = site.policy.windows_auth == WindowsAuth.NTLM.value
    schemes = (NTLM,) if ntlm_only else (NEGOTIATE, NTLM)
    return WindowsAuthentication(accounts, acceptor, site.host, schemes)
