"""``usbprov list`` and ``list --watch`` as their users run them, with emulated phones."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import PATIENCE, PROGRAM, wait_for

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators


@pytest.fixture
def phones(tmp_path: Path) -> dict[str, UsbDevice]:
    smp = emulators()["smp"]
    return {f"1-{n}": smp.make(PhoneSpec(n, tmp_path / f"{n}.state")) for n in (1, 2)}


@pytest.fixture
def exporter(phones) -> Iterator[Exporter]:
    with Exporter(phones) as made:
        yield made


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "COV"))}
    return kept | {"HOME": str(tmp_path), "PYTHONUNBUFFERED": ""}


@contextmanager
def running(
    environment: dict[str, str], *arguments: str, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End the program and return what it had to complain of."""
    process.send_signal(number)
    _, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaints
    return complaints


def lines(process: subprocess.Popen[str], count: int) -> Sequence[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


class TestOnce:
    def run(self, environment: dict[str, str], *arguments: str) -> str:
        with running(environment, *arguments) as process:
            out, complaints = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaints) == (0, "")
        return out

    def test_table(self, exporter, environment):
        heads, *rows = self.run(environment, "--bus", exporter.uri, "list").splitlines()
        assert heads.split("  ")[0] == "PHONE"
        assert " ".join(heads.split()) == "PHONE PRODUCT SERIAL USB ID DRIVER LINK NOTE"
        assert [row.split() for row in rows] == [
            [f"{exporter.uri}/1-{n}", "EP-100", f"EMU000{n}", "1209:0001", "smp", "bulk"]
            for n in (1, 2)
        ]

    def test_json(self, exporter, environment):
        out = self.run(environment, "--bus", exporter.uri, "list", "--json")
        first, second = json.loads(out)
        assert (first["serial"], second["serial"]) == ("EMU0001", "EMU0002")
        assert (first["driver"], first["detects_only"], first["problem"]) == ("smp", False, None)
        assert first["serial_ports"] == []


class TestWatch:
    def test_json_lines(self, exporter, phones, environment):
        arguments = ("--bus", exporter.uri, "list", "--watch", "--json")
        with running(environment, *arguments) as process:
            events = [json.loads(line) for line in lines(process, 2)]
            phones["1-1"].unplug()
            events += [json.loads(line) for line in lines(process, 1)]
            phones["1-1"].plug()
            events += [json.loads(line) for line in lines(process, 1)]
            assert ended(process) == ""
        told = [(event["event"], event["device"]["serial"]) for event in events]
        assert told == [
            ("arrived", "EMU0001"),
            ("arrived", "EMU0002"),
            ("left", "EMU0001"),
            ("arrived", "EMU0001"),
        ]
        assert {event["device"]["driver"] for event in events} == {"smp"}

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_plain_lines(self, exporter, phones, environment, number):
        with running(environment, "--bus", exporter.uri, "list", "--watch") as process:
            told = [*lines(process, 2)]
            phones["1-2"].unplug()
            told += lines(process, 1)
            assert ended(process, number) == ""
        assert told == [
            f"+ {exporter.uri}/1-1  EP-100  EMU0001",
            f"+ {exporter.uri}/1-2  EP-100  EMU0002",
            f"- {exporter.uri}/1-2",
        ]

    def test_bus_that_ends_does_not_end_the_watch(self, exporter, environment):
        with running(environment, "--bus", exporter.uri, "list", "--watch") as process:
            lines(process, 2)
            exporter.close()
            told = lines(process, 3)
            assert ended(process) == ""
        assert told[:2] == [f"- {exporter.uri}/1-1", f"- {exporter.uri}/1-2"]
        assert told[2].startswith(f"! {exporter.uri}: ")

    def test_reader_that_has_seen_enough(self, exporter, phones, environment):
        with running(environment, "--bus", exporter.uri, "list", "--watch") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines(process, 2)
            process.stdout.close()
            phones["1-1"].unplug()
            assert process.wait(PATIENCE) == 0
            assert process.stderr.read() == ""

    @pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
    def test_table_on_a_terminal(self, exporter, phones, environment):
        import pty

        main, terminal = pty.openpty()
        shown = bytearray()

        def comes(word: bytes) -> bool:
            shown.extend(os.read(main, 65536))
            return word in shown

        size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
        arguments = ("--bus", exporter.uri, "list", "--watch")
        try:
            with running(environment | size, *arguments, stdout=terminal) as process:
                wait_for(lambda: comes(b"2 attached"), "both phones")
                phones["1-1"].unplug()
                wait_for(lambda: comes(b"1 attached"), "one of them to go")
                assert ended(process, signal.SIGINT) == ""
        finally:
            os.close(main)
            os.close(terminal)
        assert b"EMU0001" in shown
