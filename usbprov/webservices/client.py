"""The Web Services as the engine sees them: an offer, a ticket, a certificate."""

import functools
import secrets
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from usbprov.errors import CredentialRefused, NotOffered, UsageError, WrongUser
from usbprov.net.credentials import Credential, Way
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.net.site import DEFAULT_TLS, Site
from usbprov.phone.endpoint import Endpoint
from usbprov.tape.deck import hide
from usbprov.tape.ports import draw, passing
from usbprov.webservices.ticket import Ticket, TicketCache, sip_uri
from usbprov.webservices.urls import host_of, port_of, server_of, service_url

if TYPE_CHECKING:
    import ssl

    from usbprov.webservices.metadata import Metadata, Offer
    from usbprov.webservices.methods import Method
    from usbprov.webservices.session import Answer, HttpSession
    from usbprov.webservices.soap import Security
    from usbprov.webservices.trust.sources import Source

OfferSource = Callable[[Callable[[], "Offer"]], "Offer"]
"""Gives what was read before, or calls to have it read."""

# ruff: noqa: PLC0415 - HTTP, XML and SOAP are imported when something is asked of a server


class WebServices:
    """The Web Services of one pool. One keep-alive session; not thread-safe; close it.

    Nothing is sent twice: no method repeats a request, whatever happens to it, and a credential
    that was sent and earned no ticket is not sent again by this object even when asked to.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        timeout: TimeLimits = DEFAULT_LIMITS,
        site: Site | None = None,
        tickets: TicketCache | None = None,
        offers: "OfferSource | None" = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: URL of the certificate provisioning service.
            ca_file: PEM file with the only trust anchors that count, or None for the system's.
            timeout: Time limits of each exchange.
            site: What the site has settled about its servers.
            tickets: Where tickets are kept, to be shared with others; else this object's own.
            offers: Where what the services offer is kept, to be shared likewise; else it is read.

        Raises:
            UsageError: The URL cannot be used.
        """
        self.url = service_url(url)
        self._ca_file = ca_file
        self._limits = timeout
        self._site = site or Site()
        self._tickets = tickets or TicketCache()
        self._offers = offers
        self._tried: set[Credential] = set()
        self._secrets: set[str] = set()
        self._connection_is_someones = False
        self._chain: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; may be called twice."""
        session = self.__dict__.pop("_session", None)
        if session is not None:
            session.close()

    @property
    def server(self) -> str:
        """Whom it talks to: host or host:port."""
        return server_of(self.url)

    @functools.cached_property
    def _tls(self) -> "ssl.SSLContext":
        from usbprov.net.tls import tls_context

        return tls_context(self._ca_file, self._site.least_tls(host_of(self.url)))

    @functools.cached_property
    def _session(self) -> "HttpSession":
        from usbprov.net.tls import tls_context
        from usbprov.webservices.session import HttpSession

        others = {h: tls_context(self._ca_file, v) for h, v in self._site.min_tls.items()}
        return HttpSession(tls_context(self._ca_file, DEFAULT_TLS), self._limits, others)

    def offer(self) -> "Offer":
        """Read what both services offer; asked once, then remembered.

        Raises:
            NotOffered: This is not the certificate provisioning service, or it takes no tickets
                with proof.
            AnswerInvalid: The metadata cannot be read, or points where it must not.
            ServiceError: The server is not reached, or fails.
            TrustError: The server cannot prove who it is.
        """
        return self._offer

    @functools.cached_property
    def _offer(self) -> "Offer":
        return self._read_offer() if self._offers is None else self._offers(self._read_offer)

    def _read_offer(self) -> "Offer":
        from usbprov.webservices.metadata import Offer, publish_port, ticket_ports

        location, issuer = publish_port(self._metadata(self.url), host_of(self.url))
        return Offer(location, issuer, ticket_ports(self._metadata(issuer)))

    def _metadata(self, service: str) -> "Metadata":
        from usbprov.webservices.faults import status_error
        from usbprov.webservices.metadata import read_metadata
        from usbprov.webservices.xmlsafe import parse

        answer = self._session.get(f"{service}/mex")
        if answer.status in {404, 405, 410}:
            raise NotOffered(answer.server, f"metadata at {answer.url}")
        if answer.status != 200:
            raise status_error(answer)
        return read_metadata(parse(answer.body, answer.server))

    def choose(self, ways: Sequence[Way]) -> Way:
        """Return the first of several ways to a ticket that the server offers.

        Raises:
            NotOffered: It offers none of them.
            ServiceError: The metadata cannot be had, as for ``offer``.
            TrustError: The server cannot prove who it is.
        """
        from usbprov.webservices.methods import PORTS

        offer = self.offer()
        for way in ways:
            if not offer.methods.isdisjoint(PORTS[way]):
                return way
        raise NotOffered(host_of(offer.issuer), f"sign-in by {' or '.join(ways)}")

    def kept_ticket(self, user: str) -> Ticket | None:
        """Return a ticket for a user that was got before and can still be used, or None."""
        from usbprov.webservices.taping import kept_ticket_port

        offer = self.offer()
        where = server_of(offer.issuer), user, offer.publish_location
        return passing(kept_ticket_port(user), lambda: self._tickets.find(*where))

    def ticket(self, credential: Credential, endpoint: Endpoint, user: str | None) -> Ticket:
        """Obtain a Web ticket, and keep it; the credential is sent once.

        Args:
            credential: Proves the user.
            endpoint: The phone for which it is.
            user: SIP address that the ticket must be for, or None.

        Raises:
            CredentialRefused: The server does not accept the credential, or it was sent before
                and earned no ticket.
            WrongUser: It is another user's.
            NotOffered: The server does not take this kind of credential.
            UsageError: This computer lacks what the credential needs.
            ServiceError: There is no usable answer.
            TrustError: The server cannot prove who it is; nothing was sent.
        """
        from usbprov.webservices import issue
        from usbprov.webservices.metadata import ticket_location
        from usbprov.webservices.methods import PORTS, method_of
        from usbprov.webservices.proof import KEY_SIZE
        from usbprov.webservices.xmlsafe import parse

        method = method_of(credential, self._site.pin_form)
        offer = self.offer()
        location = ticket_location(offer, *PORTS[method.way])
        if credential in self._tried:
            raise CredentialRefused(server_of(location), "sent once already; it is not sent again")
        entropy = secrets.token_bytes(KEY_SIZE)
        hide({b64encode(entropy).decode("ascii")})
        claimed = user if method.claims_user else None
        fields = issue.issue_fields(offer.publish_location, endpoint, entropy, claimed)
        security = method.security()
        self._tried.add(credential)
        try:
            answer = self._issue(method, location, security, fields)
        except (NotOffered, UsageError):  # of this side, before the credential was sent
            self._tried.discard(credential)
            raise
        ticket = issue.read_ticket(parse(answer.body, answer.server), endpoint, entropy)
        self._tried.discard(credential)
        _check_user(ticket, user, answer.server)
        self._tickets.keep(server_of(offer.issuer), offer.publish_location, ticket)
        return ticket

    def _issue(
        self, method: "Method", location: str, security: "Security", fields: dict[str, object]
    ) -> "Answer":
        """Send the request for a ticket, and return an answer that is no complaint."""
        from usbprov.webservices import faults, soap
        from usbprov.webservices.taping import whole_sign_in

        self._secrets |= method.secrets
        hide(method.secrets)
        if self._connection_is_someones:
            self._session.close()  # the next user gets a new one
        self._connection_is_someones |= method.signs_in_connection
        send = method.sender(self._session.post)
        if method.signs_in_connection:
            send = whole_sign_in(send)
        answer = soap.call(send, soap.Operation.ISSUE, location, security, fields)
        error = faults.complaint_error(answer, self._secrets)
        if error is not None:
            raise error
        return answer

    def publish(self, ticket: Ticket, request: bytes, endpoint: Endpoint) -> bytes:
        """Have a certificate request signed and published in the user's home pool.

        Args:
            ticket: Proves the user.
            request: PKCS#10, DER.
            endpoint: The phone for which it is.

        Returns:
            The certificate, DER; nothing but its form is checked.

        Raises:
            RequestRefused: The service refuses the request.
            CredentialRefused: The ticket is not accepted (any more).
            ServerFailed: The service or the user store behind it is down.
            ServiceError: There is no usable answer; the certificate may have been published.
            TrustError: The server cannot prove who it is; nothing was sent.
        """
        from usbprov.webservices import faults, publish, soap

        request_id = uuid.UUID(bytes=draw("request id", 16), version=4)
        insert = soap.insert_of(publish.security_content(ticket))
        fields = publish.publish_fields(ticket.sip_uri, request, endpoint, request_id)
        location = self.offer().publish_location
        answer = soap.call(self._session.post, soap.Operation.PUBLISH, location, insert, fields)
        error = faults.complaint_error(answer, self._secrets)
        if isinstance(error, CredentialRefused):
            self._tickets.drop(ticket)
        if error is not None:
            raise error
        return publish.read_certificate(answer, request_id, self._secrets)

    def presented_chain(self) -> list[bytes]:
        """Return what the server presents over verified TLS: DER, its own certificate first.

        Raises:
            ServiceError: The server is not reached.
            TrustError: It cannot prove who it is.
        """
        from usbprov.webservices.taping import certificates_port

        port = certificates_port("presented chain", self.server)
        self._chain = passing(port, self._presented_chain)
        return self._chain

    def _presented_chain(self) -> list[bytes]:
        from usbprov.net.failures import exchange_error
        from usbprov.net.tls import presented_chain

        began = time.monotonic()
        host, port = host_of(self.url), port_of(self.url)
        try:
            return presented_chain(host, port, self._tls, self._limits.connect)
        except OSError as error:
            failure = exchange_error(error, self.server, time.monotonic() - began)
        raise failure

    def trusted_roots(self) -> list[bytes]:
        """Return the trust anchors (DER) known so far; ask after ``presented_chain``."""
        from usbprov.net.tls import trusted_roots
        from usbprov.webservices.taping import anchors_port

        return passing(anchors_port(self._chain), lambda: trusted_roots(self._tls))

    def chain_download(self) -> "Source":
        """Return the server's download of its chain, as a source that is not asked yet.

        Raises:
            ConfigInvalid: The site's file for its form cannot be used.
        """
        from usbprov.webservices.taping import TapedSource
        from usbprov.webservices.trust.download import DownloadSource, anonymous_url, site_form

        form = site_form(self._site.chain_form)
        return TapedSource(DownloadSource(anonymous_url(self.url), form, self._limits))


def _check_user(ticket: Ticket, user: str | None, server: str) -> None:
    """Compare the ticket's user with the one asked for, with or without ``sip:``."""
    if user is not None and sip_uri(user) != sip_uri(ticket.sip_uri):
        raise WrongUser(server, sip_uri(user), ticket.sip_uri)
