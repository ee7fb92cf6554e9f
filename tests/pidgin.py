"""Debian's pidgin-sipe without a screen, as a process with a home of its own.

The program around it (``interop/pidgin/headless.c``) is compiled here against Debian's libpurple;
the client itself is the stock one.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from networks import need_file, need_program
from processes import PATIENCE, wait_for

_SOURCES = Path(__file__).parent / "interop" / "pidgin"
_NEEDED = {
    Path("/usr/lib/purple-2/libsipe.so"): "pidgin-sipe",
    Path("/usr/include/libpurple/purple.h"): "libpurple-dev",
}
_STRICT = ("gcc", "-Wall", "-Wextra", "-Werror", "-O1")

VERIFIED = "signature of incoming message validated"
"""What it logs for each message of the Registrar whose signature is right."""

# Kerberos must not look in the DNS for the realms of Windows domains.
_NO_REALM = "[libdefaults]\n  dns_lookup_kdc = false\n  dns_lookup_realm = false\n"


@dataclass(frozen=True)
class Program:
    """What was compiled: the program, and the cure for Debian 12's libxml2."""

    headless: Path
    sax1: Path


def build(folder: Path) -> Program:
    """Compile in ``folder``, or skip where something is not installed."""
    for tool in ("gcc", "pkg-config"):
        need_program(tool)
    for path, package in _NEEDED.items():
        need_file(path, package)
    flags = _output("pkg-config", "--cflags", "--libs", "purple").split()
    program = Program(folder / "headless", folder / "sax1.so")
    _output(*_STRICT, str(_SOURCES / "headless.c"), "-o", str(program.headless), *flags)
    library = ("-shared", "-fPIC", str(_SOURCES / "sax1.c"), "-o", str(program.sax1))
    _output(*_STRICT, *library)
    return program


def _output(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@dataclass(frozen=True)
class Client:
    """A client that runs.

    Attributes:
        home: Its HOME; ``events`` and ``log`` are there, too.
        process: Its standard input is open: closing it signs out.
    """

    home: Path
    process: subprocess.Popen[str]

    @property
    def events(self) -> list[str]:
        return (self.home / "events").read_text().splitlines()

    @property
    def log(self) -> str:
        """What libpurple and the plug-in said, without the long list of public CAs."""
        lines = (self.home / "log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith(("certificate/", "nss")))

    def outcome(self) -> str:
        """Wait until it is connected, or failed, or asks, and return that event."""
        wait_for(lambda: self.events or self.process.poll() is not None, "the client")
        assert self.events, self.log
        return self.events[0]

    def sign_out(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0, self.log


@dataclass(frozen=True)
class Account:
    """Who signs in: ``address,DOMAIN\\login`` as the client has it, and an empty password for
    whoever has a Kerberos ticket."""

    name: str
    password: str


@contextmanager
def client(
    program: Program,
    home: Path,
    account: Account,
    authentication: str,
    *,
    server: str,
    ca_file: str,
    **environment: str,
) -> Iterator[Client]:
    """Run the client; ``authentication`` is ``tls-dsk``, ``ntlm`` or ``krb5``."""
    home.mkdir()
    (home / "krb5.conf").write_text(_NO_REALM)
    arguments = (account.name, server, authentication, ca_file)
    own = {"HOME": str(home), "LD_PRELOAD": str(program.sax1), "LC_ALL": "C.UTF-8"}
    own |= {"KRB5_CONFIG": str(home / "krb5.conf"), "PURPLE_VERBOSE_DEBUG": "1"}
    with (home / "events").open("w") as events, (home / "log").open("w") as log:
        process = subprocess.Popen(
            [str(program.headless), *arguments],
            stdin=subprocess.PIPE,
            stdout=events,
            stderr=log,
            text=True,
            env=own | environment,
        )
    assert process.stdin is not None
    with process:
        process.stdin.write(f"{account.password}\n")
        process.stdin.flush()
        try:
            yield Client(home, process)
        finally:
            process.kill()
