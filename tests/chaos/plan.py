"""What happens to a bench, and when: all of it drawn from one seed.

Moments are counted in steps that the bench shows, and in bytes that have passed a cable, not in
seconds: so a seed means the same on a slow computer.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from usbprov.usbip import Direction

MODELS: tuple[Mapping[str, str], ...] = (
    {},
    {"no-keygen": ""},
    {"small-buffers": ""},
    {"old-roots": ""},
    {"clock-behind": "30"},
    {"restarts": ""},
)
"""How the phones are, in turn."""

KILLED, ENDED = "killed", "ended"
"""The server's process ends, with kill -9 or in good order, and is started again."""

FAULTS = (
    "html-500",
    "busy",
    "drop-connection",
    "drop-answer",
    "store-unreachable",
    "registrar-down",
    "registrar-busy",
    "slow=1",
)
"""What else becomes of the server, as ``usbprov lab fault`` names it."""

_STEPS = 12
"""Of a phone's job."""

_BYTES = {Direction.OUT: 2100, Direction.IN: 4400}
"""That the shortest job has on the cable, to the phone and back."""


@dataclass(frozen=True)
class Size:
    """How large a run is: phones, phones that are pulled, kills of the program."""

    phones: int = 64
    pulls: int = 7
    kills: int = 5


@dataclass(frozen=True)
class Pull:
    """A cable that is pulled, and where it is plugged in again.

    Attributes:
        phone: The phone's number, from 1.
        after: How many bytes pass before.
        way: In which direction they are counted.
        away: Seconds until it is plugged in again.
        moves: Whether that is at another port.
        loses_power: Whether the phone restarts: what is not in its flash is lost.
    """

    phone: int
    after: int
    way: Direction
    away: float
    moves: bool
    loses_power: bool


@dataclass(frozen=True)
class Kill:
    """The program is killed when it has shown so many steps since its start, and a little later."""

    steps: int
    later: float


@dataclass(frozen=True)
class Outage:
    """The server fails when so many steps were shown since the beginning, for some seconds."""

    what: str
    steps: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Everything that happens in one run.

    Attributes:
        seed: What it was drawn from.
        size: How large it is.
        models: The options of each phone.
        pulls: The cables that are pulled.
        kills: The program is killed.
        outages: The server fails.
        is_hasty: Whether `retry` is pressed, too, where the program tries again by itself.
    """

    seed: int
    size: Size
    models: tuple[Mapping[str, str], ...]
    pulls: tuple[Pull, ...]
    kills: tuple[Kill, ...]
    outages: tuple[Outage, ...]
    is_hasty: bool


def plan_of(seed: int, size: Size) -> Plan:
    """Draw a plan; the same seed and size give the same."""
    dice = random.Random(seed)  # noqa: S311
    models = [MODELS[number % len(MODELS)] for number in range(size.phones)]
    dice.shuffle(models)
    # A phone that restarts by itself goes away and comes back, too: it is not pulled besides.
    steady = [number for number, model in enumerate(models, 1) if "restarts" not in model]
    pulled = dice.sample(steady, size.pulls)
    return Plan(
        seed,
        size,
        tuple(models),
        tuple(_pull(dice, phone) for phone in pulled),
        tuple(_kill(dice, size) for _ in range(size.kills)),
        (
            _outage(dice, dice.choice((KILLED, ENDED)), size),
            _outage(dice, dice.choice(FAULTS), size),
        ),
        is_hasty=dice.random() < 0.5,
    )


def _pull(dice: random.Random, phone: int) -> Pull:
    way = dice.choice(list(Direction))
    return Pull(
        phone,
        after=dice.randrange(_BYTES[way]),
        way=way,
        away=dice.uniform(0, 2),
        moves=dice.random() < 0.6,
        loses_power=dice.random() < 0.5,
    )


def _kill(dice: random.Random, size: Size) -> Kill:
    """While it starts, or later; never so late that all would be done before the last."""
    if dice.random() < 0.2:
        return Kill(0, dice.uniform(0, 2))
    return Kill(dice.randrange(_STEPS * size.phones // (size.kills + 1)), dice.uniform(0, 0.1))


def _outage(dice: random.Random, what: str, size: Size) -> Outage:
    steps = dice.randrange(size.phones // 2, _STEPS * size.phones // 2)
    return Outage(what, steps, dice.uniform(0.5, 3))
