"""What is cut: commands, what phone they are given for, and by what they are repeated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cutpoints.hooks import Act
from cutpoints.programs import FD
from cutpoints.stage import MAC, Snapshot, Stage

Command = Callable[[Stage], list[str]]
"""Gives a command's arguments."""


@dataclass(frozen=True)
class Step:
    """What is done before, or after.

    Attributes:
        command: What is run.
        killed_at: The moment at which it is killed, by name; None where it is not.
    """

    command: Command
    killed_at: str | None = None


@dataclass(frozen=True)
class Scenario:
    """One command on one kind of phone.

    Attributes:
        name: Part of the points' names.
        about: In words.
        command: What is cut.
        personality: Of the emulated phone.
        before: What has happened to the phone already.
        repeat: What is run afterwards; None for the same again.
        finish: What is run in the end, where the command is only a part of the whole.
        otherwise: The repeat by which a user goes on who is refused because the phone's certificate
            has been replaced at the server by one that never reached us.
        new_key: Whether the key in the end must be another than the one before.
        answered: Whether the ledger had the answer already before the command.
        anew: Whether the repeat of a command that was over does all of it once more.
        empties: Whether the command leaves the phone with nothing.
        kinds: The kinds of cut; none for all of them.
        thorough: Whether also those points are wanted that hardly differ from others.
    """

    name: str
    about: str
    command: Command
    personality: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Step, ...] = ()
    repeat: Command | None = None
    finish: tuple[Command, ...] = ()
    otherwise: Command | None = None
    new_key: bool = True
    answered: bool = False
    anew: bool = False
    empties: bool = False
    kinds: frozenset[str] = frozenset()
    thorough: bool = False

    def prepare(self, stage: Stage) -> Snapshot:
        """Have the world as it is before the command, and keep it."""
        stage.clear(dict(self.personality))
        for step in self.before:
            act = Act.KILL if step.killed_at else None
            ended = stage.run(step.command(stage), step.killed_at, act)
            assert ended.code == (-9 if step.killed_at else 0), ended.err + ended.out
            stage.settle()
        return stage.keep(self.name)


_AT_ONCE = ("--retry-seconds", "0")
"""What fails is not tried again by the program: it is the repeat that is looked at."""

_AT_PHONE = ("--return-seconds", "0")
"""Nor is a phone that goes waited for, but where that is what is looked at."""

_BY_PIN = ("--extension", "1001", "--pin-stdin")


def _provision(*options: str) -> Command:
    who = () if "--auth" in options else _BY_PIN
    return lambda stage: [
        *(
            "provision",
            *who,
            *stage.servers,
            *stage.trusting,
            "--json",
            *_AT_ONCE,
            *_AT_PHONE,
            *options,
        )
    ]


def _renew(*options: str) -> Command:
    return lambda stage: [*("renew", *stage.trusting, "--json", *_AT_ONCE, *_AT_PHONE, *options)]


def _recover(stage: Stage) -> list[str]:
    how = ["--json", *_AT_ONCE, *_AT_PHONE]
    return ["recover", *_BY_PIN, *stage.servers, *stage.trusting, *how]


def _request(stage: Stage) -> list[str]:
    out = str(stage.home / "phone.request")
    who = ("--user", "sip:alice@contoso.test")
    return ["request", *who, *stage.servers, "--out", out, "--json", *_AT_PHONE]


def _prepare(stage: Stage) -> list[str]:
    what = ["--mac", MAC, *stage.servers]
    return ["prepare", *what, *_BY_PIN, *stage.trusting, *_sealed(stage), "--json", *_AT_ONCE]


def _prepare_request(stage: Stage) -> list[str]:
    what = ["--request", str(stage.home / "phone.request")]
    return ["prepare", *what, *_BY_PIN, *stage.trusting, *_sealed(stage), "--json", *_AT_ONCE]


_UNSEALED = ("--passphrase-fd", FD, "--json")


def _sealed(stage: Stage) -> list[str]:
    return ["--out", _file(stage), "--passphrase-fd", FD]


def _file(stage: Stage) -> str:
    return str(stage.home / "phone.sealed")


def _apply(*options: str) -> Command:
    return lambda stage: ["apply", _file(stage), *_UNSEALED, *_AT_PHONE, *options]


def _apply_and_sign_in(stage: Stage) -> list[str]:
    return _apply("--sign-in", *stage.trusting)(stage)


_WORKS = (Step(_provision()),)
"""A phone that works."""

_ISSUED = (Step(_provision(), "install:step:step-1:before"),)
"""A phone whose certificate is in the ledger, and was never written."""

_BARE = {"old-roots": "", "clock-behind": "3"}
"""A phone for which every step has something to do."""

_TAKES_KEYS = {"no-keygen": ""}

_IN_PIECES = {**_TAKES_KEYS, "small-buffers": ""}
"""A phone that takes its key from the host, in many pieces."""

_OF_PROGRAM_AND_PHONE = frozenset({"kill", "power"})

_MOST = _OF_PROGRAM_AND_PHONE | {"cable", "server", "server-repeated", "disk-full", "locked"}

_NOT_OF_PHONE = frozenset(
    {"kill", "server", "server-repeated", "disk-full", "disk-refuses", "disk-read-only", "locked"}
)

_ALL = (
    Scenario(
        "first-phone",
        "a new phone, which makes its key itself",
        _provision(),
        _BARE,
        thorough=True,
    ),
    Scenario(
        "first-host",
        "a new phone, which is given its key",
        _provision(),
        _IN_PIECES,
        thorough=True,
    ),
    Scenario(
        "replace-phone",
        "another key, made in the phone",
        _provision("--replace"),
        before=_WORKS,
        anew=True,
        thorough=True,
    ),
    Scenario(
        "replace-host",
        "another key, made here",
        _provision("--replace"),
        _TAKES_KEYS,
        before=_WORKS,
        anew=True,
        kinds=_MOST,
    ),
    Scenario(
        "renew-same",
        "`renew`, by the certificate, with the key that is there",
        _renew(),
        before=_WORKS,
        otherwise=_renew(*_BY_PIN),
        new_key=False,
        anew=True,
        kinds=_MOST,
    ),
    Scenario(
        "renew-new",
        "`renew --new-key`, by the certificate",
        _renew("--new-key"),
        before=_WORKS,
        otherwise=_renew("--new-key", *_BY_PIN),
        anew=True,
        thorough=True,
    ),
    Scenario(
        "first-vault",
        "a new phone, which is given a key that is kept in the vault",
        _provision("--key", "vault", "--vault-passphrase-fd", FD),
        {"import-key": ""},
        kinds=_OF_PROGRAM_AND_PHONE | {"disk-full", "locked"},
    ),
    Scenario(
        "retire",
        "`retire`; then the phone is given to somebody again",
        lambda _: ["retire", f"mac:{MAC}", "--yes", "--json"],
        before=_WORKS,
        finish=(_provision(),),
        empties=True,
        kinds=_OF_PROGRAM_AND_PHONE | {"cable"},
    ),
    Scenario(
        "then-recover",
        "a new phone; the repeat is `recover`",
        _provision(),
        repeat=_recover,
        kinds=_OF_PROGRAM_AND_PHONE,
    ),
    Scenario(
        "recover",
        "`recover`, for a certificate that was never written",
        _recover,
        _BARE,
        before=_ISSUED,
        answered=True,
        kinds=_OF_PROGRAM_AND_PHONE,
    ),
    Scenario(
        "prepare",
        "`prepare` where the servers are; then `apply`",
        _prepare,
        _TAKES_KEYS,
        finish=(_apply_and_sign_in,),
        kinds=_NOT_OF_PHONE,
    ),
    Scenario(
        "apply",
        "`apply` of a key, certificate, roots and settings",
        _apply(),
        {**_TAKES_KEYS, **_BARE},
        before=(Step(_prepare),),
        finish=(_apply_and_sign_in,),
        answered=True,
        kinds=_OF_PROGRAM_AND_PHONE | {"cable", "disk-full", "locked"},
    ),
    Scenario(
        "request",
        "`request` at a phone that makes its key; then `prepare` and `apply`",
        _request,
        finish=(_prepare_request, _apply_and_sign_in),
        kinds=_OF_PROGRAM_AND_PHONE,
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
"""All scenarios, by name."""
