"""One Chromium a module, a board and a page a test.

The browser is Debian's, with a new profile each time; it reaches loopback only, as everything here.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from chromium import FULL_HD, launch
from doubles.stage import Stage
from playwright.sync_api import Browser, Page, sync_playwright

from usbprov.bench.web.address import BoardAddress
from usbprov.bench.web.server import BoardServer

SECONDS = 30
"""For whatever is waited for: much, since the machine may be busy."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_board(browser) -> Iterator[Callable[..., Page]]:
    """Serve a stage's board and open its link in a profile of its own."""
    with ExitStack() as stack:

        def open_it(stage: Stage, **options: object) -> Page:
            name = stage.map.name
            address = BoardAddress.parse("0")
            server = BoardServer(stage.feed, stage, stage.map.layout, address, name=name)
            stack.enter_context(server)
            context = stack.enter_context(
                browser.new_context(**{"viewport": FULL_HD, "reduced_motion": "reduce", **options})
            )
            context.set_default_timeout(SECONDS * 1000)
            page = context.new_page()
            page.goto(server.url)
            page.wait_for_selector("body[data-link=up]")
            return page

        yield open_it


@pytest.fixture
def stage() -> Stage:
    """Two hubs of eight ports."""
    stage = Stage()
    stage.bench()
    return stage


@pytest.fixture
def page(stage, open_board) -> Page:
    """The board of the two hubs."""
    return open_board(stage)
