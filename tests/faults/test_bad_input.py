"""Bad input, each a clear error with its exit code, and nothing changed."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Ended, Station, station

from usbprov.pki.certificates import to_pem
from usbprov.pki.keys import generate_rsa


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One lab with two phones; every test leaves it as it found it, and says so."""
    with station(tmp_path_factory.mktemp("lab"), phones=2) as running:
        yield running


def untouched(lab: Station) -> bool:
    slots = [lab.run("info", path, "--json").document["slots"] for path in ("1-1", "1-2")]
    empty = all(not slot["active_key"] and not slot["pending_key"] for s in slots for slot in s)
    return empty and lab.published() == []


def refused(lab: Station, ended: Ended, exit_code: int, code: str) -> str:
    document = ended.document
    assert ended.code == exit_code, ended.err
    assert document["outcome"] == "failed"
    assert document["error"]["code"] == code
    assert document["error"]["exit_code"] == exit_code
    assert f"error {code}: {document['error']['message']}" in ended.err
    assert "what to do:" in ended.err
    assert untouched(lab)
    return ended.err


def pin_failures(lab: Station) -> dict[str, int]:
    (store,) = (lab.folder / "lab" / "stores").glob("*.sqlite")
    connection = sqlite3.connect(store)
    rows = dict(connection.execute("SELECT sip_uri, failures FROM pin_failure"))
    connection.close()
    return rows


def test_no_phone(lab: Station) -> None:
    ended = lab.run(*lab.provision_arguments("--json"), bus="kernel", typed="1\n")
    assert "kernel" in refused(lab, ended, 3, "USB-01")


def test_two_phones_and_no_selector(lab: Station) -> None:
    words = refused(lab, lab.provision("--json"), 3, "USB-03")
    assert "1-1" in words
    assert "serial:EMU0002" in words


@pytest.mark.parametrize("selector", ["1-7", "serial:EMU0009", "mac:ffffffffffff"])
def test_no_such_phone(lab: Station, selector: str) -> None:
    refused(lab, lab.provision(selector, "--json"), 3, "USB-02")


def test_no_exporter(lab: Station) -> None:
    ended = lab.run(*lab.provision_arguments("--json"), bus="usbip://127.0.0.1:1", typed="1\n")
    refused(lab, ended, 3, "USB-04")


def test_a_wrong_pin_is_tried_once(lab: Station) -> None:
    before = pin_failures(lab).get("sip:carol@contoso.test", 0)
    ended = lab.provision("1-1", "--json", name="carol", pin="999999")
    words = refused(lab, ended, 7, "WEB-05")
    assert pin_failures(lab)["sip:carol@contoso.test"] == before + 1
    assert "999999" not in words + ended.out
    assert ended.document["steps"][-1] == {
        "name": "ticket",
        "state": "failed",
        "ms": ended.document["steps"][-1]["ms"],
    }


def test_an_unknown_extension(lab: Station) -> None:
    ended = lab.provision("1-1", "--json", "--extension", "7777")
    refused(lab, ended, 7, "WEB-05")


def test_the_extension_of_another_user(lab: Station) -> None:
    ended = lab.provision("1-1", "--user", "sip:bob@contoso.test", "--json")
    words = refused(lab, ended, 7, "WEB-06")
    assert "sip:alice@contoso.test" in words


def test_an_unknown_ca(lab: Station, tmp_path: Path) -> None:
    from doubles.services import certify

    key = generate_rsa()
    other = tmp_path / "other.pem"
    other.write_bytes(to_pem([certify("Other Root", key, "Other Root", key.public_key())]))
    ended = lab.provision("1-1", "--json", "--ca-file", str(other))
    refused(lab, ended, 6, "TLS-01")


def test_a_ca_file_that_is_none(lab: Station, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    ended = lab.provision("1-1", "--json", "--ca-file", str(junk))
    assert ended.code in {2, 6, 8}
    assert ended.document["outcome"] == "failed"
    assert untouched(lab)


def test_the_server_is_down(lab: Station) -> None:
    url = "https://localhost:1/CertProv/CertProvisioningService.svc"
    refused(lab, lab.provision("1-1", "--json", "--web-services-url", url), 5, "WEB-01")


def test_plain_http_is_refused(lab: Station) -> None:
    url = lab.facts["web_services_url"].replace("https:", "http:")
    ended = lab.provision("1-1", "--json", "--web-services-url", url)
    assert ended.code == 2
    assert untouched(lab)


def test_another_service_at_the_url(lab: Station) -> None:
    url = lab.facts["web_services_url"].replace("CertProvisioningService", "Other")
    ended = lab.provision("1-1", "--json", "--web-services-url", url)
    refused(lab, ended, 4, "WEB-08")


@pytest.mark.parametrize(
    ("fault", "exit_code", "code"),
    [
        ("html-500", 5, "WEB-03"),
        ("wrong-key", 8, "CHK-01"),
        ("expired-server-cert", 6, "TLS-03"),
        ("store-unreachable", 5, "WEB-09"),
    ],
)
def test_a_server_that_does_wrong(tmp_path: Path, fault: str, exit_code: int, code: str) -> None:
    """A few of them, as processes; ``test_server_faults.py`` has all."""
    with station(tmp_path, options=["--fault", fault]) as running:
        ended = running.provision("--json", "--retry-seconds", "0.5")
        assert ended.code == exit_code, ended.err
        assert ended.document["error"]["code"] == code
        (slot, *_) = running.run("info", "--json").document["slots"]
        assert slot["active_certificate"] is None
        assert len(json.loads(ended.out)["steps"]) >= 3


def test_a_locked_pin(tmp_path: Path) -> None:
    with station(tmp_path) as running:
        for _ in range(5):
            assert running.provision(pin="111111").code == 7
        assert running.provision().code == 7
        assert pin_failures(running) == {"sip:alice@contoso.test": 5}
