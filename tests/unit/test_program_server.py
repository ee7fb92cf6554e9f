"""A fork of the server of programs is to its parent what the program started anew would be."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from processes import PATIENCE, PROGRAM, STARTED, wait_for

from usbprov.lab.up import Lab, LabOptions

pytestmark = pytest.mark.skipif(PROGRAM == STARTED, reason="there is no server in this run")


def both(*arguments: str, **variables: str) -> list[subprocess.CompletedProcess[str]]:
    """Run the program both ways, in an environment of these variables and PATH."""
    environment = {"PATH": os.environ["PATH"], **variables}
    return [
        subprocess.run(
            [*start, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        for start in (PROGRAM, STARTED)
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("explain", "USB-01"), 0),
        (("no-such-command",), 2),
        (("--bus", "usbip://127.0.0.1:1", "list"), 3),
    ],
)
def test_output_errors_and_exit_code_are_the_same(arguments: tuple[str, ...], code: int) -> None:
    fork, started = both(*arguments)
    assert fork.returncode == started.returncode == code
    assert (fork.stdout, fork.stderr) == (started.stdout, started.stderr)


def test_environment_and_folder_are_the_callers(tmp_path: Path) -> None:
    config = tmp_path / "usbprov" / "config.toml"
    config.parent.mkdir()
    config.write_text("nonsense = 1\n")
    fork, started = both("list", XDG_CONFIG_HOME=str(tmp_path))
    assert fork.returncode == started.returncode == 2
    assert str(config) in fork.stderr
    assert fork.stderr == started.stderr


def test_what_changes_how_python_starts_is_heeded(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('customized')\n")
    for ended in both("--version", PYTHONPATH=str(tmp_path)):
        assert ended.stdout.startswith("customized")


def phones(folder: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a program that runs until it is told to end; return it and its process number."""
    facts = folder / "phones.json"
    facts.unlink(missing_ok=True)
    process = subprocess.Popen(
        [*PROGRAM, "lab", "phones", "--dir", str(folder), "--phones", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: process.poll() is not None or facts.exists(), "the phones")
    return process, json.loads(facts.read_text())["pid"]


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lab that has run once, which is what phones need."""
    folder = tmp_path_factory.mktemp("lab")
    with Lab(LabOptions(folder)):
        return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_reach_the_program(lab_folder: Path, number: signal.Signals) -> None:
    process, pid = phones(lab_folder)
    with process:
        process.send_signal(number)
    assert process.returncode == (-number if number == signal.SIGKILL else 0)
    wait_for(lambda: not runs(pid), "the program's end")


def test_a_program_that_is_killed_is_seen_to_be_killed(lab_folder: Path) -> None:
    process, pid = phones(lab_folder)
    with process:
        os.kill(pid, signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
