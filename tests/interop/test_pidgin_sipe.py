"""Debian's pidgin-sipe enrols at the lab's Web Services and signs in at its Registrar."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pidgin import VERIFIED, Account, Client, Program, build, client
from processes import Station, station, wait_for

from usbprov.lab.registrar.signins import SignIn, sign_ins

ALICE = Account("alice@contoso.test,CONTOSO\\alice", "Lab-Alice-1")

Run = Callable[..., Client]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(tmp_path_factory.mktemp("pidgin"))


@pytest.fixture
def options() -> Sequence[str]:
    """Return how the lab is started; a test may be parametrized with others."""
    return ()


@pytest.fixture
def at(tmp_path: Path, options: Sequence[str]) -> Iterator[Station]:
    with station(tmp_path, phones=0, options=options) as running:
        yield running


@pytest.fixture
def run(program: Program, at: Station, tmp_path: Path) -> Iterator[Run]:
    """Run clients at the lab; they end with the test."""
    numbers = itertools.count(1)

    def start(authentication: str, account: Account = ALICE, **changed: str) -> Client:
        at_lab = {"server": at.facts["registrar"], "ca_file": at.facts["ca_file"]} | changed
        home = tmp_path / f"client-{next(numbers)}"
        return clients.enter_context(client(program, home, account, authentication, **at_lab))

    with ExitStack() as clients:
        yield start


def calls(at: Station, *words: str) -> list[str]:
    """Return the lines of the lab's log that have all these words."""
    lines = (at.folder / "lab" / "calls.log").read_text().splitlines()
    return [line for line in lines if all(word in line for word in words)]


def seen(at: Station) -> list[SignIn]:
    return sign_ins(at.folder / "lab")


def faults(*names: str) -> pytest.MarkDecorator:
    """Let the lab of a test have faults."""
    options = [part for name in names for part in ("--fault", name)]
    return pytest.mark.parametrize("options", [options], ids=["-".join(names)])


def test_it_enrols_signs_in_with_its_certificate_and_signs_out(at: Station, run: Run) -> None:
    pidgin = run("tls-dsk")
    assert pidgin.outcome() == "connected", pidgin.log
    (published,) = at.published()
    (sign_in,) = seen(at)
    assert published["sip_uri"] == sign_in.sip_uri == "sip:alice@contoso.test"
    assert published["device_id"] == sign_in.device_id
    assert (sign_in.scheme, sign_in.protocol) == ("TLS-DSK", "TLS 1.0")
    assert sign_in.outcome == "signed in"
    assert VERIFIED in pidgin.log

    pidgin.sign_out()
    wait_for(lambda: seen(at)[0].outcome == "signed out", "the end of the sign-in")
    assert len(seen(at)) == 1


def test_its_next_certificate_takes_the_place_of_the_last_one(at: Station, run: Run) -> None:
    digests = []
    for _ in range(2):
        pidgin = run("tls-dsk")
        assert pidgin.outcome() == "connected", pidgin.log
        (published,) = at.published()
        digests.append(published["sha256"])
        pidgin.sign_out()
    assert digests[0] != digests[1]
    assert len({sign_in.device_id for sign_in in seen(at)}) == 1


def test_a_wrong_password_gets_no_certificate(at: Station, run: Run) -> None:
    pidgin = run("tls-dsk", Account(ALICE.name, "wrong"))
    assert pidgin.outcome().startswith("error ")
    assert at.published() == []
    assert seen(at) == []


@faults("home-pool-moved")
def test_it_follows_its_user_to_another_pool(at: Station, run: Run) -> None:
    pidgin = run("tls-dsk")
    assert pidgin.outcome() == "connected", pidgin.log
    first, second = seen(at)
    assert first.registrar == at.facts["registrar"]
    assert first.outcome == f"sent to {second.registrar}"
    assert (second.scheme, second.outcome) == ("TLS-DSK", "signed in")


@faults("registrar-wrong-key")
def test_it_notices_a_signature_by_another_key(at: Station, run: Run) -> None:
    """That it connects otherwise means that the lab's signatures are right."""
    pidgin = run("tls-dsk")
    assert "Invalid message signature" in pidgin.outcome()
    assert VERIFIED not in pidgin.log


@pytest.mark.parametrize(
    ("options", "told", "outcome"),
    [
        (["--fault", "certificate-not-found"], "Failed to authenticate", "refused 401"),
        (["--fault", "user-disabled"], "You have been rejected", "refused 403"),
        (["--fault", "user-unknown"], "User does not exist", "refused 404"),
    ],
)
def test_refusals_reach_its_user(at: Station, run: Run, told: str, outcome: str) -> None:
    pidgin = run("tls-dsk")
    assert told in pidgin.outcome(), pidgin.log
    assert [sign_in.outcome[: len(outcome)] for sign_in in seen(at)] == [outcome]


@faults("dsk-off")
def test_without_the_scheme_it_does_not_even_enrol(at: Station, run: Run) -> None:
    assert "Incompatible authentication scheme" in run("tls-dsk").outcome()
    assert at.published() == []


def test_a_stranger_is_asked_about_and_told_nothing(at: Station, run: Run) -> None:
    """The client trusts the lab for its CA alone: without it, TLS is as far as it gets."""
    stranger = str(at.folder / "lab" / "authority" / "web-services-ca.pem")
    for server in (at.facts["registrar"], urlsplit(at.facts["web_services_url"]).netloc):
        pidgin = run("tls-dsk", server=server, ca_file=stranger)
        assert pidgin.outcome().startswith("question Accept certificate")
    assert calls(at) == []


def test_it_signs_in_by_ntlm(at: Station, run: Run) -> None:
    pidgin = run("ntlm")
    assert pidgin.outcome() == "connected", pidgin.log
    (sign_in,) = seen(at)
    assert (sign_in.sip_uri, sign_in.scheme) == ("sip:alice@contoso.test", "NTLM")
    assert VERIFIED in pidgin.log
    assert at.published() == []

    pidgin.sign_out()
    wait_for(lambda: seen(at)[0].outcome == "signed out", "the end of the sign-in")
