"""64 ports on a wall: all in sight, laid out as the hubs lie, large enough; and other benches."""

import pytest
from board import shows, tile
from chromium import FULL_HD
from doubles.stage import Stage, hub_of
from playwright.sync_api import expect

from usbprov.bench.feed import Feed
from usbprov.bench.states import PortState
from usbprov.bench.views import PortView

LEAST_TEXT = 24
"""px on full HD. On a 55-inch screen that is a capital of 11 mm: readable at 3 m, where a minute
of arc is 0.9 mm and a letter needs five."""


@pytest.fixture
def full():
    """64 ports at work."""
    stage = Stage(*[hub_of(letter, 2, 8) for letter in "ABCD"])
    stage.bench()
    for hub in stage.map.layout():
        for place in hub.tiles:
            stage.plug(place.label)
            stage.walk(place.label, PortState.PUBLISHING)
    return stage


@pytest.fixture
def wall(full, open_board):
    return full, open_board(full)


def test_all_64_are_in_sight_and_large_enough(wall):
    stage, page = wall
    stage.walk("D16")
    shows(page, "D16", "done: unplug")
    expect(page.locator(".tile")).to_have_count(64)
    boxes = page.eval_on_selector_all(
        ".tile", "all => all.map(t => t.getBoundingClientRect()).map(b => [b.right, b.bottom])"
    )
    sizes = page.eval_on_selector_all(
        ".tile .state, .tile .label",
        "all => all.map(t => parseFloat(getComputedStyle(t).fontSize))",
    )
    clipped = page.eval_on_selector_all(
        ".tile .state, .tile .label", "all => all.filter(t => t.scrollWidth > t.clientWidth).length"
    )
    foot = page.locator("#foot").bounding_box()

    assert max(right for right, _ in boxes) <= 1920
    assert max(bottom for _, bottom in boxes) <= foot["y"]
    assert min(sizes) >= LEAST_TEXT
    assert clipped == 0


def test_all_64_are_in_sight_on_a_laptop(full, open_board):
    page = open_board(full, viewport={"width": 1366, "height": 768})
    shows(page, "D16", "publishing")
    foot = page.locator("#foot").bounding_box()
    last = tile(page, "D16").bounding_box()
    text = tile(page, "D16").locator(".state")

    assert last["y"] + last["height"] <= foot["y"]
    assert text.evaluate("t => parseFloat(getComputedStyle(t).fontSize)") >= 15


def test_the_curves_make_way_for_the_tiles(open_board):
    stage = Stage(*[hub_of(letter, 2, 8) for letter in "ABCDE"])
    page = open_board(stage, viewport={"width": 1366, "height": 768})
    expect(page.locator("#rate")).to_be_hidden()
    expect(page.locator("#needs")).to_be_visible()

    page.set_viewport_size(FULL_HD)
    expect(page.locator("#rate")).to_be_visible()


def test_on_a_telephone_what_needs_somebody_comes_first(full, open_board):
    full.fail("A3")
    page = open_board(full, viewport={"width": 390, "height": 844})
    shows(page, "A3", "failed")
    needs = page.locator("#needs .need")
    expect(needs).to_contain_text("WEB-05")

    assert needs.bounding_box()["y"] < tile(page, "A1").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_hint_for_the_keyboard_covers_no_button(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(tile(page, "A1")).to_be_focused()
    hint = page.locator("#keys").bounding_box()

    assert hint["x"] >= 0
    for control in ("#scan-text", "#sound", "#foot-switch"):
        box = page.locator(control).bounding_box()
        assert box["x"] >= hint["x"] + hint["width"] or box["y"] >= hint["y"] + hint["height"]


def test_the_longest_words_fit(wall):
    stage, page = wall
    for label, state in zip(("A1", "A2", "A3", "A4"), _longest(), strict=True):
        stage.port(label, state)
        shows(page, label, state.value)
        state_box = tile(page, label).locator(".state")
        assert state_box.evaluate("t => t.scrollWidth <= t.clientWidth"), state


def _longest():
    return sorted(PortState, key=lambda state: -len(state.value))[:4]


def test_tiles_lie_as_the_hubs_do(wall):
    _, page = wall
    shows(page, "D16", "publishing")
    place = {label: tile(page, label).bounding_box() for label in ("A1", "A2", "A9", "B1")}

    assert place["A2"]["x"] > place["A1"]["x"]
    assert place["A2"]["y"] == place["A1"]["y"]
    assert place["A9"]["x"] == place["A1"]["x"]
    assert place["A9"]["y"] > place["A1"]["y"]
    assert place["B1"]["y"] > place["A9"]["y"]


def test_a_port_that_no_map_knows_gets_a_tile(stage, page):
    expect(page.locator(".tile")).to_have_count(16)
    stage.port("1-9.4", PortState.KEY)

    shows(page, "1-9.4", "key")
    expect(page.locator(".tile")).to_have_count(17)
    shows(page, "A1", "empty")


def test_ports_of_other_benches_are_shown_and_not_commanded(stage, page):
    other = Stage(hub_of("A", 1, 4), name="north")
    other.feed = stage.feed
    other.plug("A1", "Zoe Example")
    other.fail("A1")

    theirs = page.locator('.tile[data-key^="north"]')
    expect(theirs).to_have_attribute("data-kind", "failed")
    expect(page.locator('.tile[data-key^="south"][data-label="A1"]')).to_have_attribute(
        "data-kind", "empty"
    )
    expect(page.locator(".hub h2").last).to_contain_text("north")
    theirs.click()
    retry = page.get_by_role("button", name="Retry", exact=True)
    expect(retry).to_have_attribute("aria-disabled", "true")
    retry.click(force=True)
    assert (stage.orders, other.orders) == ([], [])

    other.bench(absent="not heard of since 14:03")
    expect(page.locator(".hub h2").last).to_contain_text("north (not heard of since 14:03)")


def test_a_board_that_is_slow_sees_the_newest(stage, page):
    for _ in range(300):
        stage.port("A1", PortState.KEY)
        stage.port("A1", PortState.PUBLISHING)
    stage.walk("A1")

    shows(page, "A1", "done: unplug")


@pytest.mark.parametrize("ports", [4, 112])
def test_few_and_many_ports(open_board, ports):
    stage = Stage(hub_of("A", 1, 4)) if ports == 4 else Stage(*[hub_of(c, 2, 8) for c in "ABCDEFG"])
    page = open_board(stage)
    expect(page.locator(".tile")).to_have_count(ports)
    width = page.evaluate("document.documentElement.scrollWidth")

    assert width <= 1920
    assert isinstance(stage.feed, Feed)
    assert isinstance(stage.plug("A1"), PortView)
    shows(page, "A1", "plugged")


def test_a_small_screen_scrolls_down_only(stage, open_board):
    page = open_board(stage, viewport={"width": 480, "height": 800})
    stage.walk("B8", PortState.KEY)
    shows(page, "B8", "key")

    assert page.evaluate("document.documentElement.scrollWidth") <= 480
