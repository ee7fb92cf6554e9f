"""Takes the pictures of the board that are in docs/: ``make pictures``.

A shift is played: what is seen is the real board over views of phones that do not exist.
"""

import random
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

from chromium import FULL_HD, launch
from doubles.stage import POOL, STEPS, Stage, ago, hub_of, steps
from playwright.sync_api import Browser, Page, expect, sync_playwright

from usbprov.bench.states import PortState
from usbprov.bench.troubles import trouble_of
from usbprov.bench.web.address import BoardAddress
from usbprov.bench.web.server import BoardServer
from usbprov.engine.diagnosis.model import Context
from usbprov.errors import CertificateNotAccepted, ServerTimeout

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"

ROSTER = 240
SHIFT = timedelta(minutes=52)
DONE = 121
PEOPLE = (
    "Alice Example",
    "Bob Example",
    "Carol Example",
    "Dan Example",
    "Erin Example",
    "Frank Example",
)

UNPUBLISHED = trouble_of(
    CertificateNotAccepted(POOL, "Certificate not found"), Context(step="sign in")
)
SLOW = trouble_of(ServerTimeout(POOL, 20), Context(step="publish"), retried=True)

_AT_WORK = (
    PortState.IDENTIFYING,
    PortState.KEY,
    PortState.KEY,
    PortState.PUBLISHING,
    PortState.INSTALLING,
    PortState.PROVING,
)


def shift(stage: Stage, page: Page, dice: random.Random) -> None:
    """Play what has been done, round by round: the board must have seen one before the next."""
    labels = list(stage.map.labels)
    for begin in range(0, DONE, len(labels)):
        numbers = range(begin, min(begin + len(labels), DONE))
        for number, label in zip(numbers, labels, strict=False):
            stage.plug(label, dice.choice(PEOPLE))
            passed = SHIFT.total_seconds() * (number + 1) / (DONE + 1)
            since = ago(SHIFT.total_seconds() - passed + dice.uniform(10, 30))
            slower = dice.uniform(0.7, 1.6)
            stage.port(label, PortState.DONE, since=since, steps=steps(len(STEPS), slower=slower))
        expect(page.locator('.tile[data-kind="done"]')).to_have_count(len(numbers))
        for label in labels:
            stage.unplug(label)
        expect(page.locator('.tile[data-kind="empty"]')).to_have_count(len(labels))


def now(stage: Stage, dice: random.Random) -> None:
    """Play what is going on now."""
    for label in stage.map.labels:
        stage.plug(label, dice.choice(PEOPLE))
        chance = dice.random()
        if chance < 0.1:
            stage.unplug(label)
        elif chance < 0.3:
            stage.port(
                label, PortState.DONE, steps=steps(len(STEPS)), since=ago(dice.uniform(5, 300))
            )
        else:
            state = dice.choice(_AT_WORK)
            is_long = state is PortState.INSTALLING
            stage.walk(label, state, percent=dice.randrange(5, 96) if is_long else None)
    trouble(stage)
    stage.bench(
        done=DONE + 10,
        failed=2,
        running=41,
        per_hour=148.0,
        left=2650.0,
        started=ago(SHIFT.total_seconds()),
    )


def trouble(stage: Stage) -> None:
    """Play what needs somebody."""
    for label, person in (("A3", "Carol Example"), ("C6", "Bob Example"), ("D2", "Erin Example")):
        stage.plug(label, person)
    stage.fail("A3")
    stage.walk("C6", PortState.PROVING)
    stage.port("C6", PortState.FAILED, trouble=UNPUBLISHED, steps=steps(11, "failed"), attempt=3)
    stage.walk("D2", PortState.PUBLISHING, attempt=2, trouble=SLOW)
    stage.plug("B5")
    stage.port("B5", PortState.WAITING, name="", user="", hand="Scan the badge")
    stage.plug("D9", "Frank Example")
    stage.walk("D9", PortState.INSTALLING)
    stage.port("D9", PortState.AWAY)


def take(browser: Browser, url: str, scheme: str) -> None:
    """Take the wall and the details in a colour scheme."""
    context = browser.new_context(
        viewport=FULL_HD,
        device_scale_factor=2 / 3,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator('.tile[data-kind="away"]')).to_be_visible()
    expect(page.locator("#rate polyline")).to_be_visible()
    save(page, f"board-{scheme}.png")
    page.locator('.tile[data-label="C6"]').click()
    expect(page.locator("#details-trouble")).to_be_visible()
    save(page, f"board-{scheme}-details.png")
    context.close()


def save(page: Page, name: str) -> None:
    """Save what is seen, in a palette where pngquant is installed: a third of the size."""
    path = FOLDER / name
    page.screenshot(path=path)
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--speed", "1", "--ext", ".png", str(path)], check=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")  # noqa: T201


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    dice = random.Random(4)  # noqa: S311  # the same shift each time
    stage = Stage(*[hub_of(letter, 2, 8) for letter in "ABCD"], roster=ROSTER)
    address = BoardAddress(0)
    server = BoardServer(stage.feed, stage, stage.map.layout, address, name=stage.map.name)
    with server, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.goto(server.url)
        shift(stage, page, dice)
        page.close()
        now(stage, dice)
        for scheme in ("dark", "light"):
            take(browser, server.url, scheme)
        browser.close()


if __name__ == "__main__":
    main()
