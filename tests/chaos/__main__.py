"""``make chaos``: runs seeds one after the other, and tells what came of each."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chaos.plan import Size, plan_of
from chaos.run import Outcome, run


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    usual = Size()
    parser = argparse.ArgumentParser(prog="make chaos SEEDS=…", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="seeds; 1 to 20 if none is given")
    parser.add_argument("--phones", type=int, default=usual.phones)
    parser.add_argument("--pulls", type=int, default=usual.pulls)
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--keep", type=Path, help="folder for what is left of each run")
    given = parser.parse_args(arguments)
    size = Size(given.phones, given.pulls, given.kills)
    outcomes = [_run(seed, size, given.keep) for seed in given.seeds or range(1, 21)]
    bad = [outcome.seed for outcome in outcomes if outcome.complaints]
    seconds = sum(outcome.seconds for outcome in outcomes)
    sys.stdout.write(f"{len(outcomes)} seeds in {seconds:.0f} s; bad: {bad or 'none'}\n")
    return 1 if bad else 0


def _run(seed: int, size: Size, keep: Path | None) -> Outcome:
    """Run one seed; what is left of it is kept if something is wrong, or if that is asked for."""
    folder = Path(tempfile.mkdtemp(prefix=f"usbprov-chaos-{seed}-", dir=keep))
    outcome = run(plan_of(seed, size), folder)
    told = [str(outcome), *(f"    {words}" for words in outcome.complaints)]
    if keep or outcome.complaints:
        told.append(f"    kept in {folder}")
    else:
        shutil.rmtree(folder)
    sys.stdout.write("\n".join(told) + "\n")
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
