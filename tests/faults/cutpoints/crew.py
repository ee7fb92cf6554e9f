"""Several workers side by side, each with a stage of its own."""

import gc
import json
import os
import selectors
import shutil
import sys
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import program_server
from cryptography.hazmat.primitives.asymmetric import rsa

from cutpoints.cuts import Point
from cutpoints.run import Verdict, Worker, worker
from usbprov.pki.keys import generate_rsa, to_pkcs8

KEYS = 10
"""RSA keys that are made beforehand. One point needs no more than a few; each is another one."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """Have a folder on a disk that is memory where there is one: nothing here outlives a crash."""
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made there
    place = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="usbprov-cutpoints-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> list[rsa.RSAPrivateKey]:
    """Load all modules, and make the keys; all workers are forks of this process."""
    from lab_keys import _authority

    program_server.load()
    _authority()
    keys = _keys()
    gc.freeze()
    return keys


def _keys() -> list[rsa.RSAPrivateKey]:
    """Make keys that are all of one length as PKCS#8: so each takes as many pieces as another."""
    by_length: dict[int, list[rsa.RSAPrivateKey]] = defaultdict(list)
    while True:
        key = generate_rsa()
        alike = by_length[len(to_pkcs8(key))]
        alike.append(key)
        if len(alike) == KEYS:
            return alike


class Crew:
    """Workers, each of which is told what to do by lines of JSON, and tells what came of it."""

    def __init__(self, folder: Path, count: int, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        self._members = [_Member(folder / str(number), keys) for number in range(count)]

    def close(self) -> None:
        """End the workers."""
        for member in self._members:  # first all: each has what the earlier ones are told by
            member.dismiss()
        for member in self._members:
            member.close()

    def matrix(self, scenarios: Sequence[str], *, thorough: bool) -> list[Point]:
        """Generate the points, each scenario by one of the workers."""
        parts = _dealt(scenarios, len(self._members), at_a_time=1)
        orders = [{"matrix": part, "thorough": thorough} for part in parts]
        found = {told["scenario"]: told["points"] for told in self._answers(orders)}
        return [Point.of(row) for name in scenarios for row in found[name]]

    def run(self, points: Sequence[Point]) -> Iterator[Verdict]:
        """Run points; yields verdicts as they come."""
        parts = _dealt(points, len(self._members))
        orders = [{"run": [point.document() for point in part]} for part in parts]
        for told in self._answers(orders):
            yield Verdict(**told)

    def run_planted(self, points: Mapping[str, Point]) -> list[Verdict]:
        """Run a point for each mistake, by its name, with that mistake in the program."""
        parts = _dealt(list(points.items()), len(self._members))
        orders = [{"planted": [[name, point.document()] for name, point in part]} for part in parts]
        return [Verdict(**told) for told in self._answers(orders)]

    def _answers(self, orders: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        with selectors.DefaultSelector() as selector:
            for member, order in zip(self._members, orders, strict=True):
                member.say(order)
                selector.register(member.answers, selectors.EVENT_READ, member)
            while selector.get_map():
                for key, _ in selector.select():
                    told = key.data.hear()
                    if told is None:
                        selector.unregister(key.fileobj)
                    else:
                        yield told


def _dealt(things: Sequence[Any], count: int, at_a_time: int = 6) -> list[list[Any]]:
    """Deal things out, some at a time: neighbours share what was done before them."""
    runs = [things[at : at + at_a_time] for at in range(0, len(things), at_a_time)]
    return [[thing for run in runs[n::count] for thing in run] for n in range(count)]


class _Member:
    """One worker, seen from the crew."""

    def __init__(self, folder: Path, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        orders, self._orders = os.pipe()
        self.answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._orders)
            os.close(self.answers)
            _work(folder, keys, orders, answers)
        os.close(orders)
        os.close(answers)
        self._lines = os.fdopen(self.answers, "rb", buffering=0)

    def say(self, order: dict[str, Any]) -> None:
        os.write(self._orders, json.dumps(order).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        """Return what it tells next, or None where it has told everything.

        Raises:
            RuntimeError: It has ended.
        """
        line = self._lines.readline()
        if not line:
            msg = "a worker has ended; what it said is above"
            raise RuntimeError(msg)
        told: dict[str, Any] | None = json.loads(line)
        return told

    def dismiss(self) -> None:
        with suppress(OSError):
            os.close(self._orders)

    def close(self) -> None:
        os.waitpid(self.pid, 0)
        self._lines.close()


def _work(folder: Path, keys: Sequence[rsa.RSAPrivateKey], orders: int, answers: int) -> NoReturn:
    """Be a worker until there are no more orders."""
    code = 0
    try:
        folder.mkdir()
        with worker(folder, keys) as at_work, os.fdopen(orders, "rb") as lines:
            for line in lines:
                for told in _obey(at_work, json.loads(line)):
                    _write(answers, told)
                _write(answers, None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _obey(at_work: Worker, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in order.get("matrix", ()):
        found = at_work.matrix(name, thorough=order["thorough"])
        rows = [point.document() for point in found]
        yield {"scenario": name, "points": rows}
    for mistake, row in order.get("planted", ()):
        yield asdict(at_work.run_planted(Point.of(row), mistake))
    for row in order.get("run", ()):
        yield asdict(at_work.run(Point.of(row)))


def _write(descriptor: int, told: dict[str, Any] | None) -> None:
    line = json.dumps(told).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]
