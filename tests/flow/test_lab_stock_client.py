"""The bytes that the stock client of the field sends, replayed, and the rules that it reads by.

Requests are written out as they go over the wire, header by header: what a library would tidy up
is what is tested.
"""

import base64
import hmac
import re
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import spnego
from lab_client import (
    PUBLISH_ACTION,
    RST_ACTION,
    WST,
    HeldTicket,
    bare_rst,
    hold,
    publish_message,
    request,
    running_lab,
    shared_key,
    uri_claim,
)

pytestmark = pytest.mark.timeout(60)
ENTROPY = bytes(range(32))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@dataclass
class Wire:
    """One TLS connection, and the answers that came over it, with their heads as they were."""

    tls: ssl.SSLSocket
    host: str
    answers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, bytes]:
        return self.send(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def post(self, path: str, action: str, body: str, *lines: str) -> tuple[int, bytes]:
        content = body.encode()
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {self.host}",
            "User-Agent: UCCAPI/15.0.4420.1017 OC/15.0.4420.1017",
            *lines,
            f"Content-Length: {len(content)}",
            "Content-Type: text/xml",
            f'SOAPAction: "{action}"',
        ]
        return self.send("\r\n".join([*head, "", ""]).encode() + content)

    def send(self, data: bytes) -> tuple[int, bytes]:
        self.tls.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += self._more()
        self.answers.append((head, body))
        return int(head.split()[1]), body

    def _more(self) -> bytes:
        more = self.tls.recv(65536)
        assert more, "the server has closed the connection"
        return more

    @property
    def head(self) -> str:
        return self.answers[-1][0].decode()


@pytest.fixture
def wire(lab) -> Iterator[Wire]:
    """The client says Host without the port, whatever the port is."""
    url = urlsplit(lab.facts.web_services_url)
    context = ssl.create_default_context(cafile=lab.facts.ca_file)
    with (
        socket.create_connection((url.hostname, url.port), 10) as raw,
        context.wrap_socket(raw, server_hostname=url.hostname) as tls,
    ):
        yield Wire(tls, url.hostname)


TICKET_PATH = "/WebTicket/WebTicketService.svc"
PROOF_PATH = "/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"


def ntlm(wire: Wire, lab, name: str, password: str, offered: str = "NTLM") -> bytes:
    """The client's legs: a request without, then type 1 and type 3 on the same connection."""
    audience = lab.facts.web_services_url + "/WebTicket_Proof_SHA1"
    body = bare_rst(ENTROPY, audience, uri_claim(lab.facts.users[0].sip_uri))
    assert wire.post(TICKET_PATH, RST_ACTION, body)[0] == 401
    assert "WWW-Authenticate: Negotiate".lower() in wire.head.lower()
    context = spnego.client(name, password, hostname="localhost", protocol="ntlm")
    token = context.step(None)
    for _ in range(2):
        line = f"Authorization: {offered} {base64.b64encode(token).decode()}"
        status, answer = wire.post(TICKET_PATH, RST_ACTION, body, line)
        if status == 200:
            return answer
        assert status == 401
        challenge = re.search(rf"(?i)www-authenticate: {offered} (\S+)", wire.head)[1]
        token = context.step(base64.b64decode(challenge))
    raise AssertionError("no ticket")


def test_the_whole_sequence_over_one_connection(lab, wire):
    """Metadata of both, the RST without, 401, type 1, type 3, then the certificate."""
    for path in ("/CertProv/CertProvisioningService.svc/mex", f"{TICKET_PATH}/mex"):
        status, body = wire.get(path)
        assert status == 200
        assert body.startswith(b"<?xml")
    alice = lab.facts.users[0]
    held = hold(ntlm(wire, lab, "CONTOSO\\alice", alice.password), ENTROPY)
    cookies = ("Cookie: ms-wt=abc; other=1", "Cookie: affinity=fe01")
    status, body = wire.post(PROOF_PATH, PUBLISH_ACTION, publish_message(held), *cookies)
    assert status == 200
    assert b"BinarySecurityToken" in body
    assert all(b"connection: close" not in head.lower() for head, _ in wire.answers)


@pytest.mark.parametrize("name", ["CONTOSO\\alice", "alice", "alice@contoso.test"])
def test_the_forms_of_the_name_with_an_empty_domain(lab, wire, name):
    assert b"<saml:Assertion" in ntlm(wire, lab, name, lab.facts.users[0].password)


def test_the_challenge_has_what_ntlm_version_2_needs(lab, wire):
    """A name of the target, and target information: without it the client makes no answer."""
    audience = lab.facts.web_services_url + "/WebTicket_Proof_SHA1"
    context = spnego.client("alice", "x", hostname="localhost", protocol="ntlm")
    token = base64.b64encode(context.step(None)).decode()
    wire.post(TICKET_PATH, RST_ACTION, bare_rst(ENTROPY, audience), f"Authorization: NTLM {token}")
    challenge = base64.b64decode(re.search(r"(?i)www-authenticate: NTLM (\S+)", wire.head)[1])
    assert challenge[:12] == b"NTLMSSP\x00\x02\x00\x00\x00"
    target, flags, information = (struct.unpack_from("<H", challenge, at)[0] for at in (12, 20, 40))
    assert target
    assert information
    assert flags & 1, "Unicode"


# MD4 of the password "Lab-Alice-1" in UTF-16, [MS-NLMP] 3.3.1 NTOWFv1.
NT_HASH = bytes.fromhex("b247d50ec17d8c4ec8f3f1a3809a6fac")


def old_answer(challenge: bytes, domain: str, user: str, nt_hash: bytes = NT_HASH) -> bytes:
    """NTLMv2 as the stock client answers: no MIC, no signing, no session key ([MS-NLMP] 3.3.2)."""
    length, _, at = struct.unpack_from("<HHI", challenge, 40)
    information, nonce = challenge[at : at + length], challenge[24:32]
    key = hmac.digest(nt_hash, (user.upper() + domain).encode("utf-16le"), "md5")
    blob = b"\x01\x01" + bytes(6) + struct.pack("<Q", 133_000_000_000_000_000) + b"\xaa" * 8
    blob += bytes(4) + information + bytes(4)
    parts = [
        bytes(24),
        hmac.digest(key, nonce + blob, "md5") + blob,
        domain.encode("utf-16le"),
        user.encode("utf-16le"),
        "STATION".encode("utf-16le"),
        b"",
    ]
    head, offset = b"NTLMSSP\x00" + struct.pack("<I", 3), 64
    for part in parts:
        head += struct.pack("<HHI", len(part), len(part), offset)
        offset += len(part)
    return head + struct.pack("<I", 0x00088205) + b"".join(parts)


@pytest.mark.parametrize(
    ("domain", "user", "status"),
    [
        ("CONTOSO", "alice", 200),
        ("", "alice", 200),
        ("", "alice@contoso.test", 200),
        ("CONTOSO", "bob", 401),
        ("", "alice@elsewhere.test", 401),
    ],
)
def test_an_answer_without_integrity_code_signing_and_session_key(lab, wire, domain, user, status):
    audience = lab.facts.web_services_url + "/WebTicket_Proof_SHA1"
    body = bare_rst(ENTROPY, audience)
    hello = b"NTLMSSP\x00" + struct.pack("<II", 1, 0x00088205) + bytes(16)
    line = f"Authorization: NTLM {base64.b64encode(hello).decode()}"
    assert wire.post(TICKET_PATH, RST_ACTION, body, line)[0] == 401
    challenge = base64.b64decode(re.search(r"(?i)www-authenticate: NTLM (\S+)", wire.head)[1])
    token = old_answer(challenge, domain, user)
    line = f"Authorization: NTLM {base64.b64encode(token).decode()}"
    assert wire.post(TICKET_PATH, RST_ACTION, body, line)[0] == status


def the_ticket(lab, wire: Wire) -> tuple[HeldTicket, str]:
    answer = ntlm(wire, lab, "alice", lab.facts.users[0].password)
    return hold(answer, ENTROPY), answer.decode()


def test_the_textual_rules_of_the_answer(lab, wire):
    """What the client cuts out as text must be there once, unprefixed, and stand alone."""
    held, document = the_ticket(lab, wire)
    assert len(re.findall(r"<BinarySecret[ >]", document)) == 1
    assert base64.b64encode(ENTROPY).decode() not in document, "its own entropy is not repeated"
    assert re.search(r"<Lifetime[^>]*>", document)
    assert document.index("<Lifetime") < document.index("<Expires")
    assert "xmlns:wsu" not in held.lifetime
    utility = "oasis-200401-wss-wssecurity-utility-1.0.xsd"
    for name in ("Created", "Expires"):
        assert re.search(
            rf'<{name} xmlns="http://docs\.oasis-open\.org/[^"]*{utility}">', held.lifetime
        )
    assert re.match(r"<saml:Assertion [^>]*xmlns:saml=", held.assertion)
    assert re.search(r'AssertionID="SamlSecurityToken-[0-9a-f-]+"', held.assertion)
    from lxml import etree

    assert etree.fromstring(held.assertion).tag.endswith("}Assertion"), "it stands alone"


def test_the_request_for_a_certificate_as_the_client_writes_it(lab, wire):
    """PKCS#10 with SHA-256 and no extensions, in lines of 76 that end and begin with CRLF."""
    held, _ = the_ticket(lab, wire)
    csr = request(shared_key(), "alice@contoso.test")
    message = publish_message(held, csr=csr)
    inside = re.search(r">(\r\n[A-Za-z0-9+/=\r\n]+)</wsse:BinarySecurityToken", message)[1]
    assert max(len(line) for line in inside.split("\r\n")) == 76
    status, body = wire.post(PROOF_PATH, PUBLISH_ACTION, message)
    assert status == 200
    assert b"RequestedSecurityToken" in body


def test_the_namespace_without_the_slash_is_refused(lab, wire):
    held, _ = the_ticket(lab, wire)
    status, body = wire.post(PROOF_PATH, PUBLISH_ACTION, publish_message(held, wst=WST))
    assert status == 200
    assert b"<ErrorId>28921</ErrorId>" in body
    assert b"BinarySecurityToken" not in body


def test_metadata_are_not_redirected(wire):
    """The client does not follow a redirect there."""
    assert wire.get("/CertProv/CertProvisioningService.svc/mex")[0] == 200
    assert wire.get("/certprov/certprovisioningservice.svc/mex")[0] == 200


def test_a_wrong_password_is_the_end_of_it(lab, wire):
    with pytest.raises(TypeError):  # there is no challenge in the last answer
        ntlm(wire, lab, "alice", "wrong")
    assert wire.head.startswith("HTTP/1.1 401")
    assert "X-Ms-diagnostics: 28020;".lower() in wire.head.lower()
    assert b"<saml:Assertion" in ntlm(wire, lab, "alice", lab.facts.users[0].password)
