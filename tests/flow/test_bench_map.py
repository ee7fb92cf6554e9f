"""``usbprov bench map`` as its users run it: an emulated phone is plugged into port after port."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import PATIENCE, PROGRAM

from usbprov.bench.mapfile import read_map
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators


class Operator:
    """Plugs phones in, keys lines in, and reads what is said."""

    def __init__(self, folder: Path, exporter: Exporter) -> None:
        self.folder, self.exporter = folder, exporter
        self.path = folder / "bench.toml"
        self.process: subprocess.Popen[str] | None = None

    @contextmanager
    def mapping(self, *arguments: str) -> Iterator[None]:
        kept = {n: v for n, v in os.environ.items() if n.startswith(("PATH", "COV"))}
        home = {"HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}
        home["USBPROV_LOCK_DIR"] = str(self.folder)
        with subprocess.Popen(
            [*PROGRAM, "--bus", self.exporter.uri, "bench", "map", *arguments],
            cwd=self.folder,
            env=kept | home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as self.process:
            try:
                yield
            finally:
                self.process.kill()

    def hears(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n").replace(f"{self.exporter.uri}/", "")

    def keys(self, line: str) -> str:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hears()

    def plugs(self, port: str) -> str:
        """Plug the phone in, hear what is said, and unplug it."""
        number = sum(1 for _ in self.folder.glob("*.state")) + 1
        made = emulators()["smp"].make(PhoneSpec(number, self.folder / f"{number}.state"))
        self.exporter.attach(port, made)
        words = self.hears()
        self.exporter.detach(port)
        return words

    def ends(self) -> tuple[int, str]:
        assert self.process is not None
        _, complaints = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, complaints

    @property
    def labels(self) -> dict[str, str]:
        ports = (hub.ports for hub in read_map(self.path).hubs)
        bus = f"{self.exporter.uri}/"
        return {a.removeprefix(bus): name for port in ports for a, name in port.items()}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with Exporter({}) as exporter:
        yield Operator(tmp_path, exporter)


def test_ports_are_learnt_and_saved_one_by_one(operator):
    with operator.mapping("--columns", "2", "--name", "bench-1"):
        assert operator.hears() == "hub A, 2 ports a row; plug into A1"
        assert operator.plugs("1-2") == "1-2 is A1; next is A2"
        assert operator.labels == {"1-2": "A1"}
        assert operator.plugs("1-1") == "1-1 is A2; next is A3"
        assert operator.keys("undo") == "A2 is taken back; unplug, and plug into A2"
        assert operator.labels == {"1-2": "A1"}
        assert operator.plugs("1-3") == "1-3 is A2; next is A3"
        assert operator.keys("skip") == "A3 stays without a port; plug into A4"
        assert operator.keys("label ") == "'' is no label: at most 16 signs that can be shown"
        assert operator.keys("hub B 4") == "hub B, 4 ports a row; plug into B1"
        assert operator.plugs("1-4") == "1-4 is B1; next is B2"
        assert operator.keys("what") == "what? undo, skip, label NAME, hub NAME [COLUMNS], end"
        assert operator.keys("end") == "3 ports learnt; bench.toml"
        assert operator.ends() == (0, "")

    learnt = read_map(operator.path)
    assert learnt.name == "bench-1"
    assert [hub.rows for hub in learnt.hubs] == [(("A1", "A2"), ("A3",)), (("B1",),)]
    assert operator.labels == {"1-2": "A1", "1-3": "A2", "1-4": "B1"}


def test_it_ends_by_itself_and_goes_on_another_time(operator):
    with operator.mapping("--until", "1"):
        operator.hears()
        operator.plugs("1-1")
        assert operator.ends()[0] == 0
    with operator.mapping("--hub", "B", "--until", "1"):
        assert operator.hears() == "hub B, 8 ports a row; plug into B1"
        operator.plugs("1-2")
        assert operator.ends()[0] == 0

    assert operator.labels == {"1-1": "A1", "1-2": "B1"}


def test_a_kill_loses_nothing_that_was_told(operator):
    with operator.mapping():
        operator.hears()
        assert operator.plugs("1-1") == "1-1 is A1; next is A2"
        operator.process.send_signal(signal.SIGKILL)

    assert operator.labels == {"1-1": "A1"}


def test_ctrl_c_ends_it_well(operator):
    with operator.mapping():
        operator.hears()
        operator.plugs("1-1")
        operator.process.send_signal(signal.SIGINT)
        assert operator.hears() == "1 ports learnt; bench.toml"
        assert operator.ends() == (0, "")


def test_what_is_plugged_in_before_is_told_and_not_learnt(operator):
    made = emulators()["smp"].make(PhoneSpec(1, operator.folder / "1.state"))
    operator.exporter.attach("1-9", made)
    with operator.mapping("--until", "1"):
        operator.hears()
        assert operator.hears() == ("plugged in already, and not learnt before it was away: 1-9")
        assert operator.plugs("1-1") == "1-1 is A1; next is A2"
        assert operator.ends()[0] == 0
