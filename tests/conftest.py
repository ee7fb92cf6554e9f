"""Settings for all tests."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import program_server
import pytest
from hypothesis import settings

# A loaded machine is no reason to fail: what takes too long is found by pytest's own time limit.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Start the server of programs, once for all workers; their coverage is had without it."""
    _hear_signals()
    if config.getoption("cov_source", None):
        os.environ[program_server.VARIABLE] = ""
    if program_server.wanted():
        stack = ExitStack()
        stack.enter_context(program_server.serving())
        config.add_cleanup(stack.close)


def _hear_signals() -> None:
    """Have programs end by the signals that tests send them, also where this one ignores them.

    What is started in the background, or by ``nohup``, inherits that, and so do its children.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let tests side by side have phones of the same serial number, and keep off real locks."""
    folder = tmp_path_factory.getbasetemp() / "locks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usbprov.usb.locks.default_folder", lambda: folder)
        patch.setenv("USBPROV_LOCK_DIR", str(folder))
        yield


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Take away what the program, run in this process, set up for its log: the stream is closed."""
    root = logging.getLogger()
    before, level = set(root.handlers), root.level
    yield
    root.setLevel(level)
    for handler in set(root.handlers) - before:
        root.removeHandler(handler)
        handler.close()
