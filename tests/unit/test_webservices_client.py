"""What the client costs to import, and what it refuses before anything is sent."""

import subprocess
import sys
from pathlib import Path

import pytest

from usbprov.errors import ConfigInvalid, UsageError
from usbprov.webservices.client import WebServices

HEAVY = ("zeep", "lxml", "requests", "urllib3", "cryptography", "ssl")


def test_importing_and_making_a_client_loads_nothing_heavy() -> None:
    code = (
        "import sys; from usbprov.webservices.client import WebServices;"
        "from usbprov.net.credentials import PinCredential;"
        "WebServices('https://pool.test').close();"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plain_http_is_refused() -> None:
    with pytest.raises(UsageError, match="must look like https://"):
        WebServices("http://pool.test")


def test_missing_ca_file_is_named(tmp_path: Path) -> None:
    ca_file = tmp_path / "none.pem"
    with WebServices("https://pool.test", ca_file=ca_file) as services:
        with pytest.raises(ConfigInvalid, match=r"none\.pem: No such file") as caught:
            services.offer()
        assert caught.value.source == str(ca_file)


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA\n"])
def test_ca_file_without_certificates_is_named(tmp_path: Path, content: str) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(content)
    with (
        WebServices("https://pool.test", ca_file=ca_file) as services,
        pytest.raises(ConfigInvalid, match="no CA certificate in PEM form"),
    ):
        services.offer()


def test_closing_twice_is_no_error() -> None:
    services = WebServices("https://pool.test")
    services.close()
    services.close()
