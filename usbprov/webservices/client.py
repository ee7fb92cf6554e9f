"""The Web Services as the engine sees them: an offer, a ticket, a certificate."""

import functools
import secrets
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from usbprov.errors import CredentialRefused, NotOffered, WrongUser
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.webservices.ticket import PinCredential, Ticket
from usbprov.webservices.urls import host_of, port_of, server_of, service_url

if TYPE_CHECKING:
    import ssl

    from usbprov.webservices.metadata import Metadata, Offer
    from usbprov.webservices.session import HttpSession

# ruff: noqa: PLC0415 - HTTP, XML and SOAP are imported when something is asked of a server


class WebServices:
    """The Web Services of one pool. One keep-alive session; not thread-safe; close it.

    Nothing is sent twice: no method repeats a request, whatever happens to it, and a PIN that was
    sent and earned no ticket is not sent again by this object even when asked to.
    """

    def __init__(
        self, url: str, *, ca_file: Path | None = None, timeout: TimeLimits = DEFAULT_LIMITS
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: URL of the certificate provisioning service.
            ca_file: PEM file with the only trust anchors that count, or None for the system's.
            timeout: Time limits of each exchange.

        Raises:
            UsageError: The URL cannot be used.
        """
        self.url = service_url(url)
        self._ca_file = ca_file
        self._limits = timeout
        self._tried: set[PinCredential] = set()
        self._secrets: set[str] = set()

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
        from usbprov.webservices.tls import tls_context

        return tls_context(self._ca_file)

    @functools.cached_property
    def _session(self) -> "HttpSession":
        from usbprov.webservices.session import HttpSession

        return HttpSession(self._tls, self._limits)

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

    def ticket(self, credential: PinCredential, endpoint: Endpoint, user: str | None) -> Ticket:
        """Obtain a Web ticket; the credential is sent once, in one request.

        Args:
            credential: Extension and PIN.
            endpoint: The phone for which it is.
            user: SIP address that the ticket must be for, or None.

        Raises:
            CredentialRefused: The server does not accept extension and PIN, or they were sent
                before and earned no ticket.
            WrongUser: They are another user's.
            ServiceError: There is no usable answer.
            TrustError: The server cannot prove who it is; nothing was sent.
        """
        from usbprov.webservices import faults, issue, soap
        from usbprov.webservices.metadata import TicketMethod, ticket_location
        from usbprov.webservices.proof import KEY_SIZE
        from usbprov.webservices.xmlsafe import parse

        offer = self.offer()
        location = ticket_location(offer, TicketMethod.PIN)
        if credential in self._tried:
            raise CredentialRefused(server_of(location), "sent once already; it is not sent again")
        entropy = secrets.token_bytes(KEY_SIZE)
        fields = issue.issue_fields(offer.publish_location, endpoint, entropy)
        header = issue.PinAdapter().security(credential)
        self._tried.add(credential)
        self._secrets.add(credential.pin)
        answer = soap.call(self._session.post, soap.Operation.ISSUE, location, header, fields)
        error = faults.complaint_error(answer, self._secrets)
        if error is not None:
            raise error
        ticket = issue.read_ticket(parse(answer.body, answer.server), endpoint, entropy)
        self._tried.discard(credential)
        _check_user(ticket, user, answer.server)
        return ticket

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

        request_id = uuid.uuid4()
        insert = soap.insert_of(publish.security_content(ticket))
        fields = publish.publish_fields(ticket.sip_uri, request, endpoint, request_id)
        location = self.offer().publish_location
        answer = soap.call(self._session.post, soap.Operation.PUBLISH, location, insert, fields)
        error = faults.complaint_error(answer, self._secrets)
        if error is not None:
            raise error
        return publish.read_certificate(answer, request_id, self._secrets)

    def presented_chain(self) -> list[bytes]:
        """Return what the server presents over verified TLS: DER, its own certificate first.

        Raises:
            ServiceError: The server is not reached.
            TrustError: It cannot prove who it is.
        """
        from usbprov.webservices.failures import exchange_error
        from usbprov.webservices.tls import presented_chain

        began = time.monotonic()
        host, port = host_of(self.url), port_of(self.url)
        try:
            return presented_chain(host, port, self._tls, self._limits.connect)
        except OSError as error:
            failure = exchange_error(error, self.server, time.monotonic() - began)
        raise failure

    def trusted_roots(self) -> list[bytes]:
        """Return the trust anchors (DER) known so far; ask after ``presented_chain``."""
        from usbprov.webservices.tls import trusted_roots

        return trusted_roots(self._tls)


def _check_user(ticket: Ticket, user: str | None, server: str) -> None:
    """Compare the ticket's user with the one asked for, with or without ``sip:``."""
    if user is None:
        return
    asked = user if user.lower().startswith("sip:") else f"sip:{user}"
    if asked.lower() != ticket.sip_uri.lower():
        raise WrongUser(server, asked, ticket.sip_uri)
