"""The fuzzing targets without a fuzzer: seeds, what once did harm, and some damage to each."""

import random
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from fuzz.__main__ import REGRESSIONS
from fuzz.seeds import seeds, write_seeds
from fuzz.targets import METHODS, TARGETS

TESTS = Path(__file__).parents[1]
MEBIBYTES = 16
"""What any input may need beyond what the process has once everything is imported."""

BOUNDED = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from fuzz.targets import TARGETS
inputs = [(p.parent.name, p.read_bytes()) for p in Path(sys.argv[1]).glob("*/*")]
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + {MEBIBYTES} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    bytearray({MEBIBYTES} * 2**21)
    sys.exit("the limit does not hold")
except MemoryError:
    pass
for name, data in inputs:
    for hostile in (data, data * 40, data[:40] + bytes(range(256)) * 256):
        TARGETS[name](hostile)
print(len(inputs))
"""


@cache
def corpus() -> Mapping[str, tuple[bytes, ...]]:
    return seeds()


def test_every_target_has_seeds() -> None:
    assert set(corpus()) == set(TARGETS)
    assert {seed[0] for seed in corpus()["driver"]} == set(range(len(METHODS)))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for data in corpus()[name]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_reach_deep(name: str) -> None:
    """Seeds that were all refused at their first byte would be of no use."""
    accepted = [data for data in corpus()[name] if _lines_run(name, data) > _lines_run(name, b"")]
    assert len(accepted) * 2 > len(corpus()[name])


def _lines_run(name: str, data: bytes) -> int:
    """Count the lines of usbprov that a target runs."""
    count = 0

    def trace(frame, event, _argument):
        nonlocal count
        count += event == "line" and "usbprov" in frame.f_code.co_filename
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        TARGETS[name](data)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_seeds(name: str) -> None:
    dice = random.Random(name)  # noqa: S311
    for _ in range(150):
        data = bytearray(dice.choice(corpus()[name]))
        for _ in range(dice.randrange(1, 6)):
            _damage(data, dice)
        try:
            TARGETS[name](bytes(data))
        except Exception as failure:
            raise AssertionError(f"{name}: {bytes(data).hex()}") from failure


def _damage(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) + 1)
    odd = dice.choice([b"", b"\0", b"\xff", b"\x7f", b"\x80", b"\xbf", dice.randbytes(4)])
    data[at : at + dice.randrange(3)] = odd


FOUND = sorted(path for path in REGRESSIONS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_did_harm(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux's")
def test_all_of_it_within_bounded_memory(tmp_path: Path) -> None:
    write_seeds(tmp_path, corpus())
    command = [sys.executable, "-c", BOUNDED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == sum(map(len, corpus().values()))


def test_an_input_can_be_replayed_by_itself(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(corpus()["cbor"][0])
    command = [sys.executable, "-m", "fuzz", "cbor", "--replay", str(tmp_path / "input")]
    assert subprocess.run(command, cwd=TESTS, check=False, timeout=60).returncode == 0
