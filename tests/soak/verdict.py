"""What the samples of a soak come to. Pure: samples in, findings out."""

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from soak.samples import Sample

WARM_UP = 0.25
"""The share of the time in which caches fill and pools grow; what is judged comes after it."""


Of = Callable[[Sample], float]


@dataclass(frozen=True)
class Bounds:
    """What is still good.

    Attributes:
        growth_mib: Growth of the memory after the warm-up, by a straight line through all samples,
            apart from what the most phones that were at work at once have taken.
        handles: The same of the open handles, for as many phones at work; and of the threads.
        ledger_handles: Open handles of the ledger at most, at any time.
        threads: Threads at most, at any time.
        least_seconds: A run that went on for less after its warm-up says nothing about growth.
        stuck_seconds: A port at which nothing changes for longer is stuck.
    """

    growth_mib: float = 4.0
    handles: float = 3.0
    ledger_handles: int = 20
    threads: int = 120
    least_seconds: float = 600.0
    stuck_seconds: float = 60.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    words: str

    def __str__(self) -> str:
        return f"{'good' if self.good else 'BAD '}  {self.words}"


def judge(samples: Sequence[Sample], bounds: Bounds) -> list[Finding]:
    """Judge memory, handles, threads and ports."""
    return [
        _memory(samples, bounds),
        _handles(samples, bounds),
        _threads(samples, bounds),
        _stuck(samples, bounds),
    ]


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples after the warm-up, as long as fresh phones came."""
    last = samples[-1]
    end = next(sample.seconds for sample in samples if sample.phones == last.phones)
    return [sample for sample in samples if end * WARM_UP <= sample.seconds <= end]


def _says(good: bool, words: str, samples: Sequence[Sample], bounds: Bounds) -> Finding:
    """Return what was found of growth; of a run that was too short nothing is."""
    after = settled(samples)
    if after[-1].seconds - after[0].seconds >= bounds.least_seconds:
        return Finding(good, words)
    return Finding(True, f"{words}; NOT JUDGED: the run was too short for that")


def growth(samples: Sequence[Sample], of: Of, apart_from: Of | None = None) -> float:
    """Return by how much a figure has grown after the warm-up, by linear regression.

    Args:
        samples: All of them.
        of: The figure.
        apart_from: What it follows besides, such as how much is done at the time: that part of
            it, by the same regression, is no growth.
    """
    after = settled(samples)
    if len(after) < 4:
        return 0.0
    times, values = [sample.seconds for sample in after], [of(sample) for sample in after]
    if apart_from is not None:
        beside = [apart_from(sample) for sample in after]
        times, values = _rest(times, beside), _rest(values, beside)
    slope, _ = statistics.linear_regression(times, values)
    return slope * (after[-1].seconds - after[0].seconds)


def most_at_work(samples: Sequence[Sample]) -> Of:
    """Return the figure that says how many phones had been at work at once by then, at most."""
    peaks = itertools.accumulate((sample.working for sample in samples), max)
    by_time = dict(zip((sample.seconds for sample in samples), peaks, strict=True))
    return lambda sample: by_time[sample.seconds]


def _rest(values: Sequence[float], beside: Sequence[float]) -> list[float]:
    """Return what is left of values when what follows others linearly is taken away."""
    if len(set(beside)) < 2:
        return list(values)
    slope, level = statistics.linear_regression(beside, values)
    return [value - level - slope * x for value, x in zip(values, beside, strict=True)]


def _memory(samples: Sequence[Sample], bounds: Bounds) -> Finding:
    after = settled(samples)
    """Judge the memory apart from what the most phones at once took, which stays with the heap."""
    plain = growth(samples, lambda sample: sample.rss_kib / 1024)
    grown = growth(samples, lambda sample: sample.rss_kib / 1024, most_at_work(samples))
    minutes = (after[-1].seconds - after[0].seconds) / 60
    phones = after[-1].done - after[0].done
    most = max(sample.rss_kib for sample in samples) / 1024
    words = (
        f"memory: {grown:+.2f} MiB by regression over the last {minutes:.0f} min, "
        f"{grown * 1024 / max(phones, 1):+.2f} KiB a phone ({phones} phones), "
        f"apart from the most phones at work at once; {plain:+.2f} MiB with that; "
        f"at most {most:.1f} MiB; allowed: {bounds.growth_mib:+g} MiB"
    )
    return _says(grown <= bounds.growth_mib, words, samples, bounds)


def _handles(samples: Sequence[Sample], bounds: Bounds) -> Finding:
    """Judge the handles but for the ledger's, whose pool opens some more, up to its bound."""
    grown = growth(samples, _but_for_the_ledger, lambda sample: sample.working)
    most = max(sample.handles for sample in samples)
    ledger = max(sample.ledger_handles for sample in samples)
    words = (
        f"handles: {grown:+.2f} for as many phones at work, by regression after the warm-up, "
        f"at most {most} at a time, {ledger} of them the ledger's; "
        f"allowed: {bounds.handles:+g}, and {bounds.ledger_handles}"
    )
    if ledger > bounds.ledger_handles:
        return Finding(False, words)
    return _says(grown <= bounds.handles, words, samples, bounds)


def _but_for_the_ledger(sample: Sample) -> float:
    return sample.handles - sample.ledger_handles


def _threads(samples: Sequence[Sample], bounds: Bounds) -> Finding:
    grown = growth(samples, lambda sample: sample.threads, lambda sample: sample.working)
    most = max(sample.threads for sample in samples)
    words = (
        f"threads: {grown:+.2f} likewise, at most {most} at a time; "
        f"allowed: {bounds.handles:+g} and {bounds.threads}"
    )
    if most > bounds.threads:
        return Finding(False, words)
    return _says(grown <= bounds.handles, words, samples, bounds)


def _stuck(samples: Sequence[Sample], bounds: Bounds) -> Finding:
    worst = max(samples, key=lambda sample: sample.oldest_seconds)
    words = (
        f"ports: {worst.oldest_seconds:.1f} s at most without a change ({worst.oldest}, "
        f"at {worst.seconds:.0f} s); allowed: {bounds.stuck_seconds:g} s"
    )
    return Finding(worst.oldest_seconds <= bounds.stuck_seconds, words)
