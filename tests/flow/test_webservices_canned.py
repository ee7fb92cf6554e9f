"""The whole conversation with canned Web Services over real TLS.

``Pool`` here is a double for the other files, too: a TLS server in a thread with a CA of its own,
whose every answer can be replaced. It checks nothing; the lab does that.
"""

import functools
import ipaddress
import re
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from usbprov.errors import CredentialRefused, NotOffered, RequestRefused, WrongUser
from usbprov.net.credentials import PinCredential
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.keys import generate_rsa, key_digest
from usbprov.pki.requests import build_request
from usbprov.webservices.client import WebServices
from usbprov.webservices.metadata import TicketMethod

ENDPOINT = Endpoint("2ebb6f264f")
CREDENTIAL = PinCredential("1001", "72051944")
ALICE = "sip:alice@contoso.test"

CERTPROV = "/CertProv/CertProvisioningService.svc"
WEBTICKET = "/WebTicket/WebTicketService.svc"
PIN_PATH = f"{WEBTICKET}/pin"
PUBLISH_PATH = f"{CERTPROV}/WebTicket_Proof_SHA1"

ASSERTION = (
    b"<saml:Assertion xmlns:saml='urn:oasis:names:tc:SAML:1.0:assertion'  \n"
    b' AssertionID="SamlSecurityToken-5d1d2c6e-2f0c-4a3b-9a53-0c5c6f5b1e11" ><!-- kept -->\r\n'
    b"<saml:NameIdentifier >sip:alice@contoso.test</saml:NameIdentifier></saml:Assertion\t>"
)


# --- certificates ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A certificate with its key, to sign others with."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def pem_with_key(self) -> bytes:
        return self.pem + self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certify(
    subject: str,
    issuer: Authority | None,
    *,
    names: Sequence[x509.GeneralName] = (),
    days: tuple[float, float] = (-1, 30),
) -> Authority:
    """Make a CA certificate, or with ``names`` a server's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days[0]))
        .not_valid_after(now + timedelta(days[1]))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Authority(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


LOOPBACK = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@functools.cache
def root() -> Authority:
    return certify("Test Root", None)


@functools.cache
def server_certificate() -> Authority:
    return certify("localhost", root(), names=LOOPBACK)


# --- the server --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A request as it came; ``connection`` numbers the TCP connections."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment an answer, or each would wait for a delayed ACK
    server: "Pool"

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(size)
        number = self.server.numbers[self.client_address[1]]
        found = Seen(self.command, self.path, dict(self.headers.items()), body, number)
        self.server.seen.append(found)
        self.server.answers.get(self.path, not_found)(self, found)

    do_POST = do_GET  # noqa: N815

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


Reply = Callable[[Handler, Seen], None]


def not_found(handler: Handler, request: Seen) -> None:
    handler.reply(404, b"<html>not here</html>", Content_Type="text/html")


def canned(status: int, body: bytes, **headers: str) -> Reply:
    return lambda handler, request: handler.reply(status, body, **headers)


def raw(data: bytes) -> Reply:
    """Answer with exactly these bytes, and end the connection."""

    def answer(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(data)

    return answer


class Pool(ThreadingHTTPServer):
    """The Web Services of a pool, on loopback."""

    daemon_threads = True

    def __init__(
        self,
        certificate: Authority | None = None,
        chain: Sequence[Authority] = (),
        folder: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        assert folder is not None
        self.answers: dict[str, Reply] = {}
        self.seen: list[Seen] = []
        self.numbers: dict[int, int] = {}
        self.open: set[socket.socket] = set()
        self.stopping = threading.Event()
        leaf = certificate or server_certificate()
        pem = folder / "server.pem"
        pem.write_bytes(leaf.pem_with_key + b"".join(above.pem for above in chain))
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(root().pem)
        self._tls = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(pem)
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.answers |= self.usual_answers()

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.thread.join()
        for connection in tuple(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        self.numbers[client_address[1]] = len(self.numbers)
        try:
            secured = self._tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        self.open.add(secured)
        try:
            with suppress(OSError):
                Handler(secured, client_address, self)
        finally:
            self.open.discard(secured)
            secured.close()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(
        self, ca_file: Path | None = None, limits: TimeLimits = DEFAULT_LIMITS
    ) -> WebServices:
        return WebServices(self.base, ca_file=ca_file or self.ca_file, timeout=limits)

    def posts(self) -> list[Seen]:
        return [request for request in self.seen if request.method == "POST"]

    def usual_answers(self) -> dict[str, Reply]:
        xml = {"Content_Type": "text/xml; charset=utf-8"}
        return {
            f"{CERTPROV}/mex": canned(200, certprov_mex(self.base), **xml),
            f"{WEBTICKET}/mex": canned(
                200, webticket_mex(self.base), Set_Cookie="pool=fe01; path=/", **xml
            ),
            PIN_PATH: lambda handler, request: handler.reply(200, ticket_answer(request), **xml),
            PUBLISH_PATH: lambda handler, request: handler.reply(
                200, certificate_answer(request), **xml
            ),
        }


# --- canned messages ---------------------------------------------------------------------------


def certprov_mex(base: str) -> bytes:
    name = "CertProvisioningServiceWebTicketProof_SHA1"
    return (
        f'<d><Policy Id="{name}_policy"><ExactlyOne><All><EndorsingSupportingTokens><Policy>'
        f"<IssuedToken><Issuer><Address>{base}{WEBTICKET}</Address></Issuer></IssuedToken>"
        "</Policy></EndorsingSupportingTokens></All></ExactlyOne></Policy>"
        f'<service><port name="{name}"><address location="{base}{PUBLISH_PATH}"/></port></service>'
        "</d>"
    ).encode()


def webticket_mex(base: str, location: str = PIN_PATH, name: str = "WebTicketServicePin") -> bytes:
    return (
        f'<d><service><port name="{name}"><address location="{base}{location}"/></port></service>'
        "</d>"
    ).encode()


def ticket_answer(request: Seen) -> bytes:
    context = re.search(rb'Context="([^"]*)"', request.body)
    assert context is not None
    expires = (datetime.now(UTC) + timedelta(hours=8)).isoformat()
    return (
        b'<r><RequestSecurityTokenResponse Context="%s"><RequestedSecurityToken>%s'
        b"</RequestedSecurityToken><Entropy><BinarySecret>%s</BinarySecret></Entropy>"
        b"<Lifetime><Created>now</Created><Expires>%s</Expires></Lifetime>"
        b"</RequestSecurityTokenResponse></r>"
    ) % (context[1], ASSERTION, b64encode(bytes(32)), expires.encode())


def certificate_answer(request: Seen) -> bytes:
    csr = re.search(rb"Base64Binary\">([^<]*)<", request.body)
    request_id = re.search(rb"RequestID[^>]*>([^<]*)<", request.body)
    assert csr is not None
    assert request_id is not None
    key = x509.load_der_x509_csr(b64decode(csr[1])).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice@contoso.test")])
    builder = x509.CertificateBuilder(name, name, key, 7, now, now + timedelta(1))
    der = builder.sign(root().key, hashes.SHA256()).public_bytes(Encoding.DER)
    return (
        b"<Envelope><Body><GetAndPublishCertResponse><RequestSecurityTokenResponse>"
        b"<RequestedSecurityToken><BinarySecurityToken>%s</BinarySecurityToken>"
        b"</RequestedSecurityToken><RequestID>%s</RequestID></RequestSecurityTokenResponse>"
        b"</GetAndPublishCertResponse></Body></Envelope>"
    ) % (b64encode(der), request_id[1])


def fault(error_id: int, reason: str) -> bytes:
    return (
        "<Envelope><Body><Fault><faultcode>a:FailedAuthentication</faultcode>"
        f"<faultstring>{reason}</faultstring><detail><OCSDiagnosticsFault><Ms-Diagnostics-Fault>"
        f"<ErrorId>{error_id}</ErrorId><Reason>{reason}</Reason></Ms-Diagnostics-Fault>"
        "</OCSDiagnosticsFault></detail></Fault></Body></Envelope>"
    ).encode()


# --- tests -------------------------------------------------------------------------------------


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(folder=tmp_path) as running:
        yield running


@functools.cache
def phone_key() -> rsa.RSAPrivateKey:
    return generate_rsa()


@functools.cache
def phone_request() -> bytes:
    return build_request(phone_key(), "alice@contoso.test")


def test_ticket_and_certificate_over_one_connection(pool: Pool) -> None:
    with pool.client() as services:
        assert services.offer().methods == {TicketMethod.PIN}
        ticket = services.ticket(CREDENTIAL, ENDPOINT, None)
        certificate = services.publish(ticket, phone_request(), ENDPOINT)
    issued = x509.load_der_x509_certificate(certificate)
    assert ticket.sip_uri == ALICE
    assert key_digest(issued.public_key()) == key_digest(phone_key().public_key())
    assert [request.path for request in pool.seen] == [
        f"{CERTPROV}/mex",
        f"{WEBTICKET}/mex",
        PIN_PATH,
        PUBLISH_PATH,
    ]
    assert {request.connection for request in pool.seen} == {0}


def test_metadata_is_read_once(pool: Pool) -> None:
    with pool.client() as services:
        services.offer()
        services.ticket(CREDENTIAL, ENDPOINT, None)
        services.ticket(CREDENTIAL, ENDPOINT, None)
    assert sum(request.path.endswith("/mex") for request in pool.seen) == 2


def test_assertion_comes_back_byte_for_byte(pool: Pool) -> None:
    with pool.client() as services:
        services.publish(services.ticket(CREDENTIAL, ENDPOINT, None), phone_request(), ENDPOINT)
    assert pool.posts()[-1].body.count(ASSERTION) == 1


def test_cookies_are_kept_over_the_whole_conversation(pool: Pool) -> None:
    with pool.client() as services:
        services.publish(services.ticket(CREDENTIAL, ENDPOINT, None), phone_request(), ENDPOINT)
    assert [request.headers.get("Cookie") for request in pool.posts()] == ["pool=fe01"] * 2


@pytest.mark.parametrize("user", [None, ALICE, "alice@contoso.test", "SIP:Alice@Contoso.Test"])
def test_ticket_of_the_right_user_is_taken(pool: Pool, user: str | None) -> None:
    with pool.client() as services:
        assert services.ticket(CREDENTIAL, ENDPOINT, user).sip_uri == ALICE


def test_ticket_of_another_user_is_told(pool: Pool) -> None:
    with pool.client() as services, pytest.raises(WrongUser) as caught:
        services.ticket(CREDENTIAL, ENDPOINT, "bob@contoso.test")
    assert (caught.value.asked, caught.value.got) == ("sip:bob@contoso.test", ALICE)


def test_pin_that_was_right_may_be_used_again(pool: Pool) -> None:
    with pool.client() as services:
        with pytest.raises(WrongUser):
            services.ticket(CREDENTIAL, ENDPOINT, "sip:bob@contoso.test")
        assert services.ticket(CREDENTIAL, ENDPOINT, ALICE).sip_uri == ALICE


def test_wrong_pin_is_sent_once(pool: Pool) -> None:
    pool.answers[PIN_PATH] = canned(500, fault(28020, "No valid security token. (72051944)"))
    with pool.client() as services:
        with pytest.raises(CredentialRefused) as caught:
            services.ticket(CREDENTIAL, ENDPOINT, None)
        with pytest.raises(CredentialRefused, match="not sent again"):
            services.ticket(CREDENTIAL, ENDPOINT, None)
    assert caught.value.error_id == 28020
    assert "72051944" not in str(caught.value)
    assert len(pool.posts()) == 1


def test_refused_request_is_told_in_the_servers_words(pool: Pool) -> None:
    error = b"<ErrorInfo><ErrorId>28050</ErrorId><Reason>Key too short.</Reason></ErrorInfo>"
    wrapped = (
        b"<Envelope><Body><GetAndPublishCertResponse>%s</GetAndPublishCertResponse></Body>"
        b"</Envelope>"
    )
    pool.answers[PUBLISH_PATH] = canned(200, wrapped % error)
    with pool.client() as services:
        ticket = services.ticket(CREDENTIAL, ENDPOINT, None)
        with pytest.raises(RequestRefused, match="Key too short"):
            services.publish(ticket, phone_request(), ENDPOINT)


@pytest.mark.parametrize("path", [f"{CERTPROV}/mex", f"{WEBTICKET}/mex"])
def test_url_without_metadata_is_another_service(pool: Pool, path: str) -> None:
    del pool.answers[path]
    with pool.client() as services, pytest.raises(NotOffered, match="metadata at"):
        services.offer()


def test_pin_that_is_switched_off_is_told_and_not_sent(pool: Pool) -> None:
    mex = webticket_mex(pool.base, name="WebTicketServiceWinNegotiate")
    pool.answers[f"{WEBTICKET}/mex"] = canned(200, mex)
    with pool.client() as services, pytest.raises(NotOffered, match="sign-in by pin"):
        services.ticket(CREDENTIAL, ENDPOINT, None)
    assert pool.posts() == []
