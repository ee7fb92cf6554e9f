"""A lab, a database, tables of emulated phones, and benches: all of them processes."""

import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from postgres import Cluster
from processes import PROGRAM, Station, station, wait_for

from usbprov.lab.users import synthetic_users, write_users
from usbprov.ledger.address import parse_place
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

ROSTER = "users.csv"


@dataclass
class PhoneTable:
    """A table with phones, on an exporter of its own.

    Attributes:
        folder: The phones' state files are in it.
        first: Number of the first phone; gives serial numbers and MACs.
        count: How many phones.
        port: TCP port of the exporter, the same whenever it is started.
    """

    folder: Path
    first: int
    count: int
    port: int
    personality: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def bus(self) -> str:
        return f"usbip://127.0.0.1:{self.port}"

    def plug(self, at: Station) -> None:
        """Plug all phones in, as their files have them; return when they can be reached."""
        lying = self.folder / "authority"
        lying.mkdir(parents=True, exist_ok=True)
        shutil.copy(at.facts["ca_file"], lying / "root-ca.pem")
        (self.folder / "phones.json").unlink(missing_ok=True)
        options = ["--phones", str(self.count), "--first", str(self.first)]
        options += [part for name in self.personality for part in ("--personality", name)]
        self.process = subprocess.Popen(
            [
                *(*PROGRAM, "lab", "phones", "--dir", str(self.folder)),
                *("--usbip-port", str(self.port), *options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=at.environment,
        )
        wait_for((self.folder / "phones.json").exists, "the phones")

    def pull(self) -> None:
        """Pull all cables: every phone loses power."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)

    def split(self, moved: range, folder: Path, port: int) -> "PhoneTable":
        """Move the first or the last phones to a table of their own; none may be plugged in."""
        (folder / "phones").mkdir(parents=True)
        for number in moved:
            for state in (self.folder / "phones").glob(f"{number:03}.state*"):
                state.rename(folder / "phones" / state.name)
        left = [number for number in self.numbers if number not in moved]
        self.first, self.count = left[0], len(left)
        return PhoneTable(folder, moved[0], len(moved), port, self.personality)


@dataclass
class Program:
    """One bench: a process, its phones, and a second bus where phones may be moved to."""

    name: str
    table: PhoneTable
    spare: int
    process: "subprocess.Popen[bytes] | None" = None
    out: Path = Path()

    @property
    def spare_bus(self) -> str:
        return f"usbip://127.0.0.1:{self.spare}"


@dataclass
class Place:
    """All of it.

    Attributes:
        at: The lab.
        url: Of the database.
        ledger: The same, open.
        programs: The benches.
        tables: All tables that there are.
    """

    at: Station
    url: str
    ledger: Ledger
    programs: list[Program] = field(default_factory=list)
    tables: list[PhoneTable] = field(default_factory=list)

    def start(self, program: Program, *extra: str) -> None:
        """Start a bench; it works until it is ended."""
        facts = self.at.facts
        command = [
            *(*PROGRAM, "--bus", program.table.bus, "--bus", program.spare_bus),
            *("--ledger", self.url, "bench", "run", str(self.at.folder / ROSTER)),
            *("--web-services-url", facts["web_services_url"], "--ca-file", facts["ca_file"]),
            *("--registrar", facts["registrar"], "--name", program.name, "--json", *extra),
        ]
        program.out = self.at.folder / f"{program.name}.{time.monotonic_ns()}.jsonl"
        with program.out.open("wb") as out:
            program.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.at.environment,
            )

    def done(self) -> Counter[str]:
        """Count the jobs that are done, by bench."""
        jobs = self.ledger.jobs()
        return Counter(job.bench or "" for job in jobs if job.state is JobState.DONE)

    def wait(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        """Wait for it; every bench must run meanwhile."""
        deadline = time.monotonic() + seconds
        while not condition():
            for program in self.programs:
                ended = program.process is None or program.process.poll() is not None
                assert not ended, (program.name, program.out.read_text()[-2000:])
            assert time.monotonic() < deadline, (what, self.done())
            time.sleep(0.05)

    def end(self) -> None:
        """End all benches as Ctrl-C does."""
        for program in self.programs:
            assert program.process is not None
            program.process.send_signal(signal.SIGTERM)
        for program in self.programs:
            assert program.process is not None
            program.process.wait(60)
            assert b"Traceback" not in program.out.read_bytes(), program.out

    def close(self) -> None:
        """Kill whatever runs."""
        for program in self.programs:
            if program.process is not None:
                program.process.kill()
                program.process.wait()
        for table in self.tables:
            table.pull()


@contextmanager
def place(
    folder: Path, server: Cluster, benches: int, each: int, personality: Sequence[str] = ()
) -> Iterator[Place]:
    """Have a lab with as many users as phones, and benches that are not started yet."""
    users = synthetic_users(benches * each)
    write_users(folder / "users.toml", users)
    lines = [f"{user.extension},{user.sip_uri},{user.pin}" for user in users]
    (folder / ROSTER).write_text("\n".join(["extension,sip address,pin", *lines]) + "\n")
    url = server.new_database()
    with ExitStack() as stack:
        at = stack.enter_context(
            station(folder, phones=0, options=("--users", str(folder / "users.toml"), "--json"))
        )
        ledger = stack.enter_context(Ledger(parse_place(url)))
        here = Place(at, url, ledger)
        stack.callback(here.close)
        for number in range(benches):
            port, spare = free_ports()
            first = 1 + number * each
            table = PhoneTable(folder / f"table-{number}", first, each, port, personality)
            here.tables.append(table)
            here.programs.append(Program(f"bench-{number + 1}", table, spare))
        yield here


def free_ports() -> tuple[int, int]:
    """Return two TCP ports that are free."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
