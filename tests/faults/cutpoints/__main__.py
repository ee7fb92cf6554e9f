"""``make test-faults``: every cut point of every command, or some of them by their names."""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cutpoints.crew import Crew, own_folder, prepare
from cutpoints.cuts import NEED_DISK, Point
from cutpoints.moments import Effect, When
from cutpoints.planted import MISTAKES
from cutpoints.report import Report
from cutpoints.run import Verdict
from cutpoints.scenarios import SCENARIOS
from usbprov.engine.steps.table import STEPS

_BEFORE = ("identify", "plan")
"""What a job does before the steps of the table."""


_EVERY = 200
"""After so many points a log that nobody watches says how far it is."""


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; 0 where all points passed."""
    given = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    began = time.monotonic()
    keys = prepare()
    with own_folder() as folder:
        crew = Crew(folder, given.workers, keys)
        try:
            matrix = crew.matrix(given.scenario or list(SCENARIOS), thorough=given.thorough)
            uncut = [] if given.scenario else _uncut(matrix)
            if uncut:
                sys.stderr.write(f"no command has these steps: {', '.join(uncut)}\n")
                return 1
            chosen = _chosen(matrix, given)
            if given.list:
                sys.stdout.writelines(f"{point.name}\n" for point in chosen)
                return 0
            planted = crew.run_planted(_mistakes(matrix)) if given.planted else []
            verdicts = _watched(crew, chosen)
        finally:
            crew.close()
    left_out = sorted(NEED_DISK - {point.kind for point in matrix})
    places = {point.name: number for number, point in enumerate(chosen)}
    verdicts.sort(key=lambda verdict: places[verdict.name])
    steps = [*_BEFORE, *(str(step.name) for step in STEPS)]
    report = Report(verdicts, time.monotonic() - began, given.workers, steps, left_out)
    sys.stdout.writelines(f"{line}\n" for line in [*report.lines(), *_found(planted)])
    if given.json:
        report.write(given.json)
    missed = any(verdict.complaints for verdict in planted)
    return 1 if report.failed or missed or not verdicts else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-faults ARGS=…", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="only points whose name begins so, or has all these words: 'kill publish'; repeatable",
    )
    parser.add_argument("--list", action="store_true", help="show the names only")
    parser.add_argument(
        "--scenario", action="append", choices=list(SCENARIOS), help="only this one; repeatable"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="every kind and class for every command"
    )
    parser.add_argument(
        "--planted", action="store_true", help="first plant mistakes, which must be found"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="only N points, spread by chance")
    parser.add_argument("--seed", type=int, default=0, help="of that chance")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every point's result")
    parser.add_argument("--workers", type=int, default=_workers(), metavar="N")
    return parser.parse_args(arguments)


def _workers() -> int:
    """Half as many again as there are processors: programs wait for phones and servers."""
    return max(1, len(os.sched_getaffinity(0)) * 3 // 2)


def _uncut(matrix: Sequence[Point]) -> list[str]:
    """Return the steps of the table at whose beginning or end no program is killed."""
    edges = {
        (point.moment.step, point.moment.when)
        for point in matrix
        if point.kind == "kill" and point.moment.effect is Effect.STEP
    }
    names = [str(step.name) for step in STEPS]
    return [n for n in names if not {(n, When.BEFORE), (n, When.AFTER)} <= edges]


def _chosen(matrix: Sequence[Point], given: argparse.Namespace) -> list[Point]:
    wanted = [point for point in matrix if not given.only or _is_wanted(point.name, given.only)]
    if given.sample is not None and given.sample < len(wanted):
        dice = random.Random(given.seed)  # noqa: S311 - no secret
        chosen = set(dice.sample(range(len(wanted)), given.sample))
        wanted = [point for number, point in enumerate(wanted) if number in chosen]
    return wanted


def _is_wanted(name: str, only: Sequence[str]) -> bool:
    return any(
        name.startswith(words) or all(word in name for word in words.split()) for words in only
    )


def _mistakes(matrix: Sequence[Point]) -> dict[str, Point]:
    """Return the point of each planted mistake, as far as the matrix has it."""
    points = {point.name: point for point in matrix}
    return {
        name: points[mistake.point] for name, mistake in MISTAKES.items() if mistake.point in points
    }


def _found(planted: Sequence[Verdict]) -> Iterator[str]:
    for verdict in planted:
        yield f"{verdict.name}: {'; '.join(verdict.complaints) or 'found'}"
    if planted:
        missed = sum(bool(verdict.complaints) for verdict in planted)
        yield f"{len(planted)} planted mistakes, {missed} not found"


def _watched(crew: Crew, chosen: Sequence[Point]) -> list[Verdict]:
    """Show, on a terminal, how far it is; a failure is shown at once."""
    verdicts: list[Verdict] = []
    for verdict in crew.run(chosen):
        verdicts.append(verdict)
        if verdict.complaints:
            sys.stderr.write(f"FAILED {verdict.name}\n")
        if sys.stderr.isatty() or not len(verdicts) % _EVERY:
            end = "\r" if sys.stderr.isatty() else "\n"
            sys.stderr.write(f"{len(verdicts)} of {len(chosen)}{end}")
    return verdicts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
