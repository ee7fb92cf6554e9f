"""docs/recovery.md tells of every situation, and names only what there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from usbprov.cli.main import COMMANDS, cli
from usbprov.engine.recovery.actions import DEEDS
from usbprov.engine.recovery.situations import SITUATIONS, Situation

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "recovery.md").read_text()


def typed() -> Iterator[list[str]]:
    """Yield the commands of the page, without the prompt and without remarks."""
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        for line in re.findall(r"^(?:\$ )?(usbprov .*)$", block, re.MULTILINE):
            yield shlex.split(line, comments=True)


def command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words name, and what is left of them."""
    found: click.Command = cli
    while isinstance(found, click.Group):
        context = click.Context(found)
        name, *words = words
        inner = found.get_command(context, name)
        assert inner is not None, name
        found = inner
    return found, words


@pytest.mark.parametrize("words", list(typed()), ids=" ".join)
def test_what_is_typed_is_understood(words: list[str]) -> None:
    found, rest = command(words[1:])
    options = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


def test_the_commands_of_recovery_are_all_there() -> None:
    told = {words[1] for words in typed()}
    assert told >= {"recover", "request", "prepare", "apply", "renew", "expiring", "retire"}
    assert told <= set(COMMANDS)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_each_situation_has_its_row(situation: Situation) -> None:
    deeds = "; ".join(DEEDS[action].words for action in situation.actions) or "nothing"
    assert f"| `{situation.name}` | {situation.condition} | {deeds} |\n" in PAGE


def test_there_are_twelve_and_each_is_found_by_its_symptom() -> None:
    headings = re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE)
    symptoms = PAGE[: PAGE.index("## 1. ")]
    assert headings == [str(number) for number in range(1, 13)]
    assert set(re.findall(r"\[(\d+)\]\(#", symptoms)) == set(headings)


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as they are made of their words."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", PAGE))))
def test_each_link_leads_somewhere(link: str) -> None:
    page, _, anchor = link.partition("#")
    text = (DOCS / page).read_text() if page else PAGE
    assert not anchor or anchor in anchors(text)
