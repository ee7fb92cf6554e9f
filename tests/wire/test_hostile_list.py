"""``usbprov list``, ``describe`` and ``info`` over a bus full of devices that lie."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.certificates import issue
from doubles.descriptors import LIES, Descriptors, lying
from usb_support import phone

from usbprov.cli.main import run
from usbprov.emulation.exporter import Exporter
from usbprov.errors import ExitCode
from usbprov.pki.certificates import summarise
from usbprov.usb import snapshot

HONEST = "9-1"


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """Every lie there is at a port of its own, and a phone that tells the truth."""
    phones = {f"1-{number}": phone(number) for number in range(1, len(LIES) + 1)}
    for liar, said in zip(phones.values(), LIES.values(), strict=True):
        liar.device.faults.descriptor = lying(said)
    devices = {place: liar.device for place, liar in phones.items()}
    with Exporter({**devices, HONEST: phone(1).device}) as exporter:
        yield exporter.uri


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_TIMEOUT", 0.3)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def test_the_list_is_whole_and_harmless(bus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--bus", bus, "list"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(LIES)
    assert all(line.isprintable() for line in lines[1:])
    (honest,) = [line for line in lines if line.split()[0].endswith(HONEST)]
    assert "EMU0001" in honest


def test_the_list_as_json_is_whole(bus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--bus", bus, "list", "--json"]) == ExitCode.DONE
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 1 + len(LIES)
    problems = [device["problem"] for device in listed if device["port_path"] != HONEST]
    assert any(problems)
    assert [d["problem"] for d in listed if d["port_path"] == HONEST] == [None]


@pytest.mark.parametrize("said", LIES.values(), ids=LIES)
def test_a_liar_gives_a_page_or_an_error(
    said: Descriptors, capsys: pytest.CaptureFixture[str]
) -> None:
    liar = phone(1)
    liar.device.faults.descriptor = lying(said)
    liar.echo.answer = lambda data: b"\xff" * len(data)  # nothing is waited for
    with Exporter({"1-1": liar.device}) as exporter:
        for command in ("info", "describe"):
            code = run(["--bus", exporter.uri, command, "1-1"])
            printed = capsys.readouterr()
            assert code in {ExitCode.DONE, ExitCode.PHONE}
            assert "Traceback" not in printed.err
            for line in (printed.out + printed.err).split("\n"):
                assert line.isprintable(), line
            if code:
                assert "what to do:" in printed.err


def test_names_in_a_certificate_are_harmless() -> None:
    said = summarise(issue("\x1b[2J\r\n\u202eeve").certificate)
    assert said.subject.isprintable()
    assert said.issuer.isprintable()
