"""What came of the matrix: a table of kinds and steps, the failures, and a JSON document."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cutpoints.cuts import KINDS
from cutpoints.run import Verdict

_MOST_WORDS = 1500


@dataclass(frozen=True)
class Report:
    """The whole result.

    Attributes:
        verdicts: Of each point.
        seconds: From start to end.
        workers: How many processes there were.
        steps: The steps of a job, in order.
        left_out: Kinds that could not be had here.
    """

    verdicts: Sequence[Verdict]
    seconds: float
    workers: int
    steps: Sequence[str]
    left_out: Sequence[str]

    @property
    def failed(self) -> list[Verdict]:
        """Return the points at which something is not as it must be."""
        return [verdict for verdict in self.verdicts if verdict.complaints]

    def lines(self) -> Iterator[str]:
        """Yield the table and the sums, for people."""
        yield from self._table()
        for verdict in self.failed:
            yield f"FAILED {verdict.name}"
            yield from (f"    {words[:_MOST_WORDS]}" for words in verdict.complaints)
        for name in self.left_out:
            yield f"left out, as no disk of its own can be mounted here: {name}"
        passed = len(self.verdicts) - len(self.failed)
        yield (
            f"{len(self.verdicts)} cut points, {passed} passed, {len(self.failed)} failed, "
            f"{self.seconds:.0f} s with {self.workers} workers"
        )

    def _table(self) -> Iterator[str]:
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for verdict in self.verdicts:
            count = counts[verdict.kind, verdict.step]
            count[0] += not verdict.complaints
            count[1] += 1
        yield " ".join([f"{'cut':17}", *(f"{step[:8]:>8}" for step in self.steps), f"{'all':>9}"])
        for kind in KINDS:
            row = [counts[kind, step] for step in self.steps]
            total = [sum(column) for column in zip(*row, strict=True)]
            if not total[1]:
                continue
            cells = [_cell(count) for count in row]
            yield " ".join([f"{kind:17}", *(f"{cell:>8}" for cell in cells), f"{_cell(total):>9}"])

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        document = {
            "points": len(self.verdicts),
            "failed": len(self.failed),
            "seconds": round(self.seconds, 1),
            "workers": self.workers,
            "left_out": list(self.left_out),
            "verdicts": [
                {**vars(verdict), "seconds": round(verdict.seconds, 3)} for verdict in self.verdicts
            ],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")


def _cell(count: Sequence[int]) -> str:
    passed, points = count
    return "-" if not points else str(points) if passed == points else f"{passed}/{points}"
