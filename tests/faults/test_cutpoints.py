"""A few cut points of the whole matrix (``make test-faults``), and mistakes that it must find."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
POINTS = 4
MISTAKES = 11

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it needs what Linux has")


def cutpoints(*arguments: str) -> "subprocess.CompletedProcess[str]":
    paths = os.pathsep.join([str(TESTS), str(TESTS / "faults")])
    return subprocess.run(
        [sys.executable, "-m", "cutpoints", "--workers", "1", *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_a_sample_passes_and_planted_mistakes_are_found(tmp_path: Path) -> None:
    """Which points, is by pytest-randomly's seed, which the run's header shows."""
    result = tmp_path / "result.json"
    scenarios = ["--scenario", "first-phone", "--scenario", "replace-phone"]
    seed = str(random.randrange(10**6))  # noqa: S311
    ended = cutpoints(
        *scenarios, "--planted", "--sample", str(POINTS), "--seed", seed, "--json", str(result)
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{MISTAKES} planted mistakes, 0 not found" in ended.stdout
    told = json.loads(result.read_text())
    assert (told["points"], told["failed"]) == (POINTS, 0)
