"""``bench run --discover``: the servers are found by the SIP domain of the roster's users."""

from pathlib import Path
from typing import Any

import pytest

from usbprov.cli.main import run
from usbprov.errors import ExitCode
from usbprov.webservices.discovery.report import Discovery, Outcome, Source, SourceReport

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The orders of benches that were begun; they end at once."""
    orders: list[Any] = []
    monkeypatch.setattr(
        "usbprov.cli.benches.run_bench", lambda _place, setup, *_: orders.append(setup.order)
    )
    return orders


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for; it is found, and somebody vouches for it."""
    requests: list[Any] = []

    def discover(request: Any) -> Discovery:
        requests.append(request)
        report = SourceReport(
            Source.AUTODISCOVER,
            Outcome.ANSWERED,
            url=URL,
            vouched=request.sip_domain != "dhcp.test",
            registrar="fe01.contoso.test",
        )
        return Discovery(request, (report,), {}, report, "LyncDiscover names it")

    monkeypatch.setattr("usbprov.webservices.discovery.finder.discover", discover)
    return requests


def bench(folder: Path, *arguments: str, domains: tuple[str, ...] = ("contoso.test",)) -> int:
    lines = [f"{1000 + n},sip:u{n}@{domain},7205{n:02}" for n, domain in enumerate(domains)]
    roster = folder / "users.csv"
    roster.write_text("\n".join(["extension,sip address,pin", *lines]) + "\n")
    ledger = str(folder / "ledger.sqlite3")
    before = ["--bus", "usbip://127.0.0.1:1", "--ledger", ledger]
    return run([*before, "bench", "run", str(roster), "--once", *arguments])


def test_they_are_found_and_told(
    tmp_path: Path, begun: list[Any], asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(tmp_path, "--discover", domains=("contoso.test", "CONTOSO.test")) == 0
    (order,) = begun
    assert (order.web_services_url, order.registrar) == (URL, "fe01.contoso.test")
    assert [(r.sip_domain, r.first_only) for r in asked] == [("contoso.test", True)]
    assert f"Web Services: {URL} (LyncDiscover names it)\n" in capsys.readouterr().err


def test_what_was_given_goes_first(tmp_path: Path, begun: list[Any], asked: list[Any]) -> None:
    assert bench(tmp_path, "--discover", "--web-services-url", URL) == 0
    assert asked == []
    assert bench(tmp_path, "--discover", "--registrar", "sip.contoso.test") == 0
    assert begun[-1].registrar == "sip.contoso.test"


@pytest.mark.parametrize(
    ("domains", "says"),
    [
        (("contoso.test", "fabrikam.test"), "contoso.test, fabrikam.test"),
        (("dhcp.test",), "--web-services-url"),
    ],
)
def test_no_pin_goes_where_it_may_be_wrong(
    tmp_path: Path,
    begun: list[Any],
    asked: list[Any],
    capsys: pytest.CaptureFixture[str],
    domains: tuple[str, ...],
    says: str,
) -> None:
    assert bench(tmp_path, "--discover", domains=domains) == ExitCode.USAGE
    assert says in capsys.readouterr().err
    assert begun == []


def test_without_it_the_url_is_missing(tmp_path: Path, begun: list[Any], asked: list[Any]) -> None:
    assert bench(tmp_path) == ExitCode.USAGE
    assert (begun, asked) == ([], [])
