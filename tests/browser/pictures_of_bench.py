"""Takes the pictures of docs/bench.md: ``make pictures``.

They are of the page's own bench: the real program, with emulated phones, at the lab.
"""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chromium import launch
from pictures import FOLDER, save
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright
from ten_phones import TenPhones, ten_phones

SCREEN: ViewportSize = {"width": 1366, "height": 768}

expect.set_options(timeout=60_000)


@contextmanager
def bench(table: TenPhones) -> Iterator[str]:
    """Run the bench as the page says; yields the link to its board."""
    (command,) = [c for c in table.page.commands if c.startswith("usbprov bench run users.csv --s")]
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command.replace('8080', '0')}"],
        cwd=table.folder,
        env=table.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        link = re.search(r"http://\S+", process.stderr.readline())
        assert link is not None
        yield link[0]
        process.send_signal(signal.SIGINT)
    finally:
        process.communicate(timeout=60)


def first(table: TenPhones, page: Page) -> None:
    """The first phone, while its key is made."""
    table.plug(1)
    expect(page.locator('.tile[data-label="A1"] .state')).to_have_text("key")
    save(page, "bench-first.png")
    expect(page.locator('.tile[data-kind="done"]')).to_have_count(1)


def nine_more(table: TenPhones, page: Page) -> None:
    """The others, one after the other, so that each gets the user of its port's number."""
    for number in range(2, 11):
        table.plug(number)
        person = page.locator(f'.tile[data-label="A{number}"] .who')
        expect(person).to_have_text(re.compile("Example"))


def failed(page: Page) -> None:
    """The one whose PIN has a slip, with its diagnosis."""
    expect(page.locator('.tile[data-kind="done"]')).to_have_count(9)
    page.locator('.tile[data-label="A7"]').click()
    expect(page.locator("#details-trouble")).to_contain_text("WEB-05")
    save(page, "bench-failed.png")


def done(table: TenPhones, page: Page) -> None:
    """All of them, once the PIN was corrected."""
    table.write_pins()
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator('.tile[data-kind="done"]')).to_have_count(10)
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#rate polyline")).to_be_visible()
    save(page, "bench-done.png")


def report(table: TenPhones, page: Page) -> None:
    """The head of the report."""
    (command,) = [c for c in table.page.commands if c.startswith("usbprov report --shift -o")]
    table.run(command).check_returncode()
    page.goto((table.folder / "shift.html").as_uri())
    save(page, "bench-report.png")


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="usbprov-pictures-"))
    try:
        with ten_phones(folder) as table, sync_playwright() as playwright:
            table.personality["keygen-seconds"] = "1.5"
            table.write(slip="1007")
            (table.folder / "pins.toml").chmod(0o600)
            table.write_map()
            browser = launch(playwright)
            context = browser.new_context(
                viewport=SCREEN, color_scheme="light", reduced_motion="reduce"
            )
            page = context.new_page()
            with bench(table) as link:
                page.goto(link)
                first(table, page)
                nine_more(table, page)
                failed(page)
                done(table, page)
            report(table, page)
            browser.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
