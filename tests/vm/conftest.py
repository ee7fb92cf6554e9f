"""What the tests on a real USB bus have in common.

They load kernel modules, change udev rules and make users, so they run in the virtual machine
of `make test-vm` and nowhere else; elsewhere none of them is collected.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from kernel_usb import IN_THE_MACHINE, Desk
from processes import Station, station
from technician import Workplace

if IN_THE_MACHINE:
    processes.PATIENCE = 200.0  # everything takes ten times as long as elsewhere
else:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A lab's servers; the phones come and go with the tests."""
    with station(tmp_path_factory.mktemp("station"), phones=0) as running:
        yield running


@pytest.fixture
def workplace(lab: Station, tmp_path: Path) -> Iterator[Workplace]:
    """The lab, with phones and a record of jobs of this test's own; ``plug`` starts the phones."""
    (tmp_path / "home").mkdir()
    (tmp_path / "lab").mkdir()
    for entry in (lab.folder / "lab").iterdir():
        if not entry.name.startswith("phones"):
            (tmp_path / "lab" / entry.name).symlink_to(entry)
    own = Workplace(tmp_path, dict(lab.facts), lab.lab)
    yield own
    if own.phones is not None:
        own.phones.terminate()
        own.phones.communicate(timeout=processes.PATIENCE)
    shutil.rmtree(tmp_path / "lab")


@pytest.fixture
def desk(workplace: Workplace) -> Iterator[Desk]:
    """The machine's USB ports, free at the beginning and at the end."""
    with Desk(lambda: workplace.exporter) as ports:
        yield ports
