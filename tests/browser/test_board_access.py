"""The board without a mouse, without colours, without eyes: keyboard, roles, axe."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from board import is_so, scans, shows, tile
from doubles.stage import ago
from playwright.sync_api import expect

from usbprov.bench.states import PortState

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def busy(stage):
    """One port in each state."""
    for number, state in enumerate(PortState, start=1):
        label = f"A{number}" if number <= 8 else f"B{number - 8}"
        stage.plug(label)
        stage.port(label, state, percent=40 if state is PortState.INSTALLING else None)
    stage.walk("B4", since=ago(100))
    stage.fail("B5")
    stage.bench(done=3, roster=16, running=5, per_hour=31.0, left=1500.0, started=ago(400))
    return stage


def violations(page):
    # A page of its own policy takes no script from elsewhere; the browser's own hand may.
    found = Axe().run(page, options=RULES).response["violations"]
    return json.dumps([(v["id"], [n["html"][:160] for n in v["nodes"]]) for v in found], indent=1)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing(busy, open_board, scheme):
    page = open_board(busy, color_scheme=scheme)
    shows(page, "B5", "failed")
    assert violations(page) == "[]"

    tile(page, "B5").click()
    expect(page.locator("#details-trouble")).to_be_visible()
    assert violations(page) == "[]"

    busy.port("B6", PortState.WAITING, asks="PIN of Alice (1001)", hand="key in the PIN of Alice")
    tile(page, "B6").click()
    expect(page.get_by_label("PIN of Alice (1001)")).to_be_focused()
    assert violations(page) == "[]"


def test_axe_finds_nothing_when_the_connection_is_lost(busy, open_board):
    page = open_board(busy)
    page.context.set_offline(True)
    page.evaluate("document.body.dataset.link = ''")
    page.evaluate("window.dispatchEvent(new HashChangeEvent('hashchange'))")
    expect(page.locator("#banner")).to_be_visible()

    assert violations(page) == "[]"


def test_everything_is_done_by_keyboard(stage, page):
    stage.plug("A7")
    stage.fail("A7")
    shows(page, "A7", "failed")
    press = page.keyboard.press

    press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    press("Enter")
    press("Tab")
    expect(tile(page, "A1")).to_be_focused()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "End", "Home", "ArrowDown"):
        press(key)
    expect(tile(page, "A5")).to_be_focused()
    press("ArrowRight")
    press("ArrowRight")
    expect(tile(page, "A7")).to_be_focused()
    press("Enter")
    expect(page.locator("#details-title")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_focused()
    press("Enter")
    shows(page, "A7", "key")
    press("Escape")
    expect(page.locator("#details")).to_be_hidden()
    expect(tile(page, "A7")).to_be_focused()
    assert stage.orders == [("retry", "A7")]


def test_the_tiles_are_one_stop_of_the_tab_key(page):
    assert page.locator('.tile[tabindex="0"]').count() == 1
    assert page.locator('.tile[tabindex="-1"]').count() == 15


def test_focus_stays_when_the_port_under_it_changes(stage, page):
    tile(page, "A2").focus()
    stage.walk("A2")
    shows(page, "A2", "done: unplug")
    expect(tile(page, "A2")).to_be_focused()
    stage.port("1-9.4", PortState.KEY)  # the board is laid out anew
    shows(page, "1-9.4", "key")
    expect(tile(page, "A2")).to_be_focused()


def test_what_counts_is_announced(stage, page):
    stage.plug("A1", "Alice Example")
    stage.walk("A1")
    expect(page.locator("#polite")).to_have_text("A1: done, unplug")
    stage.plug("A2")
    stage.port("A2", PortState.WAITING, hand="Scan the badge")
    expect(page.locator("#polite")).to_have_text("A2: Scan the badge")
    stage.fail("A2")
    expect(page.locator("#urgent")).to_contain_text("A2 failed")

    assert page.locator("#urgent").get_attribute("role") == "alert"
    assert page.locator("#polite").get_attribute("role") == "status"


def test_a_scanner_types_wherever_the_focus_is(stage, page):
    tile(page, "A1").focus()
    scans(page, "1002")

    expect(page.locator("#link")).to_have_text("1002 is Bob Example; scan the phone")
    expect(page.locator("#details")).to_be_hidden()
    assert stage.orders == [("scan", "1002")]


def test_a_badge_is_keyed_in(stage, page):
    page.get_by_label("Scan or key in").fill("7777")
    page.keyboard.press("Enter")

    is_so(lambda: stage.orders == [("scan", "7777")])
    expect(page.locator("#link")).to_contain_text("SCN-01")


def test_nothing_moves_for_who_wants_that(busy, open_board):
    page = open_board(busy, reduced_motion="reduce")
    shows(page, "B5", "failed")
    assert page.evaluate("document.getAnimations().length") == 0

    page = open_board(busy, reduced_motion="no-preference")
    shows(page, "B5", "failed")
    assert page.evaluate("document.getAnimations().length") > 0
