"""``usbprov dhcp``: what is written for each server, and what is said of a pasted value."""

import json
import re

import pytest

from usbprov.cli.main import run
from usbprov.errors import ExitCode
from usbprov.webservices.discovery import option43, option120

NAMES = ("--web-services", "web.contoso.com", "--registrar", "pool.contoso.com")
OPTION43 = option43.encode(option43.uc_values("web.contoso.com"))
OPTION120 = option120.encode("pool.contoso.com")
SERVERS = ("hex", "dnsmasq", "kea", "isc", "windows", "cisco")


@pytest.fixture
def encoded(capsys: pytest.CaptureFixture[str]):
    def encode(*arguments: str) -> str:
        assert run(["dhcp", "encode", *NAMES, *arguments]) == ExitCode.DONE
        return capsys.readouterr().out

    return encode


def bytes_in(text: str) -> str:
    """Return all hex digits of a text, without what separates them."""
    return re.sub(r"[.:]", "", text).lower()


@pytest.mark.parametrize("server", ["hex", "dnsmasq", "cisco"])
def test_option_43_is_there_in_hex(encoded, server: str) -> None:
    assert OPTION43.hex() in bytes_in(encoded("--for", server))


@pytest.mark.parametrize("server", ["hex", "kea", "isc", "windows", "cisco"])
def test_option_120_is_there_in_hex(encoded, server: str) -> None:
    assert OPTION120.hex() in bytes_in(encoded("--for", server))


@pytest.mark.parametrize("server", SERVERS)
def test_the_voice_vlan_is_written_only_when_asked_for(encoded, server: str) -> None:
    assert "CPE-OCPHONE" not in encoded("--for", server)
    assert "CPE-OCPHONE" in encoded("--for", server, "--vlan", "100")


def test_windows_gets_what_the_servers_tool_writes(encoded) -> None:
    lines = encoded("--for", "windows", "--vlan", "100").splitlines()
    assert (
        lines[0] == 'netsh dhcp server add class MSUCClient "UC Vendor Class Id" "MS-UC-Client" 1'
    )
    set_lines = [line for line in lines if " set optionvalue " in line]
    assert [line.split()[5] for line in set_lines] == ["120", "1", "2", "3", "4", "5", "10"]
    assert set_lines[3].endswith("BINARY vendor=MSUCClient " + b"web.contoso.com".hex().upper())
    assert set_lines[6].endswith("WORD vendor=CPEOCPHONE 100")


def test_cisco_gets_groups_of_four(encoded) -> None:
    assert re.search(
        r"^ option 43 hex ([0-9a-f]{4}\.)+[0-9a-f]{2,4}$", encoded("--for", "cisco"), re.MULTILINE
    )


def test_kea_gets_json(encoded) -> None:
    fragment = json.loads(encoded("--for", "kea", "--port", "444"))
    assert set(fragment) == {"option-def", "client-classes", "option-data"}
    data = {d.get("name"): d.get("data") for d in fragment["client-classes"][0]["option-data"]}
    assert data["WebServerPort"] == "444"


@pytest.mark.parametrize(
    "names",
    [
        ("--web-services", "10.0.0.1", "--registrar", "pool.contoso.com"),
        ("--web-services", "web.contoso.com", "--registrar", "10.0.0.1"),
        ("--web-services", 'web"; }.contoso.com', "--registrar", "pool.contoso.com"),
        ("--web-services", "web.contoso.com\ndhcp-script=/bin/sh", "--registrar", "p.contoso.com"),
    ],
)
def test_names_that_cannot_be_encoded(
    capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    assert run(["dhcp", "encode", *names, "--for", "dnsmasq"]) == ExitCode.CHECK
    told = capsys.readouterr()
    assert told.out == ""
    assert "DIS-03" in told.err


def test_a_right_value_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dhcp", "decode", OPTION43.hex(":")]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "https://web.contoso.com:443/CertProv/CertProvisioningService.svc" in told
    assert "sub-option 5 (CertProvRelPath)" in told


def test_a_faulty_value_is_explained_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    faulty = OPTION43.replace(b"\x03\x0f", b"\x03\x10")
    assert run(["dhcp", "decode", faulty.hex(), "--json"]) == ExitCode.CHECK
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert [f["kind"] for f in document["findings"]] == ["wrong-length"]
    assert document["web_services_url"].startswith("https://web.contoso.com:443/")
    assert "".join(part["hex"] for part in document["bytes"]) == faulty.hex()
    assert "DIS-03" in told.err


@pytest.mark.parametrize(
    ("data", "option", "vendor_class"),
    [
        (OPTION43, 43, "MS-UC-Client"),
        (bytes((43, len(OPTION43))) + OPTION43, 43, "MS-UC-Client"),
        (OPTION120, 120, None),
        (bytes((120, len(OPTION120))) + OPTION120, 120, None),
        (OPTION120[1:], 120, None),
        (b"pool.contoso.com", 120, None),
        (b"\x01\x0a\x00\x00\x01", 120, None),
        (b"\x0a\x02\x00\x64", 43, "CPE-OCPHONE"),
        (OPTION43[14:], 43, "MS-UC-Client"),
    ],
)
def test_the_option_is_told_by_its_bytes(
    capsys: pytest.CaptureFixture[str], data: bytes, option: int, vendor_class: str | None
) -> None:
    run(["dhcp", "decode", data.hex(), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (document["option"], document["vendor_class"]) == (option, vendor_class)


def test_the_option_and_its_class_may_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dhcp", "decode", OPTION43.hex(), "--option", "43", "--json"]
    assert run([*arguments, "--vendor-class", "ms-uc-client"]) == ExitCode.CHECK
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [f["kind"] for f in findings] == ["vendor-class-case"]


@pytest.mark.parametrize("value", ["abc", "xyz", "0" * 4098, "é0"])
def test_what_is_not_hex(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert run(["dhcp", "decode", value]) == ExitCode.CHECK
    assert "DIS-03" in capsys.readouterr().err
