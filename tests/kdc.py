"""A Kerberos realm on loopback: MIT's KDC as a process, with a folder and settings of its own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from processes import PATIENCE, wait_for

_KRB5_CONF = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""
_KDC_CONF = """
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    supported_enctypes = aes256-cts:normal
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


@dataclass(frozen=True)
class Realm:
    """A realm that is served.

    Attributes:
        folder: All its files; ``kdc.log`` tells what was asked.
        name: In capitals.
    """

    folder: Path
    name: str

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to be in the realm, and in no other."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
            "KRB5RCACHEDIR": str(self.folder),
        }

    def add_user(self, name: str, password: str) -> None:
        self._administer(f"add_principal +requires_preauth -pw {password} {name}")

    def keytab(self, *services: str) -> Path:
        """Make service principals, and the keytab with their keys."""
        path = self.folder / f"{services[0].replace('/', '-')}.keytab"
        for service in services:
            self._administer(f"add_principal -randkey {service}")
            self._administer(f"ktadd -k {path} {service}")
        return path

    def sign_in(self, name: str, password: str, lifetime: str = "1h") -> None:
        """Get a ticket-granting ticket, as a user does who signs in to this computer."""
        self._run("kinit", "-l", lifetime, name, typed=f"{password}\n")

    def sign_out(self) -> None:
        (self.folder / "tickets").unlink(missing_ok=True)

    def asked(self, *words: str) -> list[str]:
        """Return the lines of the KDC's log that have all these words."""
        lines = (self.folder / "kdc.log").read_text().splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def create(self) -> None:
        self._run("kdb5_util", "create", "-s", "-r", self.name, "-P", "master-of-a-test")

    def _administer(self, query: str) -> None:
        self._run("kadmin.local", "-r", self.name, "-q", query)

    def _run(self, *command: str, typed: str = "") -> None:
        subprocess.run(
            command,
            input=typed,
            text=True,
            capture_output=True,
            check=True,
            env=self.environment,
            timeout=PATIENCE,
        )

    @property
    def environment(self) -> dict[str, str]:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return {"PATH": path, "LC_ALL": "C.UTF-8", **self.variables}


@contextmanager
def realm(folder: Path, name: str = "CONTOSO.TEST") -> Iterator[Realm]:
    """Run a KDC until the end of the block."""
    port = _free_port()
    made = Realm(folder, name)
    for file, text in (("krb5.conf", _KRB5_CONF), ("kdc.conf", _KDC_CONF)):
        (folder / file).write_text(text.format(realm=name, port=port, folder=folder))
    made.create()
    kdc = subprocess.Popen(
        ["krb5kdc", "-n", "-r", name],
        env=made.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: kdc.poll() is not None or _listens(port), "the KDC")
        assert kdc.poll() is None, "the KDC has ended"
        yield made
    finally:
        kdc.terminate()
        kdc.wait(PATIENCE)


def _free_port() -> int:
    """Find a port that is free for UDP as well as for TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
