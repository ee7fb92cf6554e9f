"""``benchmarks/link.py`` measures the same messages either way, and says so in JSON."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "link.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARK), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_both_ways_are_measured() -> None:
    # The bare loop stops it if the phone answers with anything but what was rehearsed.
    ended = run("usbip", "pty", "--pairs", "2", "--personality", "small-buffers")
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout.splitlines()[-1])
    assert [result["place"] for result in results] == ["usbip", "pty"]
    for result in results:
        assert result["largest"] <= 256
        assert result["messages"] > 16384 // 256
        assert result["ratio"] > 0
        assert min(result["ours"], result["bare"]) > 0


def test_a_place_that_is_not_known_is_refused() -> None:
    ended = run("nowhere")
    assert ended.returncode == 2
    assert "no such place: nowhere" in ended.stderr
