"""The board over the real bench, with phones and servers in memory: plugged to done, and retry."""

from dataclasses import replace

import pytest
from board import shows, tile
from doubles.bench import PIN, MemoryServers, make_setup, phone, roster, table
from doubles.bus import MemoryDriver
from playwright.sync_api import expect

from usbprov.bench.pins import PinDesk
from usbprov.bench.portmap import PortMap
from usbprov.bench.secrets import KeyedPins, Secrets
from usbprov.bench.states import PortState
from usbprov.bench.web.address import BoardAddress
from usbprov.bench.web.server import BoardServer
from usbprov.phone import registry


@pytest.fixture
def shown(tmp_path, monkeypatch, browser):
    """A bench for two users, the PIN of the first refused; its servers, and its board's page."""
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))
    servers = MemoryServers(wrong_pins={"1001"})
    with (
        table(tmp_path, make_setup(roster(2)), servers=servers) as at,
        BoardServer(at.bench.feed, at.bench, PortMap().layout, BoardAddress(0)) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("body[data-link=up]")
        yield at, servers, page


def test_plugged_refused_tried_again_and_done(shown):
    at, servers, page = shown
    at.plug("1-1", phone(1))
    shows(page, "1-1", "failed")
    at.plug("1-2", phone(2))
    shows(page, "1-2", "done: unplug")

    servers.wrong_pins.clear()
    tile(page, "1-1").click()
    expect(page.locator("#details-trouble")).to_contain_text("WEB-05")
    page.get_by_role("button", name="Retry", exact=True).click()
    shows(page, "1-1", "done: unplug")
    expect(page.locator("#details-steps")).to_contain_text("publish")
    expect(page.locator("#shift")).to_have_attribute("aria-valuetext", "2 of 2 done")

    at.pull("1-2")
    shows(page, "1-2", "empty")
    assert at.wait("1-1", PortState.DONE).user == "sip:u1001@contoso.test"


def test_what_the_bench_does_not_take_is_said(shown):
    _, _, page = shown
    page.get_by_label("Scan or key in").fill("1001")
    page.keyboard.press("Enter")

    expect(page.locator("#link")).to_contain_text("CLI-01")


def test_a_pin_is_keyed_in_and_the_phone_is_done(tmp_path, monkeypatch, browser):
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))
    keyed = KeyedPins()
    desk = PinDesk(keyed)
    desk.attended = lambda: True
    users = replace(roster(1), _pins={})
    setup = replace(make_setup(users), secrets=Secrets((keyed,)), pins=desk)
    with (
        table(tmp_path, setup) as at,
        BoardServer(at.bench.feed, at.bench, PortMap().layout, BoardAddress(0)) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(server.url)
        at.plug("1-1", phone(1))
        page.locator("#needs .need").click()
        field = page.get_by_role("textbox", name="PIN of 1001")
        field.fill("72 05")
        page.get_by_role("button", name="Give PIN").click()
        expect(page.locator("#details-said")).to_contain_text("BEN-08")
        field.fill(PIN)
        page.get_by_role("button", name="Give PIN").click()
        shows(page, "1-1", "done: unplug")
        assert PIN not in page.content()
    assert at.servers.pins == [("1001", PIN)]
