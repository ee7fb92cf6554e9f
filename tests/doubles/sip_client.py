"""A small client of a Registrar, written from the wire's description alone.

It shares no code with ``usbprov.registrar`` nor with the lab. The TLS inside TLS-DSK is
tlslite-ng's.
"""

import base64
import contextlib
import errno
import functools
import hashlib
import hmac
import re
import socket
import ssl
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

REALM = "SIP Communications Service"
NAMESPACE = uuid.UUID("fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe")
TLS10, TLS11, TLS12 = (3, 1), (3, 2), (3, 3)


def instance_of(epid: str) -> uuid.UUID:
    digest = hashlib.sha1(NAMESPACE.bytes_le + epid.encode(), usedforsecurity=False).digest()[:16]
    octets = bytearray(uuid.UUID(bytes_le=digest).bytes)
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(octets))


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def params(self, name: str, scheme: str) -> dict[str, str]:
        (value,) = [v for v in self.all(name) if v.startswith(scheme + " ")]
        found = re.findall(r'([\w-]+)=(?:"([^"]*)"|([^\s,]+))', value.partition(" ")[2])
        return {key: quoted or bare for key, quoted, bare in found}

    def challenge(self, scheme: str) -> dict[str, str]:
        return self.params("WWW-Authenticate", scheme)

    @property
    def schemes(self) -> list[str]:
        return [value.partition(" ")[0] for value in self.all("WWW-Authenticate")]

    @property
    def diagnostic(self) -> int | None:
        found = self.all("ms-diagnostics")
        return int(found[0].partition(";")[0]) if found else None


class SipConnection:
    """One connection; sends what it is told to."""

    def __init__(self, registrar: str, ca_file: Path) -> None:
        host, _, port = registrar.rpartition(":")
        context = ssl.create_default_context(cafile=ca_file)
        raw = socket.create_connection((host, int(port)), timeout=15)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """Return what comes next; b"" at the end."""
        return self._socket.recv(65536)

    def read(self) -> Answer:
        while b"\r\n\r\n" not in self._kept:
            data = self.receive()
            if not data:
                raise ConnectionError("the Registrar closed the connection")
            self._kept += data
        head, _, self._kept = self._kept.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        version, status, reason = start.split(" ", 2)
        assert version == "SIP/2.0", start
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        assert ("Content-Length", "0") in headers
        return Answer(int(status), reason, headers)


class Memory:
    """What tlslite-ng takes for a socket."""

    def __init__(self) -> None:
        self.incoming, self.outgoing = bytearray(), bytearray()

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            raise OSError(errno.EWOULDBLOCK, "nothing there")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def send(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.outgoing += data

    def close(self) -> None: ...


@functools.cache
def tlslite():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tlslite.api
    return tlslite.api


class InnerTls:
    """The client's side of the handshake, flight by flight."""

    def __init__(
        self,
        certificate: x509.Certificate | None,
        key: rsa.RSAPrivateKey | None,
        version: tuple[int, int],
        exchange: str = "rsa",
    ) -> None:
        api = tlslite()
        self.memory = Memory()
        self.connection = api.TLSConnection(self.memory)
        settings = api.HandshakeSettings()
        settings.minVersion = settings.maxVersion = version
        settings.cipherNames, settings.macNames = ["aes128", "aes256"], ["sha"]
        settings.keyExchangeNames = [exchange]
        chain, private = None, None
        if certificate is not None and key is not None:
            chain = api.X509CertChain()
            chain.parsePemList(certificate.public_bytes(Encoding.PEM).decode())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            private = api.parsePEMKey(pem, private=True)
        self._steps = self.connection.handshakeClientCert(
            chain, private, settings=settings, async_=True
        )

    def flight(self, received: bytes = b"") -> bytes:
        """Take the server's records, return the client's; b"" when the handshake is over.

        Raises:
            Whatever tlslite-ng raises when the server's part is wrong.
        """
        self.memory.incoming += received
        for step in self._steps:
            if step == 0 and not self.memory.incoming:
                break
        made = bytes(self.memory.outgoing)
        self.memory.outgoing.clear()
        return made

    def keys(self) -> tuple[bytes, bytes]:
        """Return the client's and the server's signing keys."""
        made = bytes(
            self.connection.keyingMaterialExporter(bytearray(b"client EAP encryption"), 128)
        )
        return made[64:96], made[96:128]


@dataclass
class SipUser:
    """A user at a device, and his messages over one connection."""

    connection: SipConnection
    uri: str
    epid: str = "2ebb6f264f"
    target: str = "localhost"
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    instance: uuid.UUID | None = None
    cseq: int = 0
    cnum: int = 0
    opaque: str = ""
    scheme: str = "TLS-DSK"
    client_key: bytes = b""
    server_key: bytes = b""
    sent: list[bytes] = field(default_factory=list)
    last: dict[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ("epid", "instance")

    def message(self, authorization: str = "", method: str = "REGISTER", **changes: str) -> bytes:
        """Make a message; a change of None leaves a header out."""
        uri = self.last["uri"]
        epid = f";epid={self.epid}" if "epid" in self.told else ""
        instance = f"<urn:uuid:{self.instance or instance_of(self.epid)}>"
        named = f';+sip.instance="{instance}"' if "instance" in self.told else ""
        headers = {
            "Via": "SIP/2.0/tls 127.0.0.1:50123;branch=z9hG4bK" + uuid.uuid4().hex[:12],
            "From": f"<{uri}>;tag={self.last['tag']}{epid}",
            "To": f"<{uri}>",
            "Max-Forwards": "70",
            "CSeq": f"{self.cseq} {method}",
            "User-Agent": "TestClient/1.0",
            "Call-ID": self.call_id,
            "Contact": "<sip:127.0.0.1:50123;transport=tls;ms-opaque=d3470f2e1d>;"
            'methods="INVITE, MESSAGE, ACK";proxy=replace' + named,
            "Event": "registration",
            "ms-keep-alive": "UAC;hop-hop=yes",
            "Authorization": authorization or None,
            "Content-Length": "0",
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        lines = [f"{method} sip:contoso.test SIP/2.0"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join([*lines, "", ""]).encode()

    def ask(self, authorization: str = "", method: str = "REGISTER", **changes: str) -> Answer:
        self.cseq += 1
        self.last = {"uri": self.uri, "tag": uuid.uuid4().hex[:10], "method": method}
        return self.exchange(self._with(authorization, method, changes))

    def exchange(self, data: bytes) -> Answer:
        self.sent.append(data)
        self.connection.send(data)
        return self.connection.read()

    def token(self, token: bytes, **changes: str) -> Answer:
        """Send a token of the handshake."""
        return self.ask(self.token_header(token), **changes)

    def token_header(self, token: bytes) -> str:
        return (
            f'{self.scheme} qop="auth", {self._opaque}realm="{REALM}", targetname="{self.target}", '
            f'gssapi-data="{base64.b64encode(token).decode()}", version=4'
        )

    @property
    def _opaque(self) -> str:
        return f'opaque="{self.opaque}", ' if self.opaque else ""

    def handshake(self, tls: InnerTls) -> Answer:
        """Do the handshake of TLS-DSK and return the last answer to it."""
        self.opaque = ""
        answer = self.token(tls.flight())
        while answer.status == 401 and "gssapi-data" in answer.all("WWW-Authenticate")[0]:
            params = answer.challenge("TLS-DSK")
            self.opaque = params["opaque"]
            made = tls.flight(base64.b64decode(params["gssapi-data"]))
            if not made:
                self.client_key, self.server_key = tls.keys()
                return answer
            answer = self.token(made)
        return answer

    def signed(self, method: str = "REGISTER", *, upper: bool = True, **changes: str) -> Answer:
        """Send a signed message."""
        return self.ask("sign", method, upper=upper, **changes)

    def _with(self, authorization: str, method: str, changes: dict) -> bytes:
        upper, wrong = changes.pop("upper", True), changes.pop("wrong", False)
        token = changes.pop("token", None)
        if authorization != "sign":
            return self.message(authorization, method, **changes)
        self.cnum = changes.pop("cnum", self.cnum + 1)
        text = self.string("0878f41b", self.cnum, "", changes.get("Expires", ""))
        made = self.sign(text + "x" if wrong else text)
        response = made.upper() if upper else made
        header = (
            f'{self.scheme} qop="auth", {self._opaque}realm="{REALM}", '
            f'targetname="{self.target}", version=4, crand="0878f41b", cnum="{self.cnum}", '
            f'response="{response}"'
            + ("" if token is None else f', gssapi-data="{base64.b64encode(token).decode()}"')
        )
        return self.message(header, method, **changes)

    def sign(self, text: str) -> str:
        return hmac.digest(self.client_key, text.encode(), "sha1").hex()

    def verify(self, text: str, told: str) -> bool:
        return hmac.digest(self.server_key, text.encode(), "sha1").hex() == told.lower()

    def string(
        self, rand: str, number: object, to_tag: str, expires: str, status: int | None = None
    ) -> str:
        fields = [self.scheme, rand, number, REALM, self.target, self.call_id, self.cseq]
        fields += [self.last["method"], self.last["uri"], self.last["tag"], self.last["uri"]]
        fields += [to_tag, "", "", expires, *([] if status is None else [status])]
        return "".join(f"<{field}>" for field in fields)

    def is_signed(self, answer: Answer) -> bool:
        """Say whether the answer has the server's signature; False where it has none."""
        if not answer.all("Authentication-Info"):
            return False
        info = answer.params("Authentication-Info", self.scheme)
        to_tag = answer.one("To").partition(";tag=")[2]
        expires = "".join(answer.all("Expires"))
        text = self.string(info["srand"], info["snum"], to_tag, expires, answer.status)
        return self.verify(text, info["rspauth"])


@contextlib.contextmanager
def sip_user(registrar: str, ca_file: Path, uri: str, **more: object) -> Iterator[SipUser]:
    with SipConnection(registrar, ca_file) as connection:
        yield SipUser(connection, uri, **more)
