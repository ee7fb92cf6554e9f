"""The floor of ``bench64.py``: what staging phones costs a program that does nothing else.

For every phone, in a thread: import it over USB/IP, ask who it is, get its user a Web ticket, have
the key made (in the phone, or here and given to it), fetch its request, have that certified, give
it certificate and settings, commit. One TLS connection a phone with three exchanges on it: the
lab's services take the metadata by GET, and ticket and certificate by POST. Seven durable commits
of SQLite a phone. No retries, no checks, no proof, no sign-in, no board, nothing that survives.

It imports nothing of usbprov. It reads a JSON document from standard input: ``users`` (each with
``sip_uri``, ``extension``, ``pin``), ``ports``, ``bus`` (host and port), ``lab`` (URLs, CA file,
Registrar), ``ledger``, ``host_keys``; says that it is ready; and begins at the next line.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import struct
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

GROUP = 0x0550
COMMITS = 7
KEYGEN, JOB, CSR, PUT, COMMIT, CONFIGURE = 1, 2, 3, 4, 5, 12
READ, WRITE = 0x08, 0x0A
POLL = 0.25
"""Seconds between two questions whether the phone's key is made."""

_SUBMIT = struct.Struct(">IIIIIIIIII8s")
_REPLY = struct.Struct(">IIIIIiIIII8x")
_HEADER = struct.Struct(">BBHHBB")
_ANSWER = 16384
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_TRUST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
_OCS = "http://schemas.microsoft.com/OCS/AuthWebServices"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_SAML = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"

_ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    '<a:To xmlns:a="http://www.w3.org/2005/08/addressing">{to}</a:To>'
    '<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">{action}</a:Action>'
    '<wsse:Security xmlns:wsse="' + _WSSE + '">{security}</wsse:Security></s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)
_PIN = (
    "<wsse:UsernameToken><wsse:Username>{extension}</wsse:Username>"
    f'<wsse:Password Type="{_PROFILE}-username-token-profile-1.0#PasswordText">'
    "{pin}</wsse:Password></wsse:UsernameToken>"
)
_ISSUE = (
    f'<t:RequestSecurityToken xmlns:t="{_TRUST}" Context="{{device}}">'
    f"<t:TokenType>{_SAML}-1.1#SAMLV1.1</t:TokenType>"
    "<t:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</t:RequestType>"
    '<p:AppliesTo xmlns:p="http://schemas.xmlsoap.org/ws/2004/09/policy">'
    '<a:EndpointReference xmlns:a="http://www.w3.org/2005/08/addressing">'
    "<a:Address>{audience}</a:Address></a:EndpointReference></p:AppliesTo>"
    "<t:Entropy><t:BinarySecret>{entropy}</t:BinarySecret></t:Entropy>"
    f"<t:KeyType>{_TRUST}/SymmetricKey</t:KeyType></t:RequestSecurityToken>"
)
_STAMP = f'<wsu:Timestamp xmlns:wsu="{_WSU}" wsu:Id="timestamp">{{lifetime}}</wsu:Timestamp>'
_SIGNED = (
    f'<SignedInfo xmlns="{_DSIG}">'
    f'<CanonicalizationMethod Algorithm="{_EXC}"></CanonicalizationMethod>'
    f'<SignatureMethod Algorithm="{_DSIG}hmac-sha1"></SignatureMethod>'
    '<Reference URI="#timestamp">'
    f'<Transforms><Transform Algorithm="{_EXC}"></Transform></Transforms>'
    f'<DigestMethod Algorithm="{_DSIG}sha1"></DigestMethod>'
    "<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
)
_SIGNATURE = (
    f'<Signature xmlns="{_DSIG}">{{signed}}<SignatureValue>{{value}}</SignatureValue><KeyInfo>'
    f'<wsse:SecurityTokenReference xmlns:wsse="{_WSSE}" wsse:TokenType="{_SAML}-1.1#SAMLV1.1">'
    f'<wsse:KeyIdentifier ValueType="{_SAML}-1.0#SAMLAssertionID">{{assertion}}'
    "</wsse:KeyIdentifier></wsse:SecurityTokenReference></KeyInfo></Signature>"
)
_PUBLISH = (
    f'<c:GetAndPublishCert xmlns:c="{_OCS}/" DeviceId="{{{{{{device}}}}}}" Entity="{{entity}}">'
    f'<t:RequestSecurityToken xmlns:t="{_TRUST}/">'
    f"<t:TokenType>{_PROFILE}-x509-token-profile-1.0#X509v3</t:TokenType>"
    f"<t:RequestType>{_TRUST}/Issue</t:RequestType>"
    f'<wsse:BinarySecurityToken xmlns:wsse="{_WSSE}" ValueType="{_OCS}.xsd#PKCS10"'
    f' EncodingType="{_WSSE}#Base64Binary">{{request}}</wsse:BinarySecurityToken>'
    '<e:RequestID xmlns:e="http://schemas.microsoft.com/windows/pki/2009/01/enrollment">'
    "{number}</e:RequestID></t:RequestSecurityToken></c:GetAndPublishCert>"
)
_WANTED = {
    "assertion": re.compile(r"<saml:Assertion .*</saml:Assertion>", re.DOTALL),
    "identifier": re.compile(r'AssertionID="([^"]*)"'),
    "entropy": re.compile(r"<BinarySecret>([^<]*)<"),
    "lifetime": re.compile(r"<Lifetime>(.*)</Lifetime>"),
    "certificate": re.compile(r"<BinarySecurityToken[^>]*>([^<]*)<"),
    "issuer": re.compile(r"<wsa10:Address>([^<]*)<"),
    "location": re.compile(r'location="([^"]*)"'),
}


class Cable:
    """An imported phone, and requests to it."""

    def __init__(self, bus: tuple[str, int], port: str) -> None:
        self._sock = socket.create_connection(bus)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.sendall(struct.pack(">HHI32s", 0x0111, 0x8003, 0, port.encode()))
        busnum, devnum = struct.unpack_from(">II", self._take(320), 8 + 256 + 32)
        self._device, self._number, self._sequence = busnum << 16 | devnum, 0, 0
        self._transfer(0, 0, b"", 0, struct.pack("<BBHHH", 0, 9, 1, 0, 0))  # SET_CONFIGURATION

    def close(self) -> None:
        """Give it back."""
        self._sock.close()

    def ask(self, op: int, command: int, **fields: object) -> dict[str, Any]:
        """Send a request, and return what the phone answers."""
        self._sequence = (self._sequence + 1) % 256
        payload = cbor2.dumps(fields)
        head = _HEADER.pack(op, 0, len(payload), GROUP, self._sequence, command)
        message = head + payload
        self._transfer(0, 1, message, len(message))
        if len(message) % 512 == 0:
            self._transfer(0, 1, b"", 0)
        answer: dict[str, Any] = cbor2.loads(self._transfer(1, 1, b"", _ANSWER)[8:])
        if "err" in answer or "rc" in answer:
            sys.exit(f"the phone refuses command {command}: {answer}")
        return answer

    def put(self, kind: str, content: bytes, **fields: object) -> None:
        """Transfer an object in one piece."""
        sha, size = hashlib.sha256(content).digest(), len(content)
        self.ask(WRITE, PUT, kind=kind, off=0, len=size, sha=sha, data=content, **fields)

    def _transfer(
        self, way: int, endpoint: int, data: bytes, size: int, setup: bytes = b""
    ) -> bytes:
        self._number += 1
        head = (1, self._number, self._device, way, endpoint, 0, size, 0, 0xFFFFFFFF, 0, setup)
        self._sock.sendall(_SUBMIT.pack(*head) + data)
        _, _, _, _, _, status, actual, *_ = _REPLY.unpack(self._take(48))
        if status:
            sys.exit(f"a transfer ended with status {status}")
        return self._take(actual) if way else b""

    def _take(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += self._sock.recv(size - len(got))
        return got


class Services:
    """One connection to the Web Services."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        self._where = urlsplit(url)
        host, port = str(self._where.hostname), self._where.port
        self._connection = http.client.HTTPSConnection(host, port, context=tls)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def get(self) -> str:
        """Fetch the metadata."""
        return self._answer("GET", f"{self._where.path}/mex", None, {})

    def post(self, to: str, action: str, security: str, body: str) -> str:
        """Send a SOAP request, and return the answer."""
        text = _ENVELOPE.format(to=to, action=action, security=security, body=body)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        return self._answer("POST", urlsplit(to).path, text.encode(), headers)

    def _answer(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> str:
        self._connection.request(method, path, body, dict(headers))
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.HTTPStatus.OK:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return text


class Book:
    """Durable commits, one after the other."""

    def __init__(self, path: str) -> None:
        self._turn = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute("CREATE TABLE note (phone TEXT, at REAL, what TEXT, data BLOB)")

    def note(self, phone: str, what: str, data: bytes = b"") -> None:
        """Commit a row."""
        with self._turn:
            self._file.execute(
                "INSERT INTO note VALUES (?, ?, ?, ?)", (phone, time.time(), what, data)
            )


def stage(plan: Mapping[str, Any], number: int, book: Book, tls: ssl.SSLContext) -> None:
    """Do one phone."""
    port, user = plan["ports"][number], plan["users"][number]
    cable = Cable((plan["bus"][0], plan["bus"][1]), port)
    mac = cable.ask(READ, 0)["mac"]
    book.note(port, "begun")
    services = Services(plan["lab"]["web_services_url"], tls)
    device = instance(mac.hex()[-10:])
    ticket = get_ticket(services, user, device)
    book.note(port, "ticket")
    nonce = os.urandom(16)
    (give_key if plan["host_keys"] else have_key_made)(cable, nonce)
    book.note(port, "key")
    request = cable.ask(READ, CSR, slot=0, cn=user["sip_uri"].removeprefix("sip:"), off=0)["data"]
    book.note(port, "request", request)
    certificate = get_certificate(services, user, device, ticket, request)
    services.close()
    book.note(port, "certificate", certificate)
    install(cable, user["sip_uri"], plan["lab"], certificate)
    book.note(port, "installed")
    cable.close()
    book.note(port, "done")


def instance(epid: str) -> str:
    """Return the device's identifier for the servers, made from its MAC."""
    space = uuid.UUID("fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe")
    digest = hashlib.sha1(space.bytes_le + epid.encode()).digest()  # noqa: S324
    fields = bytearray(uuid.UUID(bytes_le=digest[:16]).bytes)
    fields[6], fields[8] = fields[6] & 0x0F | 0x50, fields[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(fields)))


def get_ticket(services: Services, user: Mapping[str, str], device: str) -> dict[str, str]:
    """Prove the user by PIN; returns what is to be signed with, and where."""
    offer = services.get()
    issuer, location = found(offer, "issuer"), found(offer, "location")
    entropy = os.urandom(32)
    security = _PIN.format(extension=user["extension"], pin=user["pin"])
    text = base64.b64encode(entropy).decode()
    body = _ISSUE.format(device=device, audience=location, entropy=text)
    answer = services.post(f"{issuer}/pin", f"{_TRUST}/RST/Issue", security, body)
    names = ("assertion", "identifier", "lifetime")
    key = p_sha1(entropy, base64.b64decode(found(answer, "entropy")))
    return {name: found(answer, name) for name in names} | {"key": key.hex(), "to": location}


def get_certificate(
    services: Services, user: Mapping[str, str], device: str, ticket: Mapping[str, str], der: bytes
) -> bytes:
    """Have a request certified and published."""
    stamp = _STAMP.format(lifetime=ticket["lifetime"])
    digest = base64.b64encode(hashlib.sha1(stamp.encode()).digest()).decode()  # noqa: S324
    signed = _SIGNED.format(digest=digest)
    value = hmac.digest(bytes.fromhex(ticket["key"]), signed.encode(), "sha1")
    signature = _SIGNATURE.format(
        signed=signed, value=base64.b64encode(value).decode(), assertion=ticket["identifier"]
    )
    body = _PUBLISH.format(
        device=device,
        entity=user["sip_uri"].removeprefix("sip:"),
        request=base64.b64encode(der).decode(),
        number=uuid.uuid4(),
    )
    security = stamp + ticket["assertion"] + signature
    answer = services.post(ticket["to"], f"{_OCS}/GetAndPublishCert", security, body)
    return base64.b64decode(found(answer, "certificate"))


def found(text: str, what: str) -> str:
    """Cut out of an answer what is wanted."""
    match = _WANTED[what].search(text)
    if match is None:
        sys.exit(f"no {what} in {text}")
    return match.group(match.lastindex or 0)


def p_sha1(secret: bytes, seed: bytes) -> bytes:
    """Make the ticket's key of both sides' shares."""
    key, link = b"", seed
    while len(key) < 32:
        link = hmac.digest(secret, link, "sha1")
        key += hmac.digest(secret, link + seed, "sha1")
    return key[:32]


def have_key_made(cable: Cable, nonce: bytes) -> None:
    """Have the phone make its key, and wait for it."""
    job = cable.ask(WRITE, KEYGEN, slot=0, bits=2048, nonce=nonce, replace=False)["job"]
    while cable.ask(READ, JOB, job=job)["state"] == "running":
        time.sleep(POLL)


def give_key(cable: Cable, nonce: bytes) -> None:
    """Make a key here, and give it to the phone."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    cable.put("key", der, slot=0, nonce=nonce, replace=False)
    sha = hashlib.sha256(der).digest()
    cable.ask(WRITE, COMMIT, kind="key", sha=sha, slot=0, nonce=nonce, replace=False)


def install(cable: Cable, sip_uri: str, lab: Mapping[str, str], certificate: bytes) -> None:
    """Give the phone its certificate and settings, in one commit."""
    cable.put("cert", certificate, slot=0)
    url, registrar = lab["web_services_url"], lab["registrar"]
    settings = {"sip_uri": sip_uri, "registrar": registrar, "web_services_url": url}
    cable.ask(WRITE, CONFIGURE, slot=0, when="commit", clear=True, **settings)
    cable.ask(WRITE, COMMIT, kind="cert", sha=hashlib.sha256(certificate).digest(), slot=0)


def main() -> int:
    """Stage all phones at once; says by the exit code whether all are done."""
    plan = json.loads(sys.stdin.readline())
    book, tls = Book(plan["ledger"]), ssl.create_default_context(cafile=plan["lab"]["ca_file"])
    done: list[int] = []

    def run(number: int) -> None:
        stage(plan, number, book, tls)
        done.append(number)

    count = len(plan["ports"])
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    print(json.dumps("ready"), flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return int(len(done) != count)


if __name__ == "__main__":
    sys.exit(main())
