"""Stages phones on several benches that share one PostgreSQL database, and kills one of them.

make benches [ARGS='--benches 4 --phones 400']
"""

import argparse
import sys
import tempfile
from pathlib import Path

from postgres import cluster

from benches.place import Place, place
from benches.shift import Course, check, stage


def main() -> None:
    """Stage, check and say what it came to."""
    parser = argparse.ArgumentParser(prog="benches", description=__doc__)
    parser.add_argument("--benches", type=int, default=4)
    parser.add_argument("--phones", type=int, default=400, help="of all benches together")
    parser.add_argument("--seconds", type=float, default=1500.0, help="how long it may take")
    chosen = parser.parse_args()
    each = chosen.phones // chosen.benches
    with (
        tempfile.TemporaryDirectory(prefix="usbprov-benches-") as folder,
        cluster() as server,
        place(Path(folder), server, chosen.benches, each) as here,
    ):
        course = stage(here, chosen.seconds, lease=True)
        tell(here, course)
        check(here, here.programs[-1].name)
        found = here.ledger.verify()
        say(f"Phones, ledger and the lab's store agree; the ledger's {found.entries} entries hold.")


def tell(here: Place, course: Course) -> None:
    """Say how the shift went."""
    by_bench = ", ".join(f"{name} {count}" for name, count in sorted(here.done().items()))
    say(f"{here.done().total()} phones are done: {by_bench}.")
    say(f"A bench was killed after {course.killed:.0f} s, and left {course.claims} claims.")
    say(f"{course.inherited} of its phones, moved, were done after {course.moved:.0f} s.")
    say(f"All were done after {course.done:.0f} s.")


def say(words: str) -> None:
    """Write a line."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
