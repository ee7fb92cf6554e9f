"""LyncDiscover at the lab, at the names and ports where clients look for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from doubles.services import ROOT
from networks import HOST, Site, need, site_network

ONLY = ("--no-dhcp", "--no-dns")
NAMES = ("lyncdiscoverinternal.contoso.test", "lyncdiscover.fabrikam.test")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need("ip", "unshare")
    with site_network(tmp_path_factory.mktemp("network"), NAMES) as made:
        yield made


def test_the_user_step_leads_to_the_web_services(site: Site) -> None:
    found = site.discover(*ONLY, "--user", "sip:alice@contoso.test")
    assert found["web_services_url"].startswith(f"https://{HOST}")
    assert (found["source"], found["usable"], found["vouched"]) == ("autodiscover", True, True)
    assert found["findings"] == []


def test_plain_http_of_a_foreign_domain_leads_nowhere(site: Site) -> None:
    found = site.discover(*ONLY, "--user", "sip:alice@fabrikam.test")
    assert (found["exit_code"], found["error"]["code"]) == (5, "DIS-01")
    assert [f["kind"] for f in found["findings"]] == ["unvouched-redirect"]
    said = found["sources"][3]["said"]
    assert any("certificate" in line and "another name" in line for line in said)


def test_a_server_that_is_not_trusted_is_not_believed(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(ROOT.public_bytes(Encoding.PEM))
    found = Site(site.net, str(other)).discover(*ONLY, "--domain", "contoso.test")
    assert found["sources"][3]["said"][0].count("does not lead to a trusted root") == 1
    assert not found["vouched"]
    assert not found["usable"]
