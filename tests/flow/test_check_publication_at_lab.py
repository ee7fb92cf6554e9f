"""``check publication`` against the lab: each way in which a phone's certificate is none any more.

Every test provisions a phone of its own, then does to the certificate what it is named after.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from check_desk import CheckDesk, Told, check_desk

from usbprov.net.credentials import PinCredential
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.contract import Credential, Phone, PhoneSettings
from usbprov.phone.endpoint import Endpoint, endpoint_of
from usbprov.phone.selection import select
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import build_request
from usbprov.usb.buses import open_bus
from usbprov.webservices.client import WebServices

_PORTS = count(1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("checks"), phones=10) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


@pytest.fixture
def port() -> str:
    """Where a phone is attached that no test has touched."""
    return f"1-{next(_PORTS)}"


def look(desk: CheckDesk, port: str) -> Told:
    return desk.check("publication", port, "--ca-file", str(desk.lab.facts.ca_file))


@contextmanager
def opened(desk: CheckDesk, port: str) -> Iterator[Phone]:
    bus = desk.lab.facts.bus
    assert bus is not None
    with closing(select(candidates([open_bus(bus)], Reach()), port, []).open()) as phone:
        yield phone


def publish(desk: CheckDesk, name: str, endpoint: Endpoint, request: bytes | None = None) -> bytes:
    """Have another certificate published, as another device or computer would."""
    user, facts = desk.user(name), desk.lab.facts
    if request is None:
        request = build_request(generate_rsa(), user.sip_uri)
    with WebServices(facts.web_services_url, ca_file=facts.ca_file) as services:
        ticket = services.ticket(PinCredential(user.extension, user.pin), endpoint, user.sip_uri)
        return services.publish(ticket, request, endpoint)


def test_the_published_one_signs_in_by_the_phones_key(desk: CheckDesk, port: str) -> None:
    desk.provision(port)
    told = look(desk, port)
    assert told.code == 0, told.summary
    assert told.of("good") == list(told.steps)
    assert told.document["user"] == desk.user().sip_uri
    assert told.document["certificate"]["sha256"] in told.steps["certificate"]["detail"][0]


def test_another_phone_of_the_same_user_replaces_nothing(desk: CheckDesk, port: str) -> None:
    desk.provision(port)
    desk.provision(f"1-{next(_PORTS)}")
    assert look(desk, port).code == 0


def test_a_revoked_one(desk: CheckDesk, port: str) -> None:
    desk.provision(port, name="bob")
    bob = desk.user("bob").sip_uri
    assert desk.run("lab", "revoke", bob, "--dir", str(desk.folder / "lab"))[0] == 0
    told = look(desk, port)
    assert (told.code, told.error) == (7, "SIP-05"), told.summary
    assert told.of("bad") == ["sign-in"]
    assert "revoked" in told.steps["sign-in"]["cause"]
    assert "usbprov recover" in told.steps["sign-in"]["remedy"]


def test_one_that_another_device_has_replaced(desk: CheckDesk, port: str) -> None:
    desk.provision(port)
    with opened(desk, port) as phone:
        endpoint = endpoint_of(phone.info().mac)
    publish(desk, "alice", endpoint)
    told = look(desk, port)
    assert (told.code, told.error) == (7, "SIP-05"), told.summary
    assert "replaced" in told.steps["sign-in"]["cause"]


def test_a_user_who_was_moved_and_whose_certificate_was_not(desk: CheckDesk, port: str) -> None:
    desk.provision(port, name="carol")
    carol, folder = desk.user("carol").sip_uri, str(desk.folder / "lab")
    moved = desk.run(
        *("lab", "move", carol, "pool02.contoso.test", "--leave-certificates", "--dir", folder)
    )
    assert moved[0] == 0, moved[2]
    told = look(desk, port)
    assert (told.code, told.error) == (7, "SIP-05"), told.summary
    assert "moved" in told.steps["sign-in"]["cause"]


def test_a_user_who_was_moved_with_the_certificate(desk: CheckDesk, port: str) -> None:
    desk.provision(port)
    desk.fault("home-pool-moved")
    told = look(desk, port)
    assert told.code == 0, told.summary
    assert told.of("note") == ["sign-in"]
    assert "moved" in told.steps["sign-in"]["cause"]


def test_an_expired_one(desk: CheckDesk, port: str) -> None:
    """The lab issues one that has expired, the phone takes it by a clock that is behind."""
    user, facts = desk.user(), desk.lab.facts
    with opened(desk, port) as phone:
        phone.generate_key(0, 2048, bytes(16), replace=False, progress=lambda _: None)
        endpoint = endpoint_of(phone.info().mac)
        desk.fault("expired-cert")
        issued = publish(desk, "alice", endpoint, phone.request(0, "alice@contoso.test"))
        phone.set_clock(_within(issued))
        settings = PhoneSettings(user.sip_uri, facts.web_services_url, facts.registrar)
        phone.install(0, Credential(issued), settings, lambda _: None)
        phone.set_clock(datetime.now(UTC))
    told = look(desk, port)
    assert (told.code, told.error) == (8, "CHK-06"), told.summary
    assert "expired on" in told.steps["validity"]["seen"]
    assert told.steps["renewal"]["verdict"] == "note"
    assert told.steps["sign-in"]["verdict"] == "unknown"


def _within(issued: bytes) -> datetime:
    from usbprov.pki.certificates import load_certificate

    return load_certificate(issued).not_valid_after_utc - timedelta(seconds=1)


def test_a_registrar_that_is_down_says_nothing_of_the_certificate(
    desk: CheckDesk, port: str
) -> None:
    desk.provision(port)
    desk.fault("registrar-down")
    told = look(desk, port)
    assert (told.code, told.error) == (5, "SIP-01"), told.summary
    assert told.steps["validity"]["verdict"] == "good"


def test_without_the_phone_only_dates_are_told(desk: CheckDesk, port: str) -> None:
    desk.provision(port)
    told = desk.check("publication", "--user", desk.user().sip_uri)
    assert told.code == 0, told.summary
    assert told.of("unknown") == ["sign-in"]
    assert "the key is in the phone" in told.steps["sign-in"]["seen"]


def test_a_phone_and_a_user_do_not_go_together(desk: CheckDesk) -> None:
    code, _, _ = desk.run("check", "publication", "1-1", "--user", "alice@contoso.test")
    assert code == 2
