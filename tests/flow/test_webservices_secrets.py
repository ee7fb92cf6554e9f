"""PIN, ticket and keys leave no trace: not in logs of any level or library, not on exceptions."""

import logging
import traceback
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_webservices_canned import (
    ASSERTION,
    CREDENTIAL,
    ENDPOINT,
    PIN_PATH,
    PUBLISH_PATH,
    Pool,
    Reply,
    canned,
    fault,
    phone_request,
    raw,
)

from usbprov.errors import UsbprovError
from usbprov.webservices.ticket import Ticket


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(folder=tmp_path) as running:
        yield running


def canaries(ticket: Ticket | None = None) -> list[str]:
    found = [CREDENTIAL.pin, b64encode(CREDENTIAL.pin.encode()).decode(), "saml:Assertion"]
    found.append(b64encode(ASSERTION).decode()[:40])
    if ticket is not None:
        found += [ticket.key.hex(), b64encode(ticket.key).decode(), repr(ticket.key)[2:12]]
    return found


def test_logs_of_every_library_hold_no_secret(
    pool: Pool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in ("zeep", "zeep.transports", "urllib3", "requests", "usbprov"):
            caplog.set_level(logging.DEBUG, name)
        with pool.client() as services:
            ticket = services.ticket(CREDENTIAL, ENDPOINT, None)
            services.publish(ticket, phone_request(), ENDPOINT)
    lines = [record.getMessage() for record in caplog.records]
    assert any("/pin: 200" in line for line in lines)
    told = "\n".join(lines) + "".join(capfd.readouterr())
    assert [canary for canary in canaries(ticket) if canary in told] == []


@pytest.mark.parametrize("path", [PIN_PATH, PUBLISH_PATH])
@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        canned(500, fault(28020, f"PIN {CREDENTIAL.pin} is wrong")),
        canned(503, CREDENTIAL.pin.encode()),
        canned(200, b"<a>" + CREDENTIAL.pin.encode()),
        canned(302, b"", Location="/x"),
    ],
    ids=["broken", "fault", "error", "malformed", "redirect"],
)
def test_failures_carry_no_request_and_no_secret(pool: Pool, path: str, answer: Reply) -> None:
    pool.answers[path] = answer
    with pool.client() as services, pytest.raises(UsbprovError) as caught:
        services.publish(services.ticket(CREDENTIAL, ENDPOINT, None), phone_request(), ENDPOINT)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.facts())
    assert [canary for canary in canaries() if canary in told] == []


def test_clients_objects_show_no_secret(pool: Pool) -> None:
    with pool.client() as services:
        ticket = services.ticket(CREDENTIAL, ENDPOINT, None)
        shown = repr(ticket) + str(ticket) + repr(CREDENTIAL) + repr(services.offer())
    assert [canary for canary in canaries(ticket) if canary in shown] == []
