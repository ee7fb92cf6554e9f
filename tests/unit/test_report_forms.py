"""CSV, workbook and page say the same as the JSON document, and are safe to open."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from lxml import etree, html
from shifts import EXPIRES, REFUSED, Shift, usual

from usbprov.bench.report.delimited import as_csv, cell
from usbprov.bench.report.document import as_json
from usbprov.bench.report.facts import Report
from usbprov.bench.report.page import as_page
from usbprov.bench.report.summing import make_report
from usbprov.bench.report.words import duration, part
from usbprov.bench.report.workbook import as_workbook
from usbprov.ledger.history import Stretch, read_history
from usbprov.ledger.ledger import Ledger

HOSTILE = '=HYPERLINK("http://evil.test")<script>alert(1)</script>\x1b[2J\u202e'


def report_of(shift: Shift) -> Report:
    history = read_history(shift.ledger.database, Stretch())
    return make_report(history, Stretch(), "all", shift.now)


@pytest.fixture
def shift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shift]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Shift(ledger, monkeypatch)


@pytest.fixture
def report(shift: Shift) -> Report:
    usual(shift)
    return report_of(shift)


@pytest.fixture
def hostile(shift: Shift) -> Report:
    shift.goes_well(1, user=HOSTILE, extension="+1001", phone_model=HOSTILE, bench="@north")
    return report_of(shift)


def phones(report: Report) -> list[Any]:
    made: list[Any] = json.loads(as_json(report))["phones"]
    return made


def lines(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(report).decode(), newline="")))


def sheet(report: Report, name: str) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(as_workbook(report)))
    return list(book[name].iter_rows())


def page(report: Report) -> Any:
    return html.fromstring(as_page(report).decode())


def test_csv_agrees_with_json(report: Report) -> None:
    for line, phone in zip(lines(report), phones(report), strict=True):
        for name in ("user", "extension", "serial", "mac", "standing", "begun"):
            assert line[name] == phone[name]
        assert line["ended"] == (phone["ended"] or "")
        assert int(line["work_ms"]) == phone["work_ms"]
        certificate = phone["certificate"] or {"sha256": "", "sha1": "", "not_after": ""}
        assert {name: line[name] for name in certificate} == certificate
        assert line["error_code"] == (phone["trouble"] or {"code": ""})["code"]
        of_steps = {step["name"]: str(step["ms"]) for step in phone["steps"]}
        assert {n: line[f"ms_{n}"] for n in ("key", "install")} == {
            n: of_steps.get(n, "") for n in ("key", "install")
        }


def test_the_workbook_agrees_with_json_and_its_cells_have_kinds(report: Report) -> None:
    heads, *rows = sheet(report, "Phones")
    at = {head.value: column for column, head in enumerate(heads)}
    for row, phone in zip(rows, phones(report), strict=True):
        assert (row[at["job"]].data_type, row[at["job"]].value) == ("n", phone["job"])
        assert (row[at["extension"]].data_type, row[at["extension"]].value) == (
            "s",
            phone["extension"],
        )
        begun = row[at["begun"]]
        assert begun.is_date
        assert begun.value.replace(tzinfo=UTC) == datetime.fromisoformat(phone["begun"])
        ends = EXPIRES.replace(tzinfo=None) if phone["certificate"] else None
        assert row[at["not_after"]].value == ends
    summary = {name.value: value for name, value in sheet(report, "Summary")}
    assert (summary["done"].value, summary["yield"].number_format) == (20, "0.0%")
    assert summary["yield"].value == pytest.approx(20 / 23)
    assert len(sheet(report, "Steps")) == 1 + 5
    assert len(sheet(report, "Failures")) == 1 + 2


def test_the_page_agrees_with_json(report: Report) -> None:
    shown = page(report)
    rows = shown.xpath("//section[h2='Phones']//tbody/tr")
    for row, phone in zip(rows, phones(report), strict=True):
        words = " ".join(row.itertext())
        assert phone["user"] in words
        assert phone["mac"] in words
        assert phone["standing"] in words
        assert (phone["certificate"] or {"sha256": ""})["sha256"] in words
    pairs = zip(shown.xpath("//dt/text()"), shown.xpath("//dd/text()"), strict=True)
    assert dict(pairs) | {"phones per hour": ""} == {
        "phones": "24",
        "✓ done": "20",
        "✗ failed": "3",
        "… unfinished": "1",
        "yield": "86.9 %",
        "done at once": "73.9 %",
        "phones per hour": "",
    }
    assert REFUSED.code in shown.xpath("//svg/@aria-label")[-1]


def test_the_page_needs_nothing_else(report: Report) -> None:
    shown = page(report)
    assert {node.tag for node in shown.iter(etree.Element)} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "footer", "section", "div"),
        *("h1", "h2", "p", "span", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr"),
        *("th", "td", "svg", "desc", "rect", "line", "circle", "text"),
    }
    assert shown.xpath("//@src | //@href | //@*[starts-with(name(), 'on')]") == []
    assert "url(" not in shown.xpath("string(//style)")
    policy = shown.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_marks_in_what_others_wrote_stay_words(hostile: Report) -> None:
    shown = page(hostile)
    assert shown.xpath("//script") == []
    assert "<script>" in shown.xpath("string(//section[h2='Phones'])")
    text = as_page(hostile).decode()
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_formulas_in_csv_are_disarmed(hostile: Report) -> None:
    (line,) = lines(hostile)
    assert line["user"] == f"'{HOSTILE}"
    assert (line["extension"], line["bench"]) == ("'+1001", "'@north")
    assert phones(hostile)[0]["extension"] == "+1001"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_every_begin_of_a_formula(begin: str) -> None:
    assert cell(f"{begin}1") == f"'{begin}1"


def test_formulas_in_the_workbook_are_texts(hostile: Report) -> None:
    heads, row = sheet(hostile, "Phones")
    user = row[[head.value for head in heads].index("user")]
    assert user.data_type == "s"
    assert user.value == HOSTILE.replace("\x1b", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("form", [as_csv, as_json, as_page, as_workbook])
def test_each_form_can_say_that_nothing_is_done(shift: Shift, form: Any) -> None:
    shift.open(1)
    assert form(report_of(shift))


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (999.7, "1 s"),
        (4_250, "4.25 s"),
        (59_949, "59.9 s"),
        (59_960, "1 min 00 s"),
        (185_000, "3 min 05 s"),
        (7_800_000, "2 h 10 min"),
    ],
)
def test_durations(ms: float, words: str) -> None:
    assert duration(ms) == words


def test_a_hundred_per_cent_means_all() -> None:
    assert (part(1.0), part(0.9999), part(0.29), part(0.0)) == ("100 %", "99.9 %", "29 %", "0 %")
