"""The options of an emulated phone: what may be odd about it, as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from usbprov.errors import LabUnusable
from usbprov_drivers.smp.messages import Caps, Sigs
from usbprov_drivers.smp.model import Cable, Model
from usbprov_drivers.smp.state import MAX_SLOTS
from usbprov_drivers.smp.wire import MIN_BUFFER

_A_YEAR = "365"


@dataclass(frozen=True)
class Makeup:
    """How one phone is to be: its hardware, and what its memory holds at first.

    Attributes:
        model: The hardware.
        occupied: Slot 0 holds another user's credential at first.
        old_roots: The trust store lacks the given roots at first.
        clock: What the clock is ahead of the host's at first, in seconds.
    """

    model: Model
    occupied: bool = False
    old_roots: bool = False
    clock: int = 0


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        about: What it does and what value it takes, in one line.
        change: Applies it.
        value: The value that a plain switch stands for, or None where a value must be given.
    """

    about: str
    change: Callable[[Makeup, str], Makeup]
    value: str | None = ""


def _model(change: Callable[[Model, str], Model]) -> Callable[[Makeup, str], Makeup]:
    return lambda makeup, value: replace(makeup, model=change(makeup.model, value))


def _seconds(value: str) -> float:
    return _within(float(value), 0, 3600)


def _within(number: float, least: float, most: float) -> float:
    if not least <= number <= most:
        raise ValueError
    return number


def _swap_keygen(model: Model, _: str) -> Model:
    return replace(model, caps=model.caps & ~Caps.GENERATE_KEY | Caps.IMPORT_KEY)


def _without(cable: Cable) -> Callable[[Model, str], Model]:
    def change(model: Model, _: str) -> Model:
        cables = model.cables - {cable}
        if not cables:
            raise ValueError
        return replace(model, cables=cables)

    return change


OPTIONS: Mapping[str, Option] = {
    "no-keygen": Option("cannot make keys itself, takes host-made ones", _model(_swap_keygen)),
    "import-key": Option(
        "takes host-made keys too",
        _model(lambda model, _: replace(model, caps=model.caps | Caps.IMPORT_KEY)),
    ),
    "keygen-seconds": Option(
        "a key takes at least this many seconds (0 to 3600)",
        _model(lambda model, value: replace(model, keygen_seconds=_seconds(value))),
        None,
    ),
    "commit-seconds": Option(
        "waits this many seconds before each commit (0 to 3600)",
        _model(lambda model, value: replace(model, commit_seconds=_seconds(value))),
        None,
    ),
    "latency": Option(
        "waits this many seconds before each answer (0 to 3600)",
        _model(lambda model, value: replace(model, latency=_seconds(value))),
        None,
    ),
    "occupied": Option(
        "slot 0 holds another user's self-made credential when it leaves the factory",
        lambda makeup, _: replace(makeup, occupied=True),
    ),
    "old-roots": Option(
        "leaves the factory with one other trusted root instead of the given ones",
        lambda makeup, _: replace(makeup, old_roots=True),
    ),
    "no-sha2": Option(
        "verifies no chain with SHA-2, only RSA with SHA-1",
        _model(lambda model, _: replace(model, sigs=Sigs.RSA_SHA1)),
    ),
    "rsa-limit": Option(
        "verifies no chain with an RSA key of more than this many bits (1024 to 65536)",
        _model(lambda model, value: replace(model, rsa_max=int(_within(int(value), 1024, 65536)))),
        None,
    ),
    "clock-behind": Option(
        f"leaves the factory with its clock this many days behind ({_A_YEAR} if none are given)",
        lambda makeup, value: replace(makeup, clock=-int(_within(int(value), 0, 9999)) * 86400),
        _A_YEAR,
    ),
    "small-buffers": Option(
        f"takes SMP messages of {MIN_BUFFER} bytes only",
        _model(lambda model, _: replace(model, buffer=MIN_BUFFER)),
    ),
    "bulk-only": Option("has no serial port", _model(_without(Cable.SERIAL))),
    "serial-only": Option("has no vendor interface", _model(_without(Cable.BULK))),
    "no-cobs": Option(
        "takes console framing only on its serial port",
        _model(lambda model, _: replace(model, cobs=False)),
    ),
    "chatty": Option(
        "writes log text on its serial port, also in the middle of its answers",
        _model(lambda model, _: replace(model, chatty=True)),
    ),
    "restarts": Option(
        "leaves the bus and comes back whenever a new certificate is in force",
        _model(lambda model, _: replace(model, restarts=True)),
    ),
    "slots": Option(
        f"has this many credential slots (1 to {MAX_SLOTS})",
        _model(lambda model, value: replace(model, slots=int(_within(int(value), 1, MAX_SLOTS)))),
        None,
    ),
}


def make_up(model: Model, personality: Mapping[str, str]) -> Makeup:
    """Apply options to a plain phone.

    Raises:
        LabUnusable: An option is unknown, or its value is none that it takes.
    """
    makeup = Makeup(model)
    for name, value in personality.items():
        option = OPTIONS.get(name)
        if option is None:
            raise LabUnusable(f"no phone personality {name!r} (known: {', '.join(OPTIONS)})")
        makeup = _apply(makeup, name, option, value)
    return makeup


def _apply(makeup: Makeup, name: str, option: Option, value: str) -> Makeup:
    given = value or option.value
    try:
        if given is None or (value and option.value == ""):
            raise ValueError
        return option.change(makeup, given)
    except ValueError:
        raise LabUnusable(f"personality {name}={value}: {name} {option.about}") from None
