"""docs/registrar.md says of each error, number, suite and bound what is true."""

import re
from pathlib import Path

import pytest
from doubles.dsk_server import HeldKey

from usbprov import errors
from usbprov.errors import RegistrarError, UsbprovError
from usbprov.net.deadline import DEFAULT_LIMITS
from usbprov.registrar import connection, dialogue
from usbprov.registrar.client import DEFAULT_PORT
from usbprov.registrar.inner_tls import VERSIONS, InnerTls
from usbprov.registrar.message import BODY_BYTES, HEADER_BYTES, Headers, Response
from usbprov.registrar.redirects import MOST_REDIRECTS, STATUSES
from usbprov.registrar.refusals import TABLE, Case, refusal

PAGE = (Path(__file__).parents[2] / "docs" / "registrar.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.*) \| (SIP-\d\d) (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
RENEGOTIATION_INFO = 0x00FF
SUITES = {
    0xC014: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    0xC013: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    0x0035: "TLS_RSA_WITH_AES_256_CBC_SHA",
    0x002F: "TLS_RSA_WITH_AES_128_CBC_SHA",
}
NUMBERS = [(int(n), name) for says, _, name, _ in ROWS for n in re.findall(r"\b[14]\d{3}\b", says)]


def test_every_error_of_a_registrar_is_in_the_table() -> None:
    assert {name for _, _, name, _ in ROWS} == {e.__name__ for e in RegistrarError.__subclasses__()}


@pytest.mark.parametrize(("code", "name", "manner"), [row[1:] for row in ROWS])
def test_code_and_manner_are_those_of_the_class(code: str, name: str, manner: str) -> None:
    error: type[UsbprovError] = getattr(errors, name)
    assert error.code == code
    assert manner == ("passing" if error.retryable else "final")


def refused(status: int, scheme: str, *values: str) -> str:
    headers = Headers(tuple(("ms-diagnostics", value) for value in values))
    case = Case(Response(status, "No", headers), "fe", "sip:a@b", scheme)
    return type(refusal(case)).__name__


@pytest.mark.parametrize(("number", "name"), NUMBERS)
def test_each_number_means_what_the_page_says(number: int, name: str) -> None:
    scheme = "NTLM" if name == "AccountNotAccepted" else "TLS-DSK"
    assert refused(418, scheme, str(number)) == name


def test_every_number_of_the_table_is_on_the_page() -> None:
    assert {n for n, _ in NUMBERS} == {n for row in TABLE for n in row.numbers}


@pytest.mark.parametrize(("says", "name"), [(says, name) for says, _, name, _ in ROWS])
def test_each_status_means_what_the_page_says(says: str, name: str) -> None:
    scheme = "NTLM" if name == "AccountNotAccepted" else "TLS-DSK"
    statuses = {int(n) for n in re.findall(r"\b[3-6]\d\d\b", says)} - {*STATUSES, 300}
    assert {refused(status, scheme) for status in statuses} <= {name}


def test_the_redirects_are_those_that_are_followed() -> None:
    assert ", ".join(map(str, sorted(STATUSES))) in PAGE
    assert f"at most {MOST_REDIRECTS} times" in PAGE


def test_every_check_that_can_fail_is_on_the_page() -> None:
    folder = Path(connection.__file__).parent
    code = "".join(file.read_text("utf-8") for file in folder.glob("*.py"))
    checks = set(re.findall(r'check="(\w+)"', code))
    assert checks == {"unsigned", "signature", "finished", "certificate"}
    assert all(f"(`{check}`)" in PAGE for check in checks)


def test_what_is_offered_is_on_the_page() -> None:
    hello = InnerTls(HeldKey().credential(), "fe").begin()
    at = 5 + 4 + 2 + 32 + 1
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    offered = {int.from_bytes(hello[i : i + 2]) for i in range(at + 2, end, 2)}
    assert offered - {RENEGOTIATION_INFO} == set(SUITES)
    assert set(re.findall(r"`(TLS_\w+)`", PAGE)) == set(SUITES.values())
    assert f"| versions | {', '.join(VERSIONS.values())} |" in PAGE


def test_the_bounds_are_the_true_ones() -> None:
    limits = DEFAULT_LIMITS
    assert f"{limits.connect:g} seconds for a connection, {limits.answer:g} for each" in PAGE
    assert (HEADER_BYTES, BODY_BYTES) == (64 * 1024, 1024 * 1024)
    assert f"{connection._MOST_OTHERS} messages at most" in PAGE
    assert f"{dialogue._MOST_FLIGHTS} steps" in PAGE
    assert f"TCP {DEFAULT_PORT} |" in PAGE
