"""The board shows what becomes of a phone, from plugged to done, and of one that fails."""

import pytest
from board import is_so, scans, shows, tile
from doubles.stage import REFUSED, ago
from playwright.sync_api import expect

from usbprov.bench.states import PortState
from usbprov.bench.web import app
from usbprov.errors import NotNow, PinUnusable

COUNTING_SOUNDS = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) { window.tones += 1; return start.call(this, at); };
0;
"""


def test_a_phone_goes_from_plugged_to_done(stage, page):
    shows(page, "A3", "empty")
    stage.plug("A3")
    for state in list(PortState)[1:2] + list(PortState)[2:3] + list(PortState)[4:8]:
        stage.walk("A3", state)
        shows(page, "A3", state.value)
        expect(tile(page, "A3")).to_have_attribute("aria-label", _contains("do not unplug"))

    stage.walk("A3")
    shows(page, "A3", "done: unplug")
    expect(tile(page, "A3")).to_have_attribute("data-kind", "done")
    expect(tile(page, "A3")).not_to_have_attribute("aria-label", _contains("do not unplug"))

    stage.unplug("A3")
    shows(page, "A3", "empty")


def _contains(text):
    import re

    return re.compile(re.escape(text))


def test_the_sign_and_the_words_change_besides_the_colour(stage, page):
    seen = set()
    for label, state in zip(("A1", "A2", "A3", "A4", "A5"), PortState, strict=False):
        stage.port(label, state)
        shows(page, label, state.value)
    stage.walk("A6")
    stage.fail("A7")
    stage.port("A8", PortState.AWAY)
    shows(page, "A8", "pulled early")
    for label in ("A1", "A4", "A5", "A6", "A7", "A8"):
        use = tile(page, label).locator("use").get_attribute("href")
        seen.add((use, tile(page, label).locator(".state").inner_text()))
    assert len({sign for sign, _ in seen}) == 6
    assert len({words for _, words in seen}) == 6


def test_a_failed_phone_is_told_and_tried_again(stage, page):
    stage.plug("B2", "Carol Example")
    stage.fail("B2")
    shows(page, "B2", "failed")
    expect(page.locator("#urgent")).to_contain_text(f"B2 failed: {REFUSED.what}")
    expect(page.locator("#needs")).to_contain_text("WEB-05")

    tile(page, "B2").click()
    details = page.locator("#details")
    expect(details).to_contain_text(f"Likely cause: {REFUSED.cause}")
    expect(details).to_contain_text(f"What to do: {REFUSED.remedy}")
    expect(details).to_contain_text("Do not unplug.")
    expect(details.locator("#details-steps li")).to_have_count(3)
    details.get_by_role("button", name="Retry", exact=True).click()

    shows(page, "B2", "key")
    expect(details).to_contain_text("B2: is tried again.")
    expect(page.locator("#needs")).to_contain_text("Nothing waits for you.")
    assert stage.orders == [("retry", "B2")]


def test_a_phone_is_left_out_and_found(stage, page):
    stage.plug("A1")
    stage.port("A1", PortState.WAITING, hand="Scan the badge")
    tile(page, "A1").click()
    light = page.get_by_role("button", name="Find this phone")

    light.click()
    expect(light).to_have_attribute("aria-pressed", "true")
    light.click()
    expect(light).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Skip").click()

    is_so(lambda: len(stage.orders) == 3)
    assert stage.orders == [("light", "A1"), ("dark", "A1"), ("skip", "A1")]


def test_what_the_bench_refuses_is_said(stage, page):
    stage.plug("A1")
    stage.fail("A1")
    stage.refusal = NotNow("A1", "retry", PortState.KEY)
    tile(page, "A1").click()
    page.get_by_role("button", name="Retry", exact=True).click()

    expect(page.locator("#details-said")).to_contain_text(NotNow.code)
    expect(page.locator("#details-said")).to_contain_text(NotNow.remedy)
    assert stage.orders == []


def test_buttons_that_mean_nothing_now_do_nothing(stage, page):
    stage.walk("A1")
    shows(page, "A1", "done: unplug")
    tile(page, "A1").click()
    for name in ("Retry", "Skip"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
    page.get_by_role("button", name="Find this phone").click()

    expect(page.locator("#details-said")).to_have_text("A1: its lamp is lit.")
    assert stage.orders == [("light", "A1")]


@pytest.mark.parametrize("is_on", [True, False])
def test_a_failure_is_heard_when_sound_is_on(stage, open_board, browser, is_on):
    page = open_board(stage)
    page.evaluate(COUNTING_SOUNDS)
    button = page.locator("#sound")
    expect(button).to_have_attribute("aria-pressed", "false")
    if is_on:
        button.click()
        expect(button).to_have_text("Sound on failure: on")
        page.wait_for_function("window.tones === 2")  # the trial
    stage.plug("A1")
    stage.fail("A1")
    shows(page, "A1", "failed")
    expect(page.locator("#urgent")).to_contain_text("A1 failed")

    assert page.evaluate("window.tones") == (4 if is_on else 0)


def test_foreign_text_is_shown_as_text(stage, page):
    stage.plug("A1", "<img src=x onerror=alert(1)>")
    stage.walk("A1", PortState.KEY, phone="Evil\x1b[31m\u202ephone")
    tile(page, "A1").click()

    expect(tile(page, "A1").locator(".who")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#details-facts")).to_contain_text("Evil\ufffd[31m\ufffdphone")
    assert page.locator("#hubs img").count() == 0


def test_the_shift_is_summed_up(stage, page):
    stage.walk("A1", since=ago(600))
    stage.walk("A2", since=ago(300))
    stage.bench(done=2, roster=64, running=0, per_hour=12.4, left=18_600.0, started=ago(700))

    progress = page.locator("#shift")
    expect(progress).to_have_attribute("aria-valuetext", "2 of 64 done, 5 h 10 min left")
    expect(progress).to_have_attribute("aria-valuenow", "2")
    expect(page.locator("#sums")).to_contain_text("2 to unplug")
    expect(page.locator("#sums")).to_contain_text("12 an hour")
    expect(page.locator("#rate")).to_have_attribute("aria-label", _contains("at most"))
    expect(page.locator("#time")).to_have_attribute("aria-label", _contains("5.1 now"))
    expect(page.locator("#steps")).to_have_attribute("aria-label", _contains("key 2.4 s"))


class TestPins:
    def waiting(self, stage, page, label="A1"):
        stage.plug(label)
        asks = "PIN of Alice Example (1001)"
        stage.port(label, PortState.WAITING, asks=asks, hand="key in the PIN of Alice Example")
        shows(page, label, "waiting for a user")
        tile(page, label).click()
        return page.get_by_label(asks)

    def test_one_is_keyed_in(self, stage, page):
        field = self.waiting(stage, page)
        expect(field).to_be_focused()
        assert (field.get_attribute("type"), field.get_attribute("autocomplete")) == (
            "password",
            "off",
        )
        page.keyboard.type("720511", delay=80)
        page.keyboard.press("Enter")

        shows(page, "A1", "publishing")
        expect(page.locator("#details-pin")).to_be_hidden()
        expect(page.locator("#details-title")).to_be_focused()
        assert (stage.pins, stage.orders) == (["720511"], [("pin", "A1")])
        assert "720511" not in page.content() + field_of(page)

    def test_one_that_the_bench_refuses_is_keyed_in_again(self, stage, page):
        field = self.waiting(stage, page)
        stage.refusal = PinUnusable("A1")
        field.press_sequentially("7205x", delay=80)
        field.press("Enter")

        expect(page.locator("#details-said")).to_contain_text(PinUnusable.code)
        expect(field).to_have_value("")
        stage.refusal = None
        field.fill("720511")
        page.get_by_role("button", name="Give PIN").click()
        shows(page, "A1", "publishing")
        assert stage.pins == ["720511"]

    def test_a_scan_is_not_taken_for_one(self, stage, page):
        field = self.waiting(stage, page)
        field.focus()
        scans(page, "64167F0A1B2C")

        expect(page.locator("#details-said")).to_contain_text("That came from a scanner.")
        expect(field).to_have_value("")
        assert (stage.pins, stage.orders) == ([], [])

    def test_the_field_goes_when_another_board_was_first(self, stage, page):
        field = self.waiting(stage, page)
        field.fill("7205")
        stage.port("A1", PortState.PUBLISHING, asks="", hand="")

        expect(page.locator("#details-pin")).to_be_hidden()
        assert field_of(page) == ""

    def test_what_was_begun_is_not_kept_for_the_next_port(self, stage, page):
        self.waiting(stage, page, "A2")
        field = self.waiting(stage, page)
        field.fill("7205")
        tile(page, "A2").click()

        assert field_of(page) == ""

    def test_another_computer_has_no_field(self, stage, open_board, monkeypatch):
        monkeypatch.setattr(app, "is_near", lambda client, server: False)
        page = open_board(stage)
        self.waiting(stage, page)

        expect(page.locator("#details-pin")).to_be_hidden()
        expect(page.locator("#details-far")).to_contain_text("the bench's own computer only")


def field_of(page):
    return page.locator("#pin-text").input_value()
