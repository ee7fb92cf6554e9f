"""A lab, and a technician's computer, of whose program all is seen: what it says and leaves."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import PATIENCE, STARTED, Ended, Station, station
from program_server import SPY

from canary import secrets, spy_file
from canary.search import Search, Secret
from canary.watching import Watch
from usbprov_drivers.smp.state import State
from usbprov_drivers.smp.store import Store

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
_USER = """
[[users]]
sip_uri = "sip:{name}@contoso.test"
extension = "{extension}"
pin = "{pin}"
password = "{password}"
"""


@dataclass
class Running:
    """A program that runs, and what it has said so far.

    Attributes:
        process: The program.
        name: What is done, for the texts.
        said: Where the texts are taken down.
    """

    process: "subprocess.Popen[bytes]"
    name: str
    said: dict[str, bytes]

    def line(self) -> str:
        """Return the next line of its errors."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.said[f"{self.name} errors"] = self.said.get(f"{self.name} errors", b"") + line
        return line.decode()

    def end(self, typed: str = "") -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(typed.encode(), PATIENCE)
        err = self.said.get(f"{self.name} errors", b"") + err
        self.said |= {f"{self.name} output": out, f"{self.name} errors": err}
        return Ended(self.process.returncode, out.decode(), err.decode())


@dataclass
class Stand:
    """A station whose program is spied upon.

    Attributes:
        at: The station.
        said: All that was said, by whom and where.
        known: Secrets that only the test knows, such as the key of a board.
    """

    at: Station
    said: dict[str, bytes] = field(default_factory=dict)
    known: list[Secret] = field(default_factory=list)
    _count: int = 0

    @property
    def folder(self) -> Path:
        return self.at.folder

    @property
    def given(self) -> Path:
        """Folder of files with secrets that are given to the program; it is not searched."""
        return self.folder / "given"

    @property
    def work(self) -> Path:
        """The folder in which the program is started."""
        return self.folder / "work"

    @property
    def servers(self) -> list[str]:
        facts = self.at.facts
        return ["--web-services-url", facts["web_services_url"], "--ca-file", facts["ca_file"]]

    @property
    def registrar(self) -> list[str]:
        return ["--registrar", self.at.facts["registrar"]]

    def log(self, name: str) -> Path:
        return self.work / f"{name}.log"

    def environment(self, stop: str | None = None, *, started: bool = False) -> dict[str, str]:
        """Return what the program has in its environment."""
        variables = environment_of_spy(self.folder, started=started)
        return self.at.environment | variables | ({"CANARY_STOP": stop} if stop else {})

    def command(self, log: Path, *arguments: str, started: bool = True) -> list[str]:
        """Return the command line, at the finest level of everything that is logged."""
        return self._command(["-vv", "--log-file", str(log)], *arguments, started=started)

    def _command(self, logged: Sequence[str], *arguments: str, started: bool) -> list[str]:
        command = self.at.command(*arguments)
        before = len(self.at.program)
        program = [*STARTED] if started else command[:before]
        return [*program, *logged, *command[before:]]

    def _logged(self, name: str) -> list[str]:
        """Have the same logged to the screen and to a file, in turn; both costs twice as much."""
        return ["-vv"] if self._count % 2 else ["--log-file", str(self.log(name))]

    @contextmanager
    def begun(
        self,
        *arguments: str,
        stop: str | None = None,
        started: bool = False,
        logged: bool = True,
        **more: str,
    ) -> Iterator[Running]:
        """Begin one thing, and take down all that is said; it is killed at the end of the block.

        Args:
            arguments: The command.
            stop: ``POINT:HOW``, where it comes to a bad end, or None.
            started: Whether it is started as its users do, and looked at from outside.
            logged: Whether everything is logged, or nothing.
            more: More of its environment.
        """
        self._count += 1
        name = f"{self._count:02d}-{arguments[0]}"
        process = subprocess.Popen(
            self.command(self.log(name), *arguments)
            if started
            else self._command(self._logged(name) if logged else [], *arguments, started=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(stop, started=started) | more,
            cwd=self.work,
        )
        watch = Watch(process.pid)
        running = Running(process, name, self.said)
        with process, watch if started else nullcontext():  # else they are all the server's
            try:
                yield running
            finally:
                process.kill()
        self.said[f"{name} processes"] = b"\n".join(watch.seen)

    def do(self, *arguments: str, typed: str = "", **how: Any) -> Ended:
        """Do one thing to its end, as ``begun``; ``typed`` is its standard input."""
        with self.begun(*arguments, **how) as running:
            return running.end(typed)

    # --- what is searched, and for what

    def left(self) -> Iterator[tuple[str, bytes]]:
        """Yield everything that the programs have said and left, with a name for it."""
        yield from self.said.items()
        for place in ("home", "work", "tmp", "spy"):
            for file in sorted((self.folder / place).rglob("*")):
                if file.is_file() and not file.name.startswith("secrets-"):
                    yield str(file.relative_to(self.folder)), file.read_bytes()
        for name in ("calls.log", "lab.log"):
            yield f"lab/{name}", (self.folder / "lab" / name).read_bytes()

    def spied(self) -> dict[str, set[bytes]]:
        """Return what the spy saw, by its kind."""
        return secrets.spied(self.folder / "spy")

    def secrets(self) -> Iterator[Secret]:
        """Yield everything that must be found nowhere."""
        yield from secrets.marked(NAMES)
        yield from secrets.marks()
        yield from secrets.of_spied(self.spied())
        for pkcs8 in self.keys_in_phones():
            yield from secrets.of_key("a phone's key", pkcs8)
        yield from self.known

    def keys_in_phones(self) -> Iterator[bytes]:
        """Yield the private keys (PKCS#8, DER) of all emulated phones."""
        for file in (self.folder / "lab" / "phones").glob("*.state"):
            for slot in Store(file, State).state.slots:
                yield from (key.pkcs8 for key in (slot.key, slot.pending_key) if key is not None)

    def leaks(self) -> dict[str, set[str]]:
        """Return where secrets are found, and which; nothing where all is well."""
        search = Search(self.secrets())
        seen: set[bytes] = set()
        found: dict[str, set[str]] = {}
        for where, data in self.left():
            if data not in seen and (names := search.find(data) - _own(where)):
                found[where] = names
            seen.add(data)
        return found

    def acts(self, kind: str) -> list[list[Any]]:
        """Return what the programs did, of one kind: ``opened``, ``process``, ``environment``."""
        lines = [
            json.loads(line)
            for file in (self.folder / "spy").glob("acts-*.jsonl")
            for line in file.read_text().splitlines()
        ]
        return [line["what"] for line in lines if line["act"] == kind]

    def written_elsewhere(self) -> set[str]:
        """Return the files that were written to and are not among those that are searched."""
        searched = tuple(str(self.folder / name) for name in ("home", "work", "tmp", "lab"))
        opened = {(str(path), bool(unnamed)) for path, unnamed in self.acts("opened")}
        return {
            path
            for path, unnamed in opened
            if unnamed or not (self.work / path).as_posix().startswith((*searched, "/dev/"))
        }


def _own(where: str) -> set[str]:
    """Return what may be in a file since the file is for that; it is its owner's alone."""
    return {"sealing key"} if "sealing-key" in where else set()


def environment_of_spy(folder: Path, *, started: bool = False) -> dict[str, str]:
    """Return what has the spy run in a program's process, and has its files where they are seen."""
    places = dict.fromkeys(("XDG_CACHE_HOME", "XDG_DATA_HOME"), str(folder / "home"))
    spying = {SPY: str(spy_file()), "CANARY_FOLDER": str(folder / "spy")}
    spying["PYTHONDONTWRITEBYTECODE"] = "1"  # or its own files would be taken for the program's
    if started or os.environ.get("USBPROV_QUICK_PYTHON", "") == "":
        spying["PYTHONPATH"] = str(folder / "site")
    return {**places, **spying, "TMPDIR": str(folder / "tmp")}


@contextmanager
def stand(
    folder: Path, phones: int = 1, options: Sequence[str] = (), lab: Mapping[str, str] | None = None
) -> Iterator[Stand]:
    """Run a lab with marked users, logged at the finest level, and have the program spied upon.

    Args:
        folder: Where all of it is.
        phones: How many phones there are.
        options: More options of ``lab up``.
        lab: What the lab has in its environment besides.
    """
    for name in ("home", "work", "tmp", "given", "spy", "site"):
        (folder / name).mkdir()
    (folder / "given").chmod(0o700)
    (folder / "site" / "sitecustomize.py").write_text(
        f"import os, runpy\nif {SPY!r} in os.environ:\n    runpy.run_path(os.environ[{SPY!r}])\n"
    )
    users = folder / "given" / "users.toml"
    users.write_text("".join(_user(number) for number in range(len(NAMES))))
    logged = {"USBPROV_LOG_FILE": str(folder / "lab" / "lab.log"), "CANARY_LAB": "1"}
    variables = environment_of_spy(folder) | logged | dict(lab or {})
    with station(folder, phones, ["--users", str(users), *options], variables) as at:
        yield Stand(at)


def _user(number: int) -> str:
    return _USER.format(
        name=NAMES[number],
        extension=1001 + number,
        pin=secrets.PIN,
        password=secrets.PASSWORD,
    )
