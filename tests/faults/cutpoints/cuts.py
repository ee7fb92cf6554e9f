"""The kinds of cut: at which moments, what is done then, and how the world is mended afterwards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cutpoints.hooks import Act
from cutpoints.moments import Effect, Moment, When
from cutpoints.programs import Ended, Running
from cutpoints.scenarios import Scenario
from cutpoints.stage import OTHER_PORT, Phone, Stage
from cutpoints.trouble import in_trouble
from usbprov.lab.faults import FaultName, FaultSetting

WAITED = "10"
"""Seconds that the program waits for a phone that is put back, or a server that comes back."""


@dataclass(frozen=True)
class Point:
    """One cut point of the matrix."""

    kind: str
    scenario: str
    moment: Moment
    detail: str = ""

    @property
    def name(self) -> str:
        """By which it can be repeated."""
        words = [self.kind, self.scenario, self.moment.name]
        return ":".join([*words, self.detail] if self.detail else words)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**vars(self), "moment": self.moment.document()}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Point":
        """Read what ``document`` gave."""
        return cls(**{**document, "moment": Moment.of(document["moment"])})


Where = Callable[[Moment, bool], Sequence[str]]


@dataclass(frozen=True)
class Kind:
    """One kind of cut.

    Attributes:
        about: In words.
        details: Gives the variants at a moment; none where it does not cut there. The second
            argument says whether also those are wanted that hardly differ from others.
        carry_out: Runs the command and cuts it; the world is mended when it returns.
    """

    about: str
    details: Where
    carry_out: Callable[[Stage, Scenario, Point], Ended]


# --- the program


def _where_killed(moment: Moment, thorough: bool) -> Sequence[str]:
    """Wherever something may have changed since the moment before.

    Around what only reads that is once, and for a thorough run. Before a transaction nothing has
    changed since the step began, so it is in the middle of it, and after it.
    """
    if moment.effect is Effect.LEDGER:
        return ("",) if moment.when is not When.BEFORE else ()
    read = thorough and moment.when is When.AFTER
    return ("",) if moment.writes or read else ()


def _kill(stage: Stage, scenario: Scenario, point: Point) -> Ended:
    ended = stage.run(scenario.command(stage), point.moment.name, Act.KILL)
    stage.settle()
    return ended


# --- the phone and its cable

_CLASSES: Mapping[str, Callable[[int], int]] = {
    "first-byte": lambda size: 1,
    "middle": lambda size: size // 2,
    "last-but-one": lambda size: size - 1,
    "last-byte": lambda size: size,
}
"""After how many bytes of a command's message the cable is pulled, or the power cut."""


_ENOUGH = ("middle", "last-byte")
"""The classes of which the others are hardly different: the command is lost, or its answer is."""


def _where_power_is_lost(moment: Moment, thorough: bool) -> Sequence[str]:
    """In every byte class of what changes something, and between steps."""
    if moment.effect is Effect.STEP and moment.when is When.BEFORE:
        return ("between",)
    if moment.effect is not Effect.PHONE or not moment.writes:
        return ()
    if moment.when is When.BEFORE:
        return tuple(_CLASSES) if thorough else _ENOUGH
    return ("answered",) if moment.when is When.AFTER else ()


def _where_pulled(moment: Moment, thorough: bool) -> Sequence[str]:
    """There, and once in every command that only reads."""
    if moment.effect is Effect.PHONE and not moment.writes:
        return ("last-byte",) if thorough and moment.when is When.BEFORE else ()
    return _where_power_is_lost(moment, thorough=False)


def _where_moved(moment: Moment, _: bool) -> Sequence[str]:
    """Which port it is put back at has nothing to do with the steps in between."""
    found = _where_power_is_lost(moment, thorough=False)
    return [detail for detail in found if detail != "between"]


def _where_waited_for(moment: Moment, _: bool) -> Sequence[str]:
    return [d for d in _where_power_is_lost(moment, thorough=False) if d == "last-byte"]


def _pulled(mend: Callable[[Phone], None]) -> Callable[[Stage, Scenario, Point], Ended]:
    def carry_out(stage: Stage, scenario: Scenario, point: Point) -> Ended:
        with _asked(stage, scenario.command(stage), point) as running:
            _pull(stage.phone, point, running.moments[-1].size)
            ended = running.wait()
        stage.settle()
        mend(stage.phone)
        return ended

    return carry_out


def _pull(phone: Phone, point: Point, size: int) -> None:
    """Pull it; the message that is about to be sent has ``size`` bytes, now."""
    count = _CLASSES.get(point.detail)
    if count is None:
        phone.pull()
    else:
        phone.pull_after(count(size))


def _put_back_at_once(mend: Callable[[Phone], None]) -> Callable[[Stage, Scenario, Point], Ended]:
    def carry_out(stage: Stage, scenario: Scenario, point: Point) -> Ended:
        arguments = [*scenario.command(stage), "--return-seconds", WAITED]
        with _asked(stage, arguments, point) as running:
            _pull(stage.phone, point, running.moments[-1].size)
            running.go_on()
            assert stage.phone.pulled.wait(10), "the cable was not pulled"
            stage.settle()
            mend(stage.phone)
            return running.wait()

    return carry_out


@contextmanager
def _asked(stage: Stage, arguments: Sequence[str], point: Point) -> Iterator[Running]:
    """Run the command until it asks at the point's moment; it goes on when it is waited for."""
    with stage.running(arguments, point.moment.name, Act.ASK) as running:
        running.until_asked()
        yield running


# --- the server


def _where_dropped(moment: Moment, _: bool) -> Sequence[str]:
    if moment.effect not in {Effect.WEB, Effect.SIP}:
        return ()
    if moment.effect is Effect.WEB and moment.writes:
        return ("reset", "answer-lost") if moment.when is When.BEFORE else ()
    return {When.BEFORE: ("reset",), When.SENT: ("answer-lost",)}.get(moment.when, ())


_AT_THE_SERVER = {
    "reset": FaultName.DROP_CONNECTION,
    "answer-lost": FaultName.DROP_ANSWER,
}


def _drop(stage: Stage, scenario: Scenario, point: Point) -> Ended:
    """Have the server do it for what it works on; else shut the connection on this side."""
    if not (point.moment.effect is Effect.WEB and point.moment.writes):
        return stage.run(scenario.command(stage), point.moment.name, Act.HANG_UP)
    with _asked(stage, scenario.command(stage), point) as running:
        stage.lab.faults.switch_on(FaultSetting(_AT_THE_SERVER[point.detail], 1))
        ended = running.wait()
    stage.lab.faults.clear()
    return ended


def _where_repeated(moment: Moment, thorough: bool) -> Sequence[str]:
    """Where the program itself makes a call again: not where a credential is sent."""
    return [d for d in _where_dropped(moment, thorough) if moment.step == "publish"]


def _drop_once(stage: Stage, scenario: Scenario, point: Point) -> Ended:
    arguments = [*scenario.command(stage), "--retry-seconds", WAITED]
    with _asked(stage, arguments, point) as running:
        stage.lab.faults.switch_on(FaultSetting(_AT_THE_SERVER[point.detail], 1))
        ended = running.wait()
    stage.lab.faults.clear()
    assert ended.code == 0, f"the call was not made again: {ended.err}"
    return ended


# --- the ledger's disk, and the ledger


def _at_writes(*whens: When) -> Where:
    return lambda m, _: ("",) if m.effect is Effect.LEDGER and m.when in whens else ()


def _acting(act: Act) -> Callable[[Stage, Scenario, Point], Ended]:
    return lambda stage, scenario, point: stage.run(scenario.command(stage), point.moment.name, act)


def _troubled(name: str) -> Callable[[Stage, Scenario, Point], Ended]:
    def carry_out(stage: Stage, scenario: Scenario, point: Point) -> Ended:
        with (
            _asked(stage, scenario.command(stage), point) as running,
            in_trouble(name, stage.ledger),
        ):
            return running.wait()

    return carry_out


def _where_opened(moment: Moment, _: bool) -> Sequence[str]:
    """Before every step; after one is the same as before the next, as nothing is written then."""
    return ("",) if moment.effect is Effect.STEP and moment.when is When.BEFORE else ()


CODES: Mapping[str, str] = {
    "full": "LED-13",
    "read-only": "LED-14",
    "locked": "LED-11",
    "corrupt": "LED-15",
    "newer": "LED-02",
}
"""By what error each trouble is told apart (docs/errors.md)."""


def _opened(name: str) -> Callable[[Stage, Scenario, Point], Ended]:
    """Kill the program, and try to go on while the ledger is in trouble, which must be refused."""

    def carry_out(stage: Stage, scenario: Scenario, point: Point) -> Ended:
        ended = stage.after(
            (point.scenario, point.moment.name), lambda: _kill(stage, scenario, point)
        )
        with in_trouble(name, stage.ledger):
            if name == "older":  # which is no trouble: the repeat brings it forward
                return ended
            before = stage.phone.state, stage.calls(" POST /")
            refused = stage.run(scenario.command(stage))
            stage.settle()
            after = stage.phone.state, stage.calls(" POST /")
        said = refused.out + refused.err
        assert refused.code, "it was not refused"
        assert CODES[name] in said, f"refused by something else: {said[-900:]}"
        assert "Traceback" not in refused.err, refused.err[-600:]
        assert before == after, "something was done though the ledger cannot be used"
        return ended

    return carry_out


KINDS: Mapping[str, Kind] = {
    "kill": Kind("the program is killed (SIGKILL)", _where_killed, _kill),
    "power": Kind(
        "the phone loses power, and comes back with its durable memory",
        _where_power_is_lost,
        _pulled(Phone.lose_power),
    ),
    "cable": Kind("the cable is pulled, and put back", _where_pulled, _pulled(Phone.put_back)),
    "moved": Kind(
        "the cable is pulled, and put back at another port",
        _where_moved,
        _pulled(lambda phone: phone.put_back(OTHER_PORT)),
    ),
    "cable-waited": Kind(
        "the cable is pulled and put back, while the program waits",
        _where_waited_for,
        _put_back_at_once(Phone.put_back),
    ),
    "power-waited": Kind(
        "the phone restarts, while the program waits",
        _where_waited_for,
        _put_back_at_once(Phone.lose_power),
    ),
    "server": Kind(
        "the connection is reset before a call, or instead of its answer", _where_dropped, _drop
    ),
    "server-repeated": Kind(
        "the same for the request, which the program sends again", _where_repeated, _drop_once
    ),
    "disk-full": Kind(
        "the ledger's disk is full",
        _at_writes(When.BEFORE, When.SENT),
        _troubled("full"),
    ),
    "disk-refuses": Kind(
        "the system refuses every write (RLIMIT_FSIZE)",
        _at_writes(When.SENT),
        _acting(Act.NO_WRITES),
    ),
    "disk-read-only": Kind(
        "the ledger becomes read-only", _at_writes(When.BEFORE), _acting(Act.READ_ONLY)
    ),
    "locked": Kind(
        "another process has locked the ledger", _at_writes(When.BEFORE), _troubled("locked")
    ),
    **{
        f"opened-{name}": Kind(
            f"the program is killed, and the ledger {words} when it is opened again",
            _where_opened,
            _opened(name),
        )
        for name, words in (
            ("full", "has no room"),
            ("read-only", "is read-only"),
            ("locked", "is locked"),
            ("corrupt", "has a corrupt page"),
            ("newer", "is of a newer schema"),
            ("older", "is of an older schema"),
        )
    },
}
"""All kinds of cut, by name."""

NEED_DISK = frozenset({"disk-full", "opened-full", "opened-read-only"})
"""Kinds that need a disk of the worker's own."""


def points(
    scenario: Scenario, moments: Sequence[Moment], *, thorough: bool = False
) -> Iterator[Point]:
    """Generate the points of a scenario from the moments of one run that was not cut."""
    for name, kind in KINDS.items():
        if scenario.kinds and name not in scenario.kinds and not thorough:
            continue
        for moment in moments:
            for detail in kind.details(moment, thorough or scenario.thorough):
                yield Point(name, scenario.name, moment, detail)
