"""Debian's pidgin-sipe enrols at the lab's Web Services and signs in at its Registrar."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pidgin import Account, Client, Program, build, client
from processes import Station, station

ALICE = Account("alice@contoso.test,CONTOSO\\alice", "Lab-Alice-1")

SignIn = Callable[..., Client]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(tmp_path_factory.mktemp("pidgin"))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path, phones=0) as running:
        yield running


@pytest.fixture
def sign_in(program: Program, at: Station, tmp_path: Path) -> Iterator[SignIn]:
    """Run a client at the lab; all of them end with the test."""
    numbers = itertools.count(1)

    def run(authentication: str, account: Account = ALICE, **changed: str) -> Client:
        at_lab = {"server": at.facts["registrar"], "ca_file": at.facts["ca_file"]} | changed
        home = tmp_path / f"client-{next(numbers)}"
        return clients.enter_context(client(program, home, account, authentication, **at_lab))

    with ExitStack() as clients:
        yield run


def calls(at: Station, *words: str) -> list[str]:
    """Return the lines of the lab's log that have all these words."""
    lines = (at.folder / "lab" / "calls.log").read_text().splitlines()
    return [line for line in lines if all(word in line for word in words)]


def test_a_stranger_is_asked_about_and_told_nothing(at: Station, sign_in: SignIn) -> None:
    """The client trusts the lab for its CA alone: without it, TLS is as far as it gets."""
    server = urlsplit(at.facts["web_services_url"]).netloc
    stranger = str(at.folder / "lab" / "authority" / "web-services-ca.pem")
    asking = sign_in("tls-dsk", server=server, ca_file=stranger)
    assert asking.outcome().startswith("question ")
    assert calls(at) == []
