"""Starting up is cheap: the heavy libraries are loaded by the commands that use them."""

import subprocess
import sys

import pytest

import usbprov

HEAVY = (
    "zeep",
    "lxml",
    "requests",
    "cryptography",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "rich",
    "usb",
    "serial",
    "cbor2",
    "starlette",
    "uvicorn",
    "jinja2",
    "signxml",
    "tlslite",
)
START = """
import sys
from usbprov.cli.main import main
sys.argv = ["usbprov", *sys.argv[1:]]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def start(*arguments):
    """Start the program in a fresh interpreter; return what it printed and what it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())


@pytest.fixture(scope="module")
def version_run():
    return start("--version")


def test_the_version_is_printed(version_run):
    output, modules = version_run

    assert usbprov.__version__ in output
    assert "click" in modules


@pytest.mark.parametrize("library", HEAVY)
def test_lazy_imports(version_run, library):
    _, modules = version_run

    assert library not in modules
