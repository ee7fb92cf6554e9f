"""``usbprov labels``: labels for the phones that are done, from the ledger."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli.reporting import Choice, form_of, put, report_options
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.bench.labels.label import Label, Size

FORMS = ("pdf", "zpl")


def _size(_ctx: click.Context, _parameter: click.Parameter, value: str) -> "Size":
    """Click callback: width and height in millimetres."""
    from usbprov.bench.labels.label import LARGEST, SMALLEST, Size

    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)x(\d{1,3}(?:\.\d+)?)", value)
    if not found:
        raise click.BadParameter("write WIDTHxHEIGHT in millimetres, 63.5x38.1")
    size = Size(float(found[1]), float(found[2]))
    least, most = SMALLEST, LARGEST
    if not (least.width <= size.width <= most.width and least.height <= size.height <= most.height):
        raise click.BadParameter(
            f"from {least.width:g}x{least.height:g} to {most.width:g}x{most.height:g} mm"
        )
    return size


@click.command()
@report_options
@click.option(
    "--roster",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Where the users' display names are.",
)
@click.option(
    "--size",
    metavar="WxH",
    default="63.5x38.1",
    show_default=True,
    callback=_size,
    help="Of a label, in millimetres.",
)
@click.option("--sheets", is_flag=True, help="PDF: on sheets of A4, as many as fit.")
@click.option(
    "--skip", type=click.IntRange(0, 1000), default=0, help="Places of the first sheet used up."
)
@click.option(
    "--font",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="PDF: a TrueType font for names that are not in Western European letters.",
)
@click.option(
    "--dpi",
    type=click.Choice(["203", "300", "600"]),
    default="203",
    show_default=True,
    help="ZPL: the printer's dots an inch.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="By default what the file's name ends with, else pdf.",
)
def labels(form: str | None, output: Path | None, **given: Any) -> None:
    """Make labels for phones that are done: name, extension, MAC as bar code and QR code.

    PDF has one label a page, for label printers, or many on sheets of A4. ZPL goes to a label
    printer as it is. See docs/report.md.

    \b
    Examples:
      usbprov labels --shift --roster users.csv --sheets -o labels.pdf
      usbprov labels --shift --size 62x29 -o labels.pdf
      usbprov labels --since 1h --format zpl --dpi 300 | lp -o raw
    """
    choice = Choice(**{name: given[name] for name in ("shift", "since", "until", "bench")})
    wanted = form_of(form, output, FORMS)
    made = _labels(choice, given["roster"])
    put(_written(made, wanted, given), output, is_text=wanted == "zpl")


def _labels(choice: Choice, roster: Path | None) -> "list[Label]":
    from usbprov.bench.labels.label import labels_of
    from usbprov.bench.rosterfile.reading import read_roster

    entries = read_roster(roster).require().entries if roster else ()
    made = labels_of(choice.report().phones, entries)
    if not made:
        raise UsageError("no phone is done, so there is nothing to put a label on")
    return made


def _written(made: "list[Label]", form: str, given: dict[str, Any]) -> bytes:
    if form == "zpl":
        from usbprov.bench.labels.zpl import as_zpl

        return as_zpl(made, given["size"], int(given["dpi"]))
    from usbprov.bench.labels.sheet import Sheet, as_pdf

    return as_pdf(made, Sheet(given["size"], given["sheets"], given["skip"], given["font"]))
