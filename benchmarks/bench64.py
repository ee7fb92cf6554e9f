"""A bench of many phones against a program that does the least, in pairs.

``usbprov bench run`` and the floor program (``bench64_floor.py``) stage the same emulated phones
by turns, from the same lab over the same USB/IP bus. Both stand ready, with nothing plugged in,
before all phones are plugged in at once; the clock runs from there to the end of the process. What
is counted is the process of the program alone (``wait4``): lab and phones are others.

Phones that make their keys take times as real ones do: log-normal, the 95th percentile 2.4 times
the median. Over the slowest phone's own time the program may take ``WALL_GOAL`` seconds. Keys that
the computer makes for them cost what they cost, so there the goal is a ratio to the floor.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench64_plot import draw

HERE = Path(__file__).resolve().parent
GOAL_COUNT = 64
PAIRS = 3

WALL_GOAL = 1.0
"""Seconds over the slowest phone's own time, with keys that the phones make."""
RATIO_GOAL = 1.5
"""Wall time to the floor's, with keys that the computer makes."""
CPU_GOAL = 15.0
"""ms of processor a phone over the floor's, with keys that the phones make."""
RSS_GOAL = 110.0
"""MiB at ``GOAL_COUNT`` phones."""
GROWTH_GOAL = 0.5
"""MiB for each further phone."""

DISK = "/var/tmp"  # noqa: S108 - a folder that is not in memory, for the ledgers
MEDIAN_SECONDS, SPREAD = 3.0, math.log(2.4) / 1.645
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_QUIET = 0.3
"""Seconds without any work after which a program that is to stand ready does."""
_PATIENCE = 300.0

PROGRAMS = ("usbprov", "floor")


@dataclass(frozen=True)
class Run:
    """What one program took for all phones.

    Attributes:
        program: Of ``PROGRAMS``.
        host_keys: Whether the computer makes the keys.
        phones: How many.
        own: What the slowest phone takes for its key, in s.
        wall: From plugging in to the end, in s.
        cpu: Processor time in that, in s.
        start_cpu: Processor time before that, in s.
        rss: Most memory of the process, in MiB.
    """

    program: str
    host_keys: bool
    phones: int
    own: float
    wall: float
    cpu: float
    start_cpu: float
    rss: float

    @property
    def over(self) -> float:
        """Wall time over the slowest phone's own, in s."""
        return self.wall - self.own

    @property
    def cpu_a_phone(self) -> float:
        """Processor time a phone, in ms."""
        return 1000 * self.cpu / self.phones


# --- the other side -------------------------------------------------------------------------------


@contextmanager
def child(command: Sequence[str | Path], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Have a process that ends when its standard input does."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    try:
        yield process
    finally:
        with suppress(OSError):
            process.stdin and process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tell(process: "subprocess.Popen[str]", words: str) -> None:
    """Write a line to a process."""
    assert process.stdin  # noqa: S101 - a pipe
    process.stdin.write(words + "\n")
    process.stdin.flush()


def told(process: "subprocess.Popen[str]") -> Any:
    """Read a line of JSON from a process."""
    assert process.stdout  # noqa: S101 - a pipe
    line = process.stdout.readline()
    if not line:
        sys.exit(f"process {process.pid} ended without a word")
    return json.loads(line)


def other_side(what: str, *words: object) -> list[str]:
    """Return the command of a part of the other side."""
    return [sys.executable, str(HERE / "bench64_site.py"), what, *map(str, words)]


def ports_of(count: int) -> list[str]:
    """Return port paths behind hubs of seven ports."""
    places = (divmod(number, 7) for number in range(count))
    return [f"{hub // 15 + 1}-{hub % 15 + 1}.{port + 1}" for hub, port in places]


def own_seconds(count: int, seed: int) -> list[float]:
    """Return what each phone takes for its key: the same times always, in another order."""
    usual = statistics.NormalDist()
    times = [
        MEDIAN_SECONDS * math.exp(SPREAD * usual.inv_cdf((rank + 0.5) / count))
        for rank in range(count)
    ]
    random.Random(seed).shuffle(times)  # noqa: S311 - an order
    return times


# --- one run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """All that a run needs besides its phones.

    Attributes:
        lab: What the lab says of itself.
        fast: A folder in memory, for what is not ours.
        disk: A folder on the disk, for ledgers.
    """

    lab: dict[str, Any]
    fast: Path
    disk: Path


@dataclass(frozen=True)
class Task:
    """What a program is to do.

    Attributes:
        stage: The lab and the folders.
        states: A folder of this run, in memory.
        ledgers: A folder of this run, on the disk.
        bus: TCP port of the phones' bus.
        ports: The phones' port paths.
        host_keys: Whether the computer makes the keys.
    """

    stage: Stage
    states: Path
    ledgers: Path
    bus: int
    ports: Sequence[str]
    host_keys: bool

    @property
    def users(self) -> list[dict[str, str]]:
        """As many users of the lab as there are phones."""
        found: list[dict[str, str]] = self.stage.lab["users"][: len(self.ports)]
        return found


def run(stage: Stage, program: str, count: int, *, host_keys: bool, seed: int) -> Run:
    """Stage so many phones with a program."""
    ports = ports_of(count)
    seconds = [None] * count if host_keys else own_seconds(count, seed)
    wanted = {"roots": stage.lab["ca_file"], "ports": ports, "seconds": seconds}
    with ExitStack() as stack:
        states = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=stage.fast)))
        ledgers = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=stage.disk)))
        phones = stack.enter_context(child(other_side("phones", states)))
        tell(phones, json.dumps(wanted))
        bus = told(phones)
        task = Task(stage, states, ledgers, bus, ports, host_keys)
        process = stack.enter_context(BEGINNINGS[program](task))
        start_cpu = settled(process.pid)
        started = time.perf_counter()
        tell(phones, "plug")
        if program == "floor":
            tell(process, "go")
        used = ended(process)
        wall = time.perf_counter() - started
    return Run(
        program=program,
        host_keys=host_keys,
        phones=count,
        own=max((s for s in seconds if s is not None), default=0.0),
        wall=wall,
        cpu=used.ru_utime + used.ru_stime - start_cpu,
        start_cpu=start_cpu,
        rss=used.ru_maxrss / 1024,
    )


@contextmanager
def usbprov(task: Task) -> Iterator["subprocess.Popen[str]"]:
    """Have the bench stand ready."""
    roster, views = task.states / "roster.csv", task.states / "views"
    lines = [f"{user['extension']},{user['sip_uri']},{user['pin']}" for user in task.users]
    roster.write_text("\n".join(["extension,sip_uri,pin", *lines]) + "\n")
    roster.chmod(0o600)
    lab = task.stage.lab
    command: list[str | Path] = [
        *(sys.executable, "-m", "usbprov", "--bus", f"usbip://127.0.0.1:{task.bus}"),
        *("--lock-dir", task.states, "--ledger", task.ledgers / "ledger.sqlite3"),
        *("bench", "run", roster, "--name", "bench64", "--until", str(len(task.ports))),
        *("--web-services-url", lab["web_services_url"], "--ca-file", lab["ca_file"]),
        *("--registrar", lab["registrar"], "--key", "host" if task.host_keys else "phone"),
    ]
    with views.open("w") as file, child(command) as process:
        assert process.stdout  # noqa: S101 - a pipe
        process.stdout.readline()
        # What else it shows is taken away by another process, and costs this one nothing.
        with subprocess.Popen(["cat"], stdin=process.stdout, stdout=file):
            yield process


@contextmanager
def floor(task: Task) -> Iterator["subprocess.Popen[str]"]:
    """Have the floor program stand ready."""
    plan = {
        "users": task.users,
        "ports": task.ports,
        "bus": ["127.0.0.1", task.bus],
        "lab": task.stage.lab,
        "ledger": str(task.ledgers / "floor.sqlite3"),
        "host_keys": task.host_keys,
    }
    with child([sys.executable, HERE / "bench64_floor.py"]) as process:
        tell(process, json.dumps(plan))
        told(process)
        yield process


BEGINNINGS = {"usbprov": usbprov, "floor": floor}


def settled(pid: int) -> float:
    """Wait until a process does nothing any more; returns the processor time it took, in s."""
    deadline, before = time.monotonic() + _PATIENCE, -1.0
    while (now := processor_time(pid)) > before + 2 * _TICK:
        if time.monotonic() > deadline:
            sys.exit("the program does not come to rest")
        before = now
        time.sleep(_QUIET)
    return now


def processor_time(pid: int) -> float:
    """Return what a process has taken so far, in s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def ended(process: "subprocess.Popen[str]") -> Any:
    """Wait for a program's end; returns what it used."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"process {process.pid} failed: {process.returncode}")
    return used


@contextmanager
def staged(users: int) -> Iterator[Stage]:
    """Have a lab."""
    memory = Path("/dev/shm")  # noqa: S108 - so that the phones' and the lab's disks do not count
    with ExitStack() as stack:
        fast = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        folder = Path(stack.enter_context(fast))
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)))
        lab = stack.enter_context(child(other_side("lab", folder / "lab", users)))
        yield Stage(told(lab), folder, disk)


# --- figures --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Medians of the runs of one number of phones with keys of one kind."""

    phones: int
    host_keys: bool
    pairs: int
    own: float
    wall: float
    floor_wall: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    over: float
    floor_over: float
    cpu_ms: float
    floor_cpu_ms: float
    rss: float
    floor_rss: float
    start_cpu: float
    floor_start_cpu: float


def figures(ours: Sequence[Run], floors: Sequence[Run]) -> Figures:
    """Condense pairs."""
    middle = statistics.median
    ratios = [one.wall / other.wall for one, other in zip(ours, floors, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Figures(
        phones=ours[0].phones,
        host_keys=ours[0].host_keys,
        pairs=len(ours),
        own=round(ours[0].own, 3),
        wall=round(middle(r.wall for r in ours), 3),
        floor_wall=round(middle(r.wall for r in floors), 3),
        ratio=round(middle(ratios), 3),
        ratio_quartiles=(round(low, 3), round(high, 3)),
        over=round(middle(r.over for r in ours), 3),
        floor_over=round(middle(r.over for r in floors), 3),
        cpu_ms=round(middle(r.cpu_a_phone for r in ours), 1),
        floor_cpu_ms=round(middle(r.cpu_a_phone for r in floors), 1),
        rss=round(middle(r.rss for r in ours), 1),
        floor_rss=round(middle(r.rss for r in floors), 1),
        start_cpu=round(middle(r.start_cpu for r in ours), 2),
        floor_start_cpu=round(middle(r.start_cpu for r in floors), 2),
    )


def measure(stage: Stage, count: int, pairs: int, *, host_keys: bool) -> Figures:
    """Run the pairs of one number of phones; who goes first alternates."""
    runs: dict[str, list[Run]] = {program: [] for program in PROGRAMS}
    for pair in range(pairs):
        for program in PROGRAMS if pair % 2 == 0 else PROGRAMS[::-1]:
            one = run(stage, program, count, host_keys=host_keys, seed=pair)
            runs[program].append(one)
    return figures(runs["usbprov"], runs["floor"])


def show(found: Figures) -> None:
    """Print one line."""
    keys = "computer" if found.host_keys else "phones"
    print(
        f"{found.phones:>4} {keys:<9}{found.wall:>8.2f}{found.floor_wall:>8.2f}"
        f"{found.over:>8.2f}{found.floor_over:>8.2f}{found.ratio:>7.2f}"
        f"{found.cpu_ms:>9.1f}{found.floor_cpu_ms:>8.1f}{found.rss:>8.1f}{found.floor_rss:>8.1f}",
        flush=True,
    )


HEADS = (
    f"{'':>4} {'keys of':<9}{'wall s':>8}{'floor':>8}{'over s':>8}{'floor':>8}{'ratio':>7}"
    f"{'cpu ms':>9}{'floor':>8}{'MiB':>8}{'floor':>8}"
)


def judged(found: Sequence[Figures]) -> Iterator[tuple[str, float, float]]:
    """Yield what has a goal: words, the figure, the most that it may be."""
    phones = {one.phones: one for one in found if not one.host_keys}
    hosts = {one.phones: one for one in found if one.host_keys}
    if one := phones.get(GOAL_COUNT):
        yield "s over the slowest phone's own time", one.over, WALL_GOAL
        yield "ms of processor a phone over the floor's", one.cpu_ms - one.floor_cpu_ms, CPU_GOAL
    if one := hosts.get(GOAL_COUNT):
        yield "times the floor with host-made keys", one.ratio, RATIO_GOAL
    for made in (phones, hosts):
        if one := made.get(GOAL_COUNT):
            yield "MiB", one.rss, RSS_GOAL
            most = made[max(made)]
            if most.phones > GOAL_COUNT:
                growth = (most.rss - one.rss) / (most.phones - one.phones)
                yield "MiB for each further phone", growth, GROWTH_GOAL


def main() -> int:
    """Measure, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("phones", nargs="*", type=int, default=[GOAL_COUNT])
    parser.add_argument("--pairs", type=int, default=PAIRS, help="default: %(default)s")
    parser.add_argument("--keys", choices=["phones", "computer", "both"], default="both")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures as SVG")
    options = parser.parse_args()
    kinds = {"phones": [False], "computer": [True], "both": [False, True]}[options.keys]
    found: list[Figures] = []
    print(HEADS)
    with staged(max(options.phones)) as stage:
        for host_keys in kinds:
            for count in options.phones:
                found.append(measure(stage, count, options.pairs, host_keys=host_keys))
                show(found[-1])
    rows = [asdict(one) for one in found]
    print(json.dumps(rows))
    if options.plot:
        options.plot.write_text(draw(rows))
    goals = list(judged(found))
    for words, figure, most in goals:
        verdict = "met" if figure <= most else "MISSED"
        print(f"{figure:.2f} {words} (goal: at most {most:g}): {verdict}")
    return int(any(figure > most for _, figure, most in goals))


if __name__ == "__main__":
    sys.exit(main())
