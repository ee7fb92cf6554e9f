"""A real slapd with a tree like Active Directory's, in a folder and on ports of its own."""

import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from processes import wait_for

from doubles.certificates import NOW, Party, issue
from usbprov.pki.certificates import to_pem
from usbprov.pki.keys import to_pkcs8

SLAPD = "/usr/sbin/slapd"
SUFFIX = "DC=contoso,DC=test"
CONFIGURATION = f"CN=Configuration,{SUFFIX}"
SERVICES = f"CN=Public Key Services,CN=Services,{CONFIGURATION}"
READER = f"CN=reader,{SUFFIX}"
PASSWORD = "Correct-Horse-7"

_SCHEMA = """
attributetype ( 1.3.6.1.4.1.4203.666.11.1 NAME 'configurationNamingContext'
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.11.2 NAME 'container' SUP top STRUCTURAL MUST cn )
"""
_CONFIG = """
include /etc/ldap/schema/core.schema
include {folder}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
{tls}{root_dse}
database mdb
suffix "{suffix}"
directory {folder}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth
access to * by {readers} read by anonymous auth
"""
_TLS = """TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSCACertificateFile {folder}/server.pem
"""


@dataclass(frozen=True)
class Directory:
    """Where it listens."""

    plain: str
    tls: str
    elsewhere: str
    """The same over an address that is not in its certificate."""


@dataclass(frozen=True)
class Setup:
    """How a directory is to be: what its authorities are, and what it is strict about."""

    roots: Mapping[str, Sequence[bytes]]
    intermediates: Mapping[str, Sequence[bytes]]
    server: Party | None = None
    readers: str = "*"
    tells_configuration: bool = True


@contextmanager
def directory(folder: Path, setup: Setup) -> Iterator[Directory]:
    """Run slapd until the block ends."""
    (folder / "data").mkdir(parents=True)
    (folder / "ad.schema").write_text(_SCHEMA)
    (folder / "root.ldif").write_text(f"dn:\nconfigurationNamingContext: {CONFIGURATION}\n")
    if setup.server:
        _write_server(folder, setup.server)
    config = folder / "slapd.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            suffix=SUFFIX,
            tls=_TLS.format(folder=folder) if setup.server else "",
            root_dse=f"rootDSE {folder}/root.ldif" if setup.tells_configuration else "",
            readers=setup.readers,
        )
    )
    (folder / "tree.ldif").write_text(_tree(setup))
    load = [SLAPD.replace("slapd", "slapadd"), "-f", str(config), "-l", str(folder / "tree.ldif")]
    loaded = subprocess.run(load, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    yield from _running(folder, config, encrypted=setup.server is not None)


def _running(folder: Path, config: Path, *, encrypted: bool) -> Iterator[Directory]:
    plain, tls = _free_port(), _free_port()
    at = Directory(
        f"ldap://127.0.0.1:{plain}", f"ldaps://127.0.0.1:{tls}", f"ldaps://127.0.0.2:{tls}"
    )
    urls = f"{at.plain}/ {at.tls}/ {at.elsewhere}/" if encrypted else f"{at.plain}/"
    with (folder / "slapd.log").open("wb") as log:
        process = subprocess.Popen([SLAPD, "-f", str(config), "-h", urls, "-d", "0"], stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or _answers(plain), "slapd")
        assert process.poll() is None, (folder / "slapd.log").read_text()
        yield at
    finally:
        process.terminate()
        process.wait()


def _write_server(folder: Path, server: Party) -> None:
    body = b64encode(to_pkcs8(server.key)).decode()
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    (folder / "server.key").write_text(pem)
    (folder / "server.pem").write_bytes(to_pem([server.certificate]))


def _tree(setup: Setup) -> str:
    containers = [
        CONFIGURATION,
        f"CN=Services,{CONFIGURATION}",
        SERVICES,
        f"CN=Certification Authorities,{SERVICES}",
        f"CN=AIA,{SERVICES}",
    ]
    entries = [
        f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: Contoso\ndc: contoso",
        *(f"dn: {dn}\nobjectClass: container\ncn: {_cn(dn)}" for dn in containers),
        f"dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {PASSWORD}",
        *(_authority(f"CN={cn},{containers[3]}", ders) for cn, ders in setup.roots.items()),
        *(_authority(f"CN={cn},{containers[4]}", ders) for cn, ders in setup.intermediates.items()),
    ]
    return "\n\n".join(entries) + "\n"


def _authority(dn: str, certificates: Sequence[bytes]) -> str:
    crl = b64encode(_empty_crl()).decode()
    lines = [
        f"dn: {dn}\nobjectClass: container\nobjectClass: certificationAuthority\ncn: {_cn(dn)}",
        f"authorityRevocationList;binary:: {crl}\ncertificateRevocationList;binary:: {crl}",
        *(f"cACertificate;binary:: {b64encode(der).decode()}" for der in certificates),
    ]
    return "\n".join(lines)


def _cn(dn: str) -> str:
    return dn.partition(",")[0].partition("=")[2]


def _empty_crl() -> bytes:
    signer = issue("CRL")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=30))
    )
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
