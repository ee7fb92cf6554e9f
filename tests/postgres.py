"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, one a test process."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from processes import PATIENCE, wait_for

from usbprov.ledger.address import parse_place
from usbprov.ledger.ledger import Ledger

ACCOUNT = "postgres"
"""The account that the server runs as where the tests run as root, as whom it refuses to run."""

ADMINISTRATOR = "administrator"
OWNER = "usbprov_owner"
"""The role that the tests' databases belong to."""

PASSWORD = "of-a-test"
"""Of every role, where it comes over TCP; over the Unix socket none is asked for."""

_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
shared_buffers = 16MB
max_connections = 60
log_min_messages = fatal
"""
_ACCESS = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""

_EMPTY = """
DELETE FROM failure; DELETE FROM sealed; DELETE FROM artifact; DELETE FROM step; DELETE FROM job;
DELETE FROM entry; DELETE FROM claim; DELETE FROM bench; DELETE FROM board; DELETE FROM head;
INSERT INTO head VALUES ('chain', 0, '', repeat('0', 64)), ('board', 0, '', '');
ALTER SEQUENCE artifact_id_seq RESTART; ALTER SEQUENCE sealed_id_seq RESTART;
ALTER SEQUENCE step_id_seq RESTART; ALTER SEQUENCE job_id_seq RESTART;
"""


@dataclass
class Cluster:
    """A server that runs.

    Attributes:
        folder: Where its Unix socket is, too.
        port: On 127.0.0.1.
    """

    folder: Path
    port: int
    server: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)
    made: str = ""

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute SQL as the administrator."""
        with psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user=ADMINISTRATOR,
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """Make an empty database, which belongs to ``OWNER``; returns its URL for ``--ledger``."""
        name = f"ledger{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        return self.url(name)

    def common_database(self) -> str:
        """Return the URL of one database that has the ledger's tables, all empty."""
        if not self.made:
            self.made = self.new_database()
            with Ledger(parse_place(self.made)) as ledger:
                ledger.jobs()
        self.execute(_EMPTY, self.made.partition("?")[0].rpartition("/")[2])
        return self.made

    def url(self, database: str, user: str = OWNER) -> str:
        """Return the URL of a database, through the Unix socket."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def url_of_tcp(self, database: str, user: str = OWNER) -> str:
        """Return the URL of a database, through loopback, where a password is asked for."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        log = (self.folder / "log").open("ab")
        command = [*_as_account(), str(_bin() / "postgres"), "-D", str(self.folder / "data")]
        self.server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        log.close()
        wait_for(self._answers, "PostgreSQL")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends all sessions, SIGQUIT is like a power cut."""
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(PATIENCE)

    def _answers(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, (self.folder / "log").read_text()
        with suppress(psycopg.OperationalError):
            return bool(self.execute("SELECT 1"))
        return False


@contextmanager
def cluster(parent: str | None = None) -> Iterator[Cluster]:
    """Run a server until the end of the block; in memory, or in a folder of ``parent``."""
    folder = Path(tempfile.mkdtemp(prefix="usbprov-postgres-", dir=parent or _memory()))
    made = Cluster(folder, _free_port())
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        folder.chmod(0o755)
        _initialise(made)
        made.start()
        made.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
        yield made
    finally:
        if made.server is not None and made.server.poll() is None:
            made.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


def _initialise(made: Cluster) -> None:
    data = made.folder / "data"
    options = ["--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    options.append("--wal-segsize=1")
    command = [str(_bin() / "initdb"), "-D", str(data), "-U", ADMINISTRATOR, *options]
    subprocess.run(
        [*_as_account(), *command], check=True, capture_output=True, timeout=PATIENCE, cwd="/"
    )
    settings = _SETTINGS.format(port=made.port, folder=made.folder)
    with (data / "postgresql.conf").open("a") as file:
        file.write(settings)
    (data / "pg_hba.conf").write_text(_ACCESS)


def _bin() -> Path:
    """Return the folder of the newest server that is installed; Debian keeps it out of the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    in_path = shutil.which("initdb")
    assert found or in_path, "PostgreSQL's server is not installed: run scripts/bootstrap --dev"
    return found[-1] if found else Path(str(in_path)).parent


def _as_account() -> list[str]:
    """Return what to put before a command so that it does not run as root, nor outlive us."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=QUIT"]
    who = [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]
    return ["setpriv", *who, "--pdeathsig=QUIT"]


def _memory() -> str | None:
    """Return a file system in memory, where there is one: the server's waits are not tested."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
