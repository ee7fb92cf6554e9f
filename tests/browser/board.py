"""What tests ask of a page: where a port is, and waiting until it looks as it should."""

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

expect.set_options(timeout=30_000)


def tile(page: Page, label: str) -> Locator:
    """Return a port's tile."""
    return page.locator(f'.tile[data-label="{label}"]')


def shows(page: Page, label: str, state: str) -> None:
    """Wait until a port's tile says its state."""
    expect(tile(page, label).locator(".state")).to_have_text(state)


def scans(page: Page, text: str) -> None:
    """Have a barcode scanner type where the focus is: a key each 5 ms by the keyboard's own clock.

    A busy machine would make the pauses between keys as long as those of a hand.
    """
    keyboard = page.context.new_cdp_session(page)
    keys = [{"key": letter, "text": letter} for letter in text]
    enter = {"key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
    began = time.time()
    for number, key in enumerate([*keys, enter]):
        at = began + number * 0.005
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", "timestamp": at, **key})
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", "timestamp": at, **key})
    keyboard.detach()


def is_so(question: Callable[[], object], seconds: float = 30) -> None:
    """Wait until the answer is yes; for what happens outside the page."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
