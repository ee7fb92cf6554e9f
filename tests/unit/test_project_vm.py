"""The tests on a real USB bus run in their virtual machine, and are never left out in silence."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)], ids=["at home", "in CI"])
def test_without_the_machine_they_are_left_out_aloud_but_not_in_ci(
    tmp_path: Path, ci: str, code: int
) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test-vm", tmp_path / "scripts")
    bootstrap = tmp_path / "scripts" / "bootstrap"
    bootstrap.write_text("#!/bin/sh\nexit 1\n")
    bootstrap.chmod(0o755)
    ended = subprocess.run(
        [str(tmp_path / "scripts" / "test-vm")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code
    assert "NOT TESTED" in ended.stderr


def test_outside_of_the_machine_none_is_collected() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         "tests/vm"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, ended.stdout
