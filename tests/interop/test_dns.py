"""SRV records and fallbacks, asked of a real dnsmasq on loopback."""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from networks import daemon, need_program

from usbprov.errors import AnswerInvalid, ServerUnreachable
from usbprov.webservices.discovery.findings import FindingKind
from usbprov.webservices.discovery.records import Names, SrvRecord
from usbprov.webservices.discovery.report import DiscoveryRequest, Outcome, SourceReport
from usbprov.webservices.discovery.sources import ask_dns

_NUMBERS = itertools.count(2)
PORT = 5399
CERTPROV = "/CertProv/CertProvisioningService.svc"
POOL = "address=/pool.contoso.test/192.0.2.7"


@pytest.fixture(autouse=True)
def _dnsmasq_is_there() -> None:
    need_program("dnsmasq")


@contextmanager
def dns(folder: Path, *lines: str) -> Iterator[str]:
    """Run a DNS server that knows contoso.test; yield where it is."""
    pid = os.getpid()
    address = f"127.{pid >> 8 & 255}.{pid & 255}.{next(_NUMBERS)}"
    file = folder / "dnsmasq.conf"
    fixed = (
        f"port={PORT}",
        f"listen-address={address}",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
    )
    own = ("local=/contoso.test/", "log-facility=-", "pid-file=", "user=")
    file.write_text("\n".join([*fixed, *own, *lines, ""]))
    command = ["dnsmasq", "--keep-in-foreground", f"--conf-file={file}"]
    with daemon(command, "started, version"):
        yield f"{address}:{PORT}"


def ask(server: str) -> SourceReport:
    return ask_dns(DiscoveryRequest(user="sip:alice@contoso.test", dns_server=server))


def test_the_record_inside_comes_first(tmp_path: Path) -> None:
    lines = (
        POOL,
        "srv-host=_sip._tls.contoso.test,edge.contoso.test,443",
        "srv-host=_sipinternaltls._tcp.contoso.test,pool.contoso.test,5061",
    )
    with dns(tmp_path, *lines) as server:
        report = ask(server)
    assert report.outcome is Outcome.ANSWERED
    assert (report.registrar, report.guessed) == ("pool.contoso.test:5061", True)
    assert report.url == "https://pool.contoso.test" + CERTPROV
    assert report.said == ("_sipinternaltls._tcp.contoso.test: pool.contoso.test:5061",)
    assert report.findings == ()


def test_records_are_in_the_order_of_rfc_2782(tmp_path: Path) -> None:
    lines = [f"srv-host=_x._tcp.contoso.test,{n}.contoso.test,5061,{p},{w}" for n, p, w in (
        ("late", 20, 0), ("light", 10, 1), ("heavy", 10, 9))]  # fmt: skip
    with dns(tmp_path, *lines) as server:
        records = Names(server).srv("_x._tcp.contoso.test")
    assert [r.target.partition(".")[0] for r in records] == ["heavy", "light", "late"]
    assert records[0] == SrvRecord(10, 9, 5061, "heavy.contoso.test")


def test_outside_there_is_no_guess_of_the_web_services(tmp_path: Path) -> None:
    line = "srv-host=_sip._tls.contoso.test,pool.contoso.test,443"
    with dns(tmp_path, POOL, line) as server:
        report = ask(server)
    assert (report.registrar, report.url) == ("pool.contoso.test:443", None)


@pytest.mark.parametrize(
    ("name", "registrar", "inside"),
    [
        ("sipinternal", "sipinternal.contoso.test:5061", True),
        ("sipexternal", "sipexternal.contoso.test:443", False),
        ("sip", "sip.contoso.test:5061", False),
    ],
)
def test_host_names_where_there_are_no_records(
    tmp_path: Path, name: str, registrar: str, inside: bool
) -> None:
    with dns(tmp_path, f"address=/{name}.contoso.test/192.0.2.7") as server:
        report = ask(server)
    assert report.registrar == registrar
    assert (report.url is not None) is inside
    assert sum("no record" in line for line in report.said) == 4


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["pool.contoso.test,5061"], FindingKind.NOT_RESOLVABLE),
        (["pool.fabrikam.test,5061"], FindingKind.OTHER_DOMAIN),
        ([".,0"], FindingKind.SERVICE_DENIED),
    ],
)
def test_odd_records(tmp_path: Path, lines: list[str], kind: FindingKind) -> None:
    records = [f"srv-host=_sipinternaltls._tcp.contoso.test,{line}" for line in lines]
    with dns(tmp_path, *records) as server:
        report = ask(server)
    assert kind in {finding.kind for finding in report.findings}


def test_nothing_is_known(tmp_path: Path) -> None:
    with dns(tmp_path) as server:
        report = ask(server)
    assert (report.outcome, report.registrar, len(report.said)) == (Outcome.SILENT, None, 7)


def test_a_server_that_refuses(tmp_path: Path) -> None:
    with dns(tmp_path) as server:
        with pytest.raises(AnswerInvalid, match="REFUSED"):
            Names(server).srv("_sip._tls.fabrikam.test")
        report = ask_dns(DiscoveryRequest(domain="fabrikam.test", dns_server=server))
    assert report.outcome is Outcome.FAILED
    assert report.error is not None


def test_nobody_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        names = Names(f"127.0.0.1:{silent.getsockname()[1]}", lifetime=0.3)
        with pytest.raises(ServerUnreachable, match="no answer within"):
            names.srv("_sip._tls.contoso.test")
