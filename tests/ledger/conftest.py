"""The ledger's places: a file, and a database of a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Cluster, cluster

from usbprov.ledger.address import LedgerPlace, parse_place
from usbprov.ledger.ledger import Ledger


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerPlace:
    """A place without any jobs, in each of the databases."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite3"
    running: Cluster = request.getfixturevalue("server")
    return parse_place(running.common_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerPlace:
    """A place without any tables, in each of the databases."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite3"
    running: Cluster = request.getfixturevalue("server")
    return parse_place(running.new_database())


@pytest.fixture
def ledger(place: LedgerPlace) -> Iterator[Ledger]:
    with Ledger(place) as opened:
        yield opened
