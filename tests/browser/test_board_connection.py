"""The board survives a reload and a lost connection, and is nobody's who lacks its link."""

import re
from contextlib import ExitStack

import pytest
from board import shows, tile
from doubles.stage import Stage, ago
from playwright.sync_api import expect

from usbprov.bench.states import PortState
from usbprov.bench.web.address import BoardAddress
from usbprov.bench.web.server import BoardServer


@pytest.fixture
def context(browser):
    with browser.new_context() as context:
        yield context


def test_the_token_is_taken_off_the_address(page):
    assert "token" not in page.url
    assert page.evaluate("document.cookie") == "", "scripts cannot read the cookie"
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])").count("token") == 0


def test_a_reload_loses_nothing(stage, page):
    stage.bench(started=ago(600))
    stage.walk("A1", since=ago(300))
    stage.plug("A2")
    stage.fail("A2")
    shows(page, "A2", "failed")
    page.locator("#foot-switch").click()

    page.reload()

    shows(page, "A1", "done: unplug")
    shows(page, "A2", "failed")
    expect(page.locator("#urgent")).to_be_empty()
    expect(page.locator("#foot")).to_be_hidden()
    page.locator("#foot-switch").click()
    expect(page.locator("#rate")).to_have_attribute("aria-label", re.compile(r"[1-9]\d* at most"))


def test_curves_are_there_again_after_a_reload(stage, page):
    stage.walk("A1", since=ago(60))
    shows(page, "A1", "done: unplug")
    stage.unplug("A1")
    shows(page, "A1", "empty")

    page.reload()

    expect(page.locator("#steps")).to_have_attribute("aria-label", _key_time())


def _key_time():
    return re.compile("key 2.4 s")


def test_a_lost_connection_is_told_and_made_good(context):
    """The program is stopped, and started again at the same port with the same token."""
    stage = Stage()
    stage.bench()
    stage.walk("A1", PortState.KEY)
    page = context.new_page()
    with BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0), "t" * 43) as first:
        page.goto(first.url)
        shows(page, "A1", "key")
    banner = page.locator("#banner")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("What is shown may be old.")

    stage.walk("A1")
    stage.plug("A2")
    stage.fail("A2")
    with BoardServer(stage.feed, stage, stage.map.layout, first.address, "t" * 43):
        shows(page, "A1", "done: unplug")
        shows(page, "A2", "failed")
        expect(banner).to_be_hidden()
        expect(page.locator("#urgent")).to_contain_text("A2 failed")


def test_a_network_that_is_away_is_told_and_made_good(stage, page):
    stage.walk("A1", PortState.KEY)
    shows(page, "A1", "key")
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    tile(page, "A1").click()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#details-said")).to_contain_text("connection lost")

    stage.walk("A1")
    page.context.set_offline(False)

    shows(page, "A1", "done: unplug")
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize("link", ["", "#token=wrong"])
def test_without_the_link_nothing_is_shown(stage, context, link):
    stage.walk("A1", PortState.KEY)
    with BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0)) as server:
        page = context.new_page()
        page.goto(server.address.url + link)
        expect(page.locator("#banner")).to_contain_text("open to its link only")
        assert page.locator(".tile").count() == 0


def test_the_link_lets_in_who_was_refused(stage, context):
    stage.walk("A1", PortState.KEY)
    with BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0)) as server:
        page = context.new_page()
        page.goto(server.address.url)
        expect(page.locator("#banner")).to_be_visible()
        page.goto(server.url)
        shows(page, "A1", "key")
        expect(page.locator("#banner")).to_be_hidden()


def test_two_boards_side_by_side_show_the_same(stage, page, context):
    with ExitStack() as stack:
        server = stack.enter_context(
            BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0))
        )
        other = context.new_page()
        other.goto(server.url)
        stage.walk("B8", PortState.PROVING)
        shows(page, "B8", "proving")
        shows(other, "B8", "proving")
