"""OpenSSL's command shakes hands with either side of TLS-DSK, and exports the same signing keys.

The records go over a socket instead of in SIP messages; the handshake is the same.
"""

import hmac
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, utils
from doubles.certificates import Party, issue
from networks import need_program
from processes import PATIENCE

from usbprov.lab.registrar.handshake import DskHandshake, Presented
from usbprov.net.credentials import CertificateCredential
from usbprov.pki.certificates import to_der, to_pem
from usbprov.registrar.tls_dsk import TlsDsk

TEXT = "<TLS-DSK><0878f41b><1><SIP Communications Service><…>"
EXPORT = ("-keymatexport", "client EAP encryption", "-keymatexportlen", "128")
VERSIONS = {"-tls1": "TLS 1.0", "-tls1_1": "TLS 1.1", "-tls1_2": "TLS 1.2"}
SUITES = ("AES128-SHA", "AES256-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA")
CHANGE_CIPHER_SPEC, HANDSHAKE = 20, 22
CLIENT_HELLO, SERVER_HELLO_DONE = 1, b"\x0e\0\0\0"

all_suites = pytest.mark.parametrize("suite", SUITES)
all_versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(autouse=True)
def _openssl() -> None:
    need_program("openssl")


def identity(folder: Path, party: Party) -> list[str]:
    """Write certificate and key as the command wants them."""
    path = folder / "identity.pem"
    key = party.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(key + to_pem([party.certificate]))
    return ["-cert", str(path), "-key", str(path)]


@contextmanager
def openssl(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["openssl", *arguments, *EXPORT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def exported(told: str) -> bytes:
    """Return the keying material that the command told."""
    found = re.search(r"Keying material: ([0-9A-F]{256})", told)
    assert found, told
    return bytes.fromhex(found[1])


def flight(peer: socket.socket) -> bytes:
    """Read one flight: to a ClientHello, to ServerHelloDone, or to the record of Finished."""
    taken, changed = b"", False
    while True:
        head = exactly(peer, 5)
        content = exactly(peer, int.from_bytes(head[3:]))
        taken += head + content
        hello = content[0] == CLIENT_HELLO or content.endswith(SERVER_HELLO_DONE)
        if changed or (head[0] == HANDSHAKE and hello):
            return taken
        changed = head[0] == CHANGE_CIPHER_SPEC


def exactly(peer: socket.socket, size: int) -> bytes:
    data = peer.recv(size, socket.MSG_WAITALL)
    assert len(data) == size, "the command has gone away"
    return data


def mac(key: bytes) -> str:
    return hmac.digest(key, TEXT.encode(), "sha1").hex()


@all_versions
@all_suites
def test_the_labs_side(tmp_path: Path, version: str, suite: str) -> None:
    user, pool = issue("alice@contoso.test"), issue("pool.contoso.test")
    lab = DskHandshake(Presented(pool.key, [pool.certificate]), "any")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        chosen = [version, "-cipher", f"{suite}:@SECLEVEL=0", *identity(tmp_path, user)]
        with openssl("s_client", "-connect", address, *chosen) as client:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(PATIENCE)
                while not lab.complete:
                    peer.sendall(lab.step(flight(peer)))
            told, _ = client.communicate(timeout=PATIENCE)
    material = exported(told)
    assert lab.certificate == user.certificate
    assert (lab.protocol, lab.cipher) == (VERSIONS[version], suite)
    assert lab.verify(TEXT, mac(material[64:96]))
    assert lab.sign(TEXT) == mac(material[96:])


@all_versions
@all_suites
def test_the_programs_side(tmp_path: Path, version: str, suite: str) -> None:
    user, pool = issue("alice@contoso.test"), issue("pool.contoso.test")
    presented: list[list[bytes]] = []
    sign = partial(user.key.sign, padding=padding.PKCS1v15(), algorithm=utils.NoDigestInfo())
    credential = CertificateCredential(to_der(user.certificate), sign)
    own = TlsDsk(credential, "pool.contoso.test", presented.append)
    chosen = [version, "-cipher", f"{suite}:@SECLEVEL=0", *identity(tmp_path, pool)]
    once = ["-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "1"]
    with openssl("s_server", *once, *chosen) as server:
        with socket.create_connection(("127.0.0.1", port_of(server)), PATIENCE) as peer:
            out: bytes | None = own.begin()
            while out is not None:
                peer.sendall(out)
                out = own.step(flight(peer))
        told, _ = server.communicate(timeout=PATIENCE)
    material = exported(told)
    assert presented == [[to_der(pool.certificate)]]
    assert "subject=CN = alice@contoso.test" in told
    assert own.protocol == VERSIONS[version]
    assert own.sign(TEXT.encode()).lower() == mac(material[64:96])
    assert own.verify(TEXT.encode(), mac(material[96:]))


def port_of(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    told = iter(server.stdout.readline, "")
    return next(int(line.rpartition(":")[2]) for line in told if line.startswith("ACCEPT"))
