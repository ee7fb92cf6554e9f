"""The report's page in a real browser: accessible, on a telephone, on paper, alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shifts import Shift, usual

from usbprov.bench.report.page import as_page
from usbprov.bench.report.summing import make_report
from usbprov.ledger.history import Stretch, read_history
from usbprov.ledger.ledger import Ledger

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with Ledger(folder / "ledger.sqlite3") as ledger, pytest.MonkeyPatch.context() as patch:
        shift = Shift(ledger, patch)
        usual(shift)
        shift.goes_well(90, user=f"sip:{'x' * 200}@contoso.test")
        report = make_report(
            read_history(ledger.database, Stretch()), Stretch(), "a test", shift.now
        )
    path = folder / "report.html"
    path.write_bytes(as_page(report))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=[1280, 360], ids=["wide", "telephone"])
def page(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    # The page's policy would keep the checker out, too.
    size = {"width": request.param, "height": 800}
    context = browser.new_context(viewport=size, bypass_csp=True)
    opened = context.new_page()
    opened.goto(file.as_uri())
    yield opened
    context.close()


def test_it_is_accessible(page: Any) -> None:
    found = axe.Axe().run(page, options={"runOnly": RULES}).response
    assert [violation["id"] for violation in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_nothing_sticks_out(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_it_asks_for_nothing_and_complains_of_nothing(browser: Any, file: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    page.close()
    assert (asked, said) == ([file.as_uri()], [])


def test_it_prints_on_a4(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 without margins, at 96 dpi
    sticks_out = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.close()
    assert b"/MediaBox [0 0 594" in printed or b"/MediaBox [0 0 595" in printed
    assert sticks_out <= 0
