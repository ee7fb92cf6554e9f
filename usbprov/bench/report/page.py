"""The report as one page of HTML: no script, nothing loaded, all of it in the file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from usbprov import __version__
from usbprov.bench.report.facts import PhoneLine, Report, Standing, StepTimes
from usbprov.bench.report.markup import Markup, Piece, element, joined
from usbprov.bench.report.plots import failure_plot, part_plot, rate_plot, step_plot
from usbprov.bench.report.statistic import spread_of
from usbprov.bench.report.style import STYLE
from usbprov.bench.report.words import NOTHING, duration, local, part, rate

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is to load nothing and run nothing, even if markup got in by a mistake."""

_SIGNS = {
    Standing.DONE: "✓",
    Standing.FAILED: "✗",
    Standing.UNFINISHED: "…",
    Standing.RETIRED: "○",
}


def as_page(report: Report) -> bytes:
    """Write the page, UTF-8."""
    title = f"Phones staged: {report.about}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    body = element("body", element("main", *_parts(report, title)), _footer(report))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n".encode()


def _parts(report: Report, title: str) -> Iterator[Markup]:
    yield element("h1", title)
    yield element("p", _extent(report), class_="soft")
    yield _numbers(report)
    yield _section("Where the phones stand", part_plot(report.sums), _legend(report))
    yield element("div", *_plots(report), class_="plots")
    if report.steps:
        yield _section("Time per step", _step_table(report.steps))
    if report.failures:
        yield _section("Failures by cause", failure_plot(report.failures), _causes(report))
    if report.attempts:
        yield _section("Attempts that failed", _attempts(report))
    yield _section("Phones", _phones(report))


def _extent(report: Report) -> str:
    bench = "all benches" if report.bench is None else f"bench {report.bench}"
    return (
        f"{bench}, {local(report.sums.begun)} to {local(report.sums.ended)},"
        f" {report.made.astimezone():%Z (UTC%z)}"
    )


def _numbers(report: Report) -> Markup:
    sums = report.sums
    shown = (
        ("phones", str(sums.phones)),
        ("✓ done", str(sums.done)),
        ("✗ failed", str(sums.failed)),
        ("… unfinished", str(sums.unfinished)),
        ("yield", part(sums.yield_)),
        ("done at once", part(sums.at_once_yield)),
        ("phones per hour", rate(sums.per_hour)),
    )
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in shown)
    return element("dl", *pairs, class_="sums")


def _legend(report: Report) -> Markup:
    sums = report.sums
    words = f"✓ {sums.done} done, ✗ {sums.failed} failed, … {sums.unfinished} unfinished"
    return element("p", words, class_="soft")


def _plots(report: Report) -> Iterator[Markup]:
    if report.rates:
        minutes = report.rates[0].seconds // 60
        words = f"Each bar stands for {minutes} min." if minutes < 1440 else "A bar a day."
        note = element("p", words, class_="soft")
        yield _section("Phones per hour", rate_plot(report.rates), note)
    if report.steps:
        note = element(
            "p",
            "A dot a time; the box is the middle half, the thick line the median; logarithmic.",
            class_="soft",
        )
        yield _section("Distribution of times", step_plot(report.steps), note)


def _section(title: str, *inner: Piece) -> Markup:
    return element("section", element("h2", title), *inner)


# --- tables

Cells = Mapping[str, Piece]


def _table(caption: str, rows: Iterable[Cells], numbers: Sequence[str] = ()) -> Markup:
    """Make a table; a row's first cell is its head.

    The roles are said again, since the style sheet makes blocks of them on a small screen.
    """
    listed = list(rows)

    def kind(name: str) -> str | None:
        return "number" if name in numbers else None

    heads = (
        element("th", name, scope="col", role="columnheader", class_=kind(name))
        for name in listed[0]
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads, role="row"), role="rowgroup"),
        element("tbody", *(_row(cells, kind) for cells in listed), role="rowgroup"),
        role="table",
    )


def _row(cells: Cells, kind: Callable[[str], str | None]) -> Markup:
    (_, first), *others = cells.items()
    return element(
        "tr",
        element("th", first, scope="row", role="rowheader"),
        *(
            element("td", value, role="cell", data_name=name, class_=kind(name))
            for name, value in others
        ),
        role="row",
    )


def _step_table(steps: Sequence[StepTimes]) -> Markup:
    names = ("times", "failed", "least", "median", "95 % within", "most")
    return _table("How long each step took, where it came to its end", map(_step, steps), names)


def _step(step: StepTimes) -> Cells:
    spread = spread_of(step.values)
    return {
        "step": step.name,
        "times": len(step.values),
        "failed": step.failed,
        "least": duration(spread.least),
        "median": duration(spread.median),
        "95 % within": duration(spread.p95),
        "most": duration(spread.most),
    }


def _causes(report: Report) -> Markup:
    rows: Iterable[Cells] = (
        {
            "code": _whole(group.trouble.code),
            "phones": group.phones,
            "what happened (at the first)": group.trouble.says,
            "likeliest cause": group.trouble.cause,
            "what to do": group.trouble.remedy,
        }
        for group in report.failures
    )
    return _table("Why phones are not done", rows, ("phones",))


def _attempts(report: Report) -> Markup:
    rows: Iterable[Cells] = (
        {"code": _whole(of.code or NOTHING), "step": of.step, "attempts": of.attempts}
        for of in report.attempts
    )
    return _table("Those after which it went well are among them", rows, ("attempts",))


def _phones(report: Report) -> Markup:
    return _table(f"{len(report.phones)} phones", map(_phone, report.phones), ("work", "job"))


def _phone(phone: PhoneLine) -> Cells:
    return {
        "user": phone.user or (f"extension {phone.extension}" if phone.extension else NOTHING),
        "state": _state(phone),
        "phone": joined(phone.model, " ", element("span", phone.serial, class_="mono")),
        "MAC": _whole(phone.mac, "mono "),
        "bench, port": f"{phone.bench}, {phone.port}" if phone.bench else phone.port,
        "ended": _moment(phone.ended),
        "work": duration(phone.work_ms),
        "certificate, SHA-256": _thumbprint(phone),
        "valid until": _moment(phone.certificate.not_after if phone.certificate else None),
        "job": phone.job,
    }


def _whole(words: str, also: str = "") -> Markup:
    """Keep words on one line."""
    return element("span", words, class_=f"{also}whole")


def _moment(of: datetime | None) -> Markup:
    """Write a moment, broken between date and time if at all."""
    day, _, time = local(of).partition(" ")
    return joined(_whole(day), " ", time)


def _state(phone: PhoneLine) -> Markup:
    standing = phone.standing
    words = [_whole(f"{_SIGNS[standing]} {standing}")]
    if phone.trouble:
        words.append(_whole(phone.trouble.code))
    return element("span", Markup(" ".join(words)), class_=f"stand stand-{standing}")


def _thumbprint(phone: PhoneLine) -> Piece:
    if phone.certificate is None:
        return NOTHING
    return element("span", phone.certificate.sha256, class_="mono hash")


def _footer(report: Report) -> Markup:
    return element(
        "footer",
        element("p", f"Made by usbprov {__version__}, {local(report.made)}, from the ledger."),
        element(
            "p",
            f"The ledger had {report.entries} entries then; the hash of the last is ",
            element("span", report.head, class_="mono"),
            " (usbprov ledger verify --expect).",
        ),
        class_="soft",
    )
