"""docs/checks.md names every step of every check: the names are promised."""

from pathlib import Path

import pytest

from usbprov.engine.checks import bootstrap, everything
from usbprov.engine.checks.kept import KEPT
from usbprov.engine.checks.phone import PHONE
from usbprov.engine.checks.publication import PUBLICATION

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}


@pytest.mark.parametrize(
    ("sections", "steps"),
    [
        (["check phone-bootstrap"], bootstrap.PHONE_BOOTSTRAP),
        (["check phone-bootstrap", "check client-auth"], bootstrap.CLIENT_AUTH),
        (["check publication"], PUBLICATION),
        (["check publication"], KEPT),
        (["check phone"], PHONE),
        (["check all"], everything.WEB_SERVICES),
        (["check all"], everything.REGISTRAR),
    ],
)
def test_every_step_is_described(sections: list[str], steps: bootstrap.Steps) -> None:
    text = "".join(SECTIONS[section] for section in sections)
    assert [step.name for step in steps if f"`{step.name}`" not in text] == []


def test_every_command_has_its_line() -> None:
    from usbprov.cli.commands.check import COMMANDS

    assert [name for name in COMMANDS if f"| `check {name}` |" not in PAGE] == []
