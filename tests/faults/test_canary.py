"""No secret is left anywhere, whatever is done: journeys through all commands, searched."""

from pathlib import Path

import click
import pytest
from canary.flows import JOURNEYS, NO_SECRET
from canary.stand import stand

from usbprov.cli.main import cli

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("name", JOURNEYS)
def test_journey(name: str, tmp_path: Path) -> None:
    journey = JOURNEYS[name]
    with stand(tmp_path, journey.phones, journey.lab, journey.variables) as at:
        journey.prepare(at)
        for flow in journey.flows:
            flow.go(at)
        assert at.leaks() == {}
        assert at.written_elsewhere() == set()


def commands(group: click.Command, *path: str) -> set[str]:
    """Return the names of all commands under a group, as they are typed."""
    if not isinstance(group, click.Group):
        return {" ".join(path)}
    context = click.Context(group, info_name=" ".join(path))
    named = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {c for name, command in named.items() if command for c in commands(command, *path, name)}


def test_every_command_is_in_a_journey_or_has_no_secret() -> None:
    walked = {flow.command for journey in JOURNEYS.values() for flow in journey.flows}
    assert walked.isdisjoint(NO_SECRET)
    assert walked | NO_SECRET.keys() == commands(cli)
