"""What is cut: commands, and what phone they are given for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cutpoints.stage import Snapshot, Stage


@dataclass(frozen=True)
class Scenario:
    """One command on one kind of phone.

    Attributes:
        name: Part of the points' names.
        about: In words.
        personality: Of the emulated phone.
        options: Of the command, after those that name user and servers.
        before: Options of the command by which the phone was given the credential that it has
            already; None for a phone that has none.
        new_key: Whether the key in the end must be another than the one before.
        otherwise: Options of the command by which a user goes on who is refused because the
            phone's certificate has been replaced at the server by one that never reached us.
    """

    name: str
    about: str
    personality: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    before: tuple[str, ...] | None = None
    new_key: bool = True
    otherwise: tuple[str, ...] | None = None

    def arguments(self, stage: Stage) -> list[str]:
        """Return the command."""
        return stage.provision(*_AT_ONCE, *self.options)

    def other_arguments(self, stage: Stage) -> list[str]:
        """Return the command with another proof of the user."""
        return stage.provision(*_AT_ONCE, *(self.otherwise or self.options))

    def prepare(self, stage: Stage) -> Snapshot:
        """Have the world as it is before the command, and keep it."""
        stage.clear(dict(self.personality))
        if self.before is not None:
            ended = stage.run(stage.provision(*self.before))
            assert ended.code == 0, ended.err
        return stage.keep(self.name)


_AT_ONCE = ("--retry-seconds", "0")
"""What fails is not tried again by the program: it is the repeat that is looked at."""

_BARE = {"old-roots": "", "clock-behind": "3"}
"""A phone for which every step has something to do."""

_GIVEN = {"no-keygen": "", "small-buffers": ""}
"""A phone that takes its key from the host, in many pieces."""

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("first-phone", "a new phone, which makes its key itself", _BARE),
        Scenario("first-host", "a new phone, which is given its key", _GIVEN),
        Scenario(
            "replace-phone", "another key, made in the phone", options=("--replace",), before=()
        ),
        Scenario("replace-host", "another key, made here", {"no-keygen": ""}, ("--replace",), ()),
        Scenario(
            "renew-same",
            "renewal by the certificate, with the key that is there",
            options=("--replace", "--key", "existing", "--auth", "certificate"),
            before=(),
            new_key=False,
            otherwise=("--replace", "--key", "existing"),
        ),
        Scenario(
            "renew-new",
            "renewal by the certificate, with a new key",
            options=("--replace", "--auth", "certificate"),
            before=(),
            otherwise=("--replace",),
        ),
    )
}

Ready = Callable[[Scenario], Snapshot]
"""Gives the snapshot of a scenario, made at the first time."""
