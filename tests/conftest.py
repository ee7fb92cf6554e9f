"""Settings for all tests."""

import os
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
    if config.getoption("cov_source", None):
        os.environ[program_server.VARIABLE] = ""
    if program_server.wanted():
        stack = ExitStack()
        stack.enter_context(program_server.serving())
        config.add_cleanup(stack.close)


@pytest.fixture(scope="session", autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let tests side by side have phones of the same serial number, and keep off real locks."""
    folder = tmp_path_factory.getbasetemp() / "locks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usbprov.usb.locks.default_folder", lambda: folder)
        patch.setenv("USBPROV_LOCK_DIR", str(folder))
        yield
