"""``make fuzz``: runs the targets one after the other under atheris, and tells what was done."""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REGRESSIONS = Path(__file__).parent / "regressions"
"""Inputs that once did harm, a folder for each target; they are run by ``test_corpus`` as well."""

PACKAGES = ["usbprov", "usbprov_drivers"]
OPTIONS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1")
"""libFuzzer's: bytes of an input, seconds and MiB that one may cost."""


@dataclass(frozen=True)
class Outcome:
    """What came of one target."""

    target: str
    code: int
    executions: int
    seconds: float
    coverage: int
    features: int
    corpus: int

    def __str__(self) -> str:
        found = "nothing" if self.code == 0 else f"SOMETHING (exit code {self.code})"
        return (
            f"{self.target:14} {self.seconds:6.0f} s {self.executions:10,} executions "
            f"{self.coverage:6} edges {self.features:7} features {self.corpus:6} inputs; "
            f"found {found}"
        )


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__)
    parser.add_argument("targets", nargs="*", help="targets; all if none is named")
    parser.add_argument("--seconds", type=int, default=90, help="for each target (90)")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="of the corpora")
    parser.add_argument("--replay", type=Path, help="run this one input, without atheris")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.worker:
        _work(given.targets[0], given.folder, given.seconds)
    from fuzz.targets import TARGETS

    unknown = sorted(set(given.targets) - set(TARGETS))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    if given.replay:
        for name in given.targets:
            TARGETS[name](given.replay.read_bytes())
        return 0
    return _run_all(given.targets or list(TARGETS), given.folder, given.seconds)


def _run_all(targets: Sequence[str], folder: Path, seconds: int) -> int:
    from fuzz.seeds import seeds, write_seeds

    write_seeds(folder, seeds())
    outcomes = [_run(target, folder, seconds) for target in targets]
    total = sum(outcome.executions for outcome in outcomes)
    spent = sum(outcome.seconds for outcome in outcomes)
    summary = [*map(str, outcomes), f"{'together':14} {spent:6.0f} s {total:10,} executions"]
    sys.stdout.write("\n".join(summary) + "\n")
    return max(abs(outcome.code) for outcome in outcomes)


def _run(target: str, folder: Path, seconds: int) -> Outcome:
    """Run one target in a process of its own: a crash, or too much memory, ends it."""
    command = [sys.executable, "-m", "fuzz", "--worker", target]
    command += ["--folder", str(folder), "--seconds", str(seconds)]
    began = time.monotonic()
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    said = []
    assert worker.stderr is not None
    for line in worker.stderr:
        said.append(line)
        sys.stderr.write(line)
    worker.stderr.close()
    code = worker.wait()
    return _outcome(target, code, time.monotonic() - began, "".join(said))


def _outcome(target: str, code: int, seconds: float, said: str) -> Outcome:
    def last(pattern: str) -> int:
        found = re.findall(pattern, said, re.MULTILINE)
        return int(found[-1]) if found else 0

    return Outcome(
        target,
        code,
        last(r"stat::number_of_executed_units:\s*(\d+)"),
        last(r"^Done \d+ runs in (\d+) second") or seconds,
        last(r"cov: (\d+)"),
        last(r"ft: (\d+)"),
        last(r"corp: (\d+)"),
    )


def _work(target: str, folder: Path, seconds: int) -> None:
    """Fuzz one target; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=PACKAGES):
        from fuzz.targets import TARGETS
    crashes = REGRESSIONS / target
    crashes.mkdir(parents=True, exist_ok=True)
    options = [*OPTIONS, f"-max_total_time={seconds}", f"-artifact_prefix={crashes}/"]
    atheris.Setup([target, *options, str(folder / target), str(crashes)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
