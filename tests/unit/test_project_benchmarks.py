"""The start-up benchmark is fair: it alternates, and its bare program is a real one."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def startup():
    location = ROOT / "benchmarks" / "startup.py"
    spec = importlib.util.spec_from_file_location("startup_benchmark", location)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_two_commands_alternate_and_so_does_which_goes_first(startup):
    calls = []

    def run(command):
        calls.append(command[0])
        return float(len(calls))

    bare, ours = startup.measure(["bare"], ["ours"], pairs=4, run=run)

    measured = calls[2 * startup.WARM_UPS :]
    assert "".join(name[0] for name in measured) == "boobboob"
    assert (len(bare), len(ours)) == (4, 4)
    assert sum(bare) == sum(ours), "over an even number of pairs a steady drift cancels out"


def test_the_ratio_is_that_of_the_medians(startup, capsys):
    assert startup.report([1.0, 2.0, 90.0], [3.0, 5.0, 4.0]) == 2.0
    assert "2.00" in capsys.readouterr().out


def test_the_bare_program_runs(startup, tmp_path):
    script = startup.write_bare_program(tmp_path)
    done = subprocess.run([script, "--version"], check=True, capture_output=True, text=True)

    assert done.stdout == "bare, version 0\n"
