"""What --ledger may be: a file or a URL of PostgreSQL; no password in it, no unverified server."""

from pathlib import Path

import pytest

from usbprov.errors import LedgerAddressInvalid
from usbprov.ledger.address import PostgresAddress, is_local, parse_place
from usbprov.ledger.ledger import Ledger


@pytest.mark.parametrize(
    "text", ["ledger.sqlite3", "/var/lib/x", "C:\\x", "postgresql", "a/b://c", "./postgresql://h/d"]
)
def test_what_is_a_file(text: str) -> None:
    assert parse_place(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "user", "hosts", "port", "database"),
    [
        ("postgresql://bench@db.contoso.com/usbprov", "bench", ("db.contoso.com",), "", "usbprov"),
        ("postgres://db:5433/x", "", ("db",), "5433", "x"),
        ("POSTGRESQL:///x?host=/run/postgresql&port=1", "", ("/run/postgresql",), "1", "x"),
        ("postgresql://a%40b@[::1]/x%2Fy", "a@b", ("::1",), "", "x/y"),
        ("postgresql:///?service=bench", "", (), "", ""),
    ],
)
def test_what_is_a_database(
    text: str, user: str, hosts: tuple[str, ...], port: str, database: str
) -> None:
    found = parse_place(text)
    assert isinstance(found, PostgresAddress)
    assert (found.user, found.hosts, found.port, found.database) == (user, hosts, port, database)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql://bench:hunter2@db/x", "password"),
        ("postgresql://bench:@db/x", "password"),
        ("postgresql://db/x?password=hunter2", "password"),
        ("postgresql://db/x?sslpassword=hunter2", "password"),
        ("postgresql://db/x?options=-csynchronous_commit%3Doff", "'options'"),
        ("postgresql://db/x?sslmode=require", "sslmode=require"),
        ("postgresql://127.0.0.1,db/x?sslmode=disable", "sslmode=disable"),
        ("postgresql:///x?service=bench&sslmode=prefer", "sslmode=prefer"),
        ("postgresql://db:port/x", "port"),
        ("postgresql://db/x#hunter2", "'#'"),
        ("mysql://db/x", "neither a file"),
    ],
)
def test_what_is_refused_is_not_repeated(text: str, words: str) -> None:
    with pytest.raises(LedgerAddressInvalid) as caught:
        parse_place(text)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environment", "mode"),
    [
        ("postgresql://db.contoso.com/x", {}, "verify-full"),
        ("postgresql://db.contoso.com/x?sslmode=verify-full", {}, "verify-full"),
        ("postgresql://127.0.0.1/x", {}, None),
        ("postgresql://localhost/x?sslmode=disable", {}, "disable"),
        ("postgresql:///x", {}, None),
        ("postgresql:///x?host=/run/postgresql", {}, None),
        ("postgresql:///x", {"PGHOST": "db.contoso.com"}, "verify-full"),
        ("postgresql:///x", {"PGHOSTADDR": "192.0.2.1"}, "verify-full"),
        ("postgresql:///x", {"PGHOST": "/run"}, None),
        ("postgresql:///x", {"PGSERVICE": "bench"}, "verify-full"),
        ("postgresql:///x?service=bench", {}, "verify-full"),
        ("postgresql://localhost,db.contoso.com/x", {}, "verify-full"),
    ],
)
def test_a_server_elsewhere_is_verified(
    text: str, environment: dict[str, str], mode: str | None
) -> None:
    place = parse_place(text)
    assert isinstance(place, PostgresAddress)
    assert place.connection_parameters(environment).get("sslmode") == mode


def test_libpq_is_given_what_the_url_says() -> None:
    place = parse_place("postgresql://bench@db/x?sslrootcert=system&connect_timeout=3")
    assert isinstance(place, PostgresAddress)
    assert place.connection_parameters({}) == {
        "user": "bench",
        "host": "db",
        "dbname": "x",
        "sslrootcert": "system",
        "connect_timeout": "3",
        "sslmode": "verify-full",
    }


def test_it_is_shown_without_its_parameters() -> None:
    place = parse_place("postgresql://bench@db:1/x?passfile=/home/a/.pgpass")
    assert str(place) == "postgresql://bench@db:1/x"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("/run", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("db", False),
    ],
)
def test_what_is_this_computer(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_what_belongs_beside_a_database_is_kept_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = parse_place("postgresql://bench@db.contoso.com/../x")
    with Ledger(place) as ledger:
        assert ledger.path == tmp_path / "usbprov" / "postgresql-db.contoso.com--..-x"
    with Ledger(tmp_path / "ledger") as ledger:
        assert ledger.path == tmp_path / "ledger"
