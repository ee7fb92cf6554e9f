"""Measure the start-up of ``usbprov --version`` against a bare click program, in pairs.

Both are console scripts of the form that pip writes, run by the same interpreter, with their byte
code cached. The two alternate, and which goes first alternates too, so that a slow moment of the
machine hits both. The figure of merit is the ratio of the medians; the exit code is 1 if it is
above the goal.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GOAL = 1.3
PAIRS = 30
WARM_UPS = 3

BARE_PROGRAM = '''\
"""A program that does nothing but parse its command line with click."""

import click


@click.group()
@click.version_option("0", prog_name="bare")
def main() -> None:
    """Do nothing."""
'''

CONSOLE_SCRIPT = """\
#!{interpreter}
import sys
from bare_click_program import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
"""

Command = Sequence[str]


def write_bare_program(folder: Path) -> Path:
    """Write the bare click program and its console script to ``folder``; return the script."""
    (folder / "bare_click_program.py").write_text(BARE_PROGRAM)
    script = folder / "bare"
    script.write_text(CONSOLE_SCRIPT.format(interpreter=sys.executable))
    script.chmod(0o755)
    return script


def seconds(command: Command) -> float:
    """Run ``command`` once; return its wall time in seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(
    bare: Command, ours: Command, pairs: int, run: Callable[[Command], float] = seconds
) -> tuple[list[float], list[float]]:
    """Run the two commands alternately; return their times in seconds, pair by pair."""
    for command in (bare, ours) * WARM_UPS:
        run(command)
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        for which in order:
            times[which].append(run((bare, ours)[which]))
    return times


def row(name: str, times: list[float]) -> str:
    """Return a line of the table: median, quartiles, minimum and maximum in milliseconds."""
    low, middle, high = statistics.quantiles(times, n=4)
    cells = (middle, low, high, min(times), max(times))
    return f"{name:<20}" + "".join(f"{value * 1000:>9.1f}" for value in cells)


def report(bare: list[float], ours: list[float]) -> float:
    """Print the table; return the ratio of the medians."""
    ratio = statistics.median(ours) / statistics.median(bare)
    low, middle, high = statistics.quantiles([o / b for o, b in zip(ours, bare, strict=True)], n=4)
    print(f"{'ms':<20}{'median':>9}{'q1':>9}{'q3':>9}{'min':>9}{'max':>9}")
    print(row("bare click", bare))
    print(row("usbprov --version", ours))
    print(f"ratio of medians {ratio:.2f} (goal: at most {GOAL})")
    print(f"ratio in pairs   {middle:.2f} ({low:.2f} to {high:.2f}) over {len(ours)} pairs")
    return ratio


def main() -> int:
    """Measure, print, and say by the exit code whether the goal is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=PAIRS, help="default: %(default)s")
    pairs: int = parser.parse_args().pairs
    usbprov = Path(sys.executable).with_name("usbprov")
    with tempfile.TemporaryDirectory() as folder:
        bare = write_bare_program(Path(folder))
        times = measure((str(bare), "--version"), (str(usbprov), "--version"), pairs)
    return int(report(*times) > GOAL)


if __name__ == "__main__":
    sys.exit(main())
