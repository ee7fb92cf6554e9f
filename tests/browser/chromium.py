"""Debian's Chromium: never one that is fetched, and nothing that it would fetch by itself."""

from playwright.sync_api import Browser, Playwright, ViewportSize

FULL_HD: ViewportSize = {"width": 1920, "height": 1080}

_PROGRAM = "/usr/bin/chromium"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launch(playwright: Playwright) -> Browser:
    """Start it, with a new profile."""
    return playwright.chromium.launch(executable_path=_PROGRAM, args=_FLAGS)
