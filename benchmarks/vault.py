"""Measure what one guess at a vault's passphrase costs, and what that makes of passphrases.

A guess is what anybody must do who has a file of the vault and not its passphrase: one scrypt with
the file's parameters, by OpenSSL's own code, which is as fast as this processor allows. Next to it,
in turns, goes a single SHA-256, which is what a guess would cost if nothing made it dear; the
figure of merit is the ratio. Time is processor time, so that a machine with other work to do gives
the same. The memory is that of a process that makes guesses, less that of one that does not.
"""

import argparse
import hashlib
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from usbprov.pki.scrypt import DEFAULT_COST, Cost
from usbprov.pki.vault.keys import Kdf, Passphrase

GOAL = 100_000
"""How many times a SHA-256 a guess is to cost at least."""

TURNS = 9
HASHES = 20_000
YEAR = 365.25 * 24 * 3600

PASSPHRASES = (
    ("6 digits (a PIN)", 6 * math.log2(10)),
    ("8 random lower-case letters", 8 * math.log2(26)),
    ("10 random letters and digits", 10 * math.log2(62)),
    ("4 random words of 7776", 4 * math.log2(7776)),
    ("5 random words of 7776", 5 * math.log2(7776)),
    ("6 random words of 7776", 6 * math.log2(7776)),
)

_PEAK = """
import hashlib, re, sys
from pathlib import Path
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.keys import Kdf, Passphrase
def peak():
    return int(re.search("VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
n, r, p = map(int, sys.argv[1:])
hashlib.scrypt(b"", salt=b"", n=2, r=1, p=1)  # OpenSSL is there
Path("/proc/self/clear_refs").write_text("5")
before = peak()
Passphrase("guess").keys(Kdf(bytes(16), Cost(n, r, p)))
print(peak() - before)
"""
"""Linux: the most memory (KiB) that the process had, counted anew by ``clear_refs``."""


def guess(cost: Cost) -> float:
    """Make one guess; returns its processor time in seconds."""
    kdf = Kdf(os.urandom(16), cost)
    passphrase = Passphrase("guess")
    begun = time.process_time()
    passphrase.keys(kdf)
    return time.process_time() - begun


def hashed() -> float:
    """Return the processor time of one SHA-256 of a passphrase and salt, in seconds."""
    data = os.urandom(32)
    begun = time.process_time()
    for _ in range(HASHES):
        hashlib.sha256(data).digest()
    return (time.process_time() - begun) / HASHES


def measure(cost: Cost, turns: int) -> tuple[float, float]:
    """Return the medians of a guess and of a SHA-256, in seconds, measured in turns."""
    pairs = [(guess(cost), hashed()) for _ in range(turns)]
    guesses, hashes = zip(*pairs, strict=True)
    return statistics.median(guesses), statistics.median(hashes)


def peak(cost: Cost) -> float:
    """Return by how many MiB a guess makes a process bigger."""
    command = [sys.executable, "-c", _PEAK, *map(str, (cost.n, cost.r, cost.p))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def years(bits: float, seconds: float, processors: int) -> float:
    """Return how long half of all passphrases of so many bits take."""
    return 2 ** (bits - 1) * seconds / processors / YEAR


def table(seconds: float) -> Iterator[str]:
    """Say what a guess's time makes of passphrases."""
    yield "| passphrase | bits | one such processor | 1000 | 1 000 000 |"
    yield "|---|---:|---:|---:|---:|"
    for name, bits in PASSPHRASES:
        spans = (span(years(bits, seconds, many)) for many in (1, 1_000, 1_000_000))
        yield f"| {name} | {bits:.1f} | {' | '.join(spans)} |"


def span(length: float) -> str:
    """Write a number of years in two digits, or in what is shorter than years."""
    units = ((1.0, "years"), (1 / 365.25, "days"), (1 / 365.25 / 24, "hours"))
    size, name = next((u for u in units if length >= u[0]), (1 / YEAR, "seconds"))
    count = float(f"{length / size:.2g}")
    return f"{count:,.0f} {name}" if count >= 10 else f"{count:g} {name}"


def main() -> int:
    """Measure, and print what came of it; 1 if a guess is cheaper than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="how often both are measured")
    cost, turns = DEFAULT_COST, parser.parse_args().turns
    one, plain = measure(cost, turns)
    ratio = one / plain
    print(f"scrypt {cost}: {one * 1000:.0f} ms, {peak(cost):.0f} MiB a guess (median of {turns})")
    print(f"times a SHA-256: {ratio:,.0f} (goal: {GOAL:,} at least)\n")
    print(*table(one), sep="\n")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
