"""``usbprov discover`` where nothing can be asked: exit codes, JSON, and what is not loaded."""

import json
import subprocess
import sys

import pytest

from usbprov.cli.main import run
from usbprov.errors import ExitCode

ALONE = ("--no-dhcp", "--no-dns", "--no-autodiscover")
GIVEN = ("--web-services-url", "https://127.0.0.1:9/")
URL = "https://127.0.0.1:9/CertProv/CertProvisioningService.svc"


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", *ALONE]) == ExitCode.UNREACHED
    told = capsys.readouterr()
    assert told.out.count("switched off") == 3
    assert "DIS-01" in told.err


def test_nothing_found_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", *ALONE, "--json"]) == ExitCode.UNREACHED
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "DIS-01"
    assert [s["outcome"] for s in document["sources"]] == ["skipped"] * 4


def test_what_is_given_is_found_and_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", *ALONE, *GIVEN, "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert (document["web_services_url"], document["source"]) == (URL, "given")
    assert (document["usable"], document["vouched"]) == (False, True)
    assert document["checks"][0]["error_code"] == "WEB-01"
    assert [f["kind"] for f in document["findings"]] == ["unreachable"]


def test_quietly_only_the_url_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "discover", *ALONE, *GIVEN]) == ExitCode.DONE
    assert capsys.readouterr().out == URL + "\n"
    assert run(["--quiet", "discover", *ALONE]) == ExitCode.UNREACHED


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-dhcp", "--user", "alice"),
        ("--no-dhcp", "--user", "sip:alice@"),
        ("--no-dhcp", "--domain", "a b"),
        ("--no-dhcp", "--domain", "-x.com"),
        ("--no-dhcp", "--web-services-url", "http://pool.contoso.com/"),
        ("--interface", "nosuch0"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", "--no-dns", "--no-autodiscover", *arguments]) == ExitCode.USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_dnspython_is_loaded_only_to_ask_dns() -> None:
    code = (
        "import sys; from usbprov.cli.main import run;"
        "run(['dhcp', 'decode', '0a020064']); sys.exit('dns' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
        == 0
    )
