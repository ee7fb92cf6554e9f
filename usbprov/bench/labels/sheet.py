"""Labels as PDF: one a page, or many on a sheet of A4; drawn by reportlab."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usbprov.bench.labels.label import Label, Size
from usbprov.bench.labels.places import A4, ALONE, Place, by_page, places_on
from usbprov.errors import ReportSupportMissing, UsageError

# ruff: noqa: PLC0415 - reportlab is an extra, and takes long to import

_POINTS = 72 / 25.4
_EDGE = 2.5
"""Millimetres around what is printed."""

_LEAST = 5.0
"""Points: words that do not fit in this size are cut."""

_BAR_MODULES = 11 * 14 + 13
"""Start, twelve signs, checksum and stop of Code 128 (ISO/IEC 15417)."""

_QUIET = 10
"""Modules without ink beside a bar code."""


@dataclass(frozen=True)
class Sheet:
    """How labels are laid out.

    Attributes:
        size: Of one label.
        on_a4: Put as many as fit onto sheets of A4; else a page is one label.
        skip: So many places of the first sheet are left empty: they were used already.
        font: A TrueType font that has the names' letters; None: one for Western Europe.
    """

    size: Size
    on_a4: bool = False
    skip: int = 0
    font: Path | None = None


def as_pdf(labels: Sequence[Label], sheet: Sheet) -> bytes:
    """Draw the labels.

    Raises:
        ReportSupportMissing: reportlab is not installed.
        UsageError: The font cannot be used.
    """
    try:
        from reportlab.pdfgen.canvas import Canvas
    except ImportError:
        raise ReportSupportMissing("a PDF of labels", "reportlab", "labels") from None
    page = A4 if sheet.on_a4 else sheet.size
    places = places_on(A4, sheet.size) if sheet.on_a4 else ALONE
    data = io.BytesIO()
    canvas = Canvas(data, pagesize=(page.width * _POINTS, page.height * _POINTS), invariant=1)
    canvas.setTitle("Labels")
    pen = _Pen(canvas, _font(sheet.font))
    for drawn in by_page(len(labels), places, sheet.skip):
        for number, place in drawn:
            pen.draw(labels[number], sheet.size, place)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


def _font(path: Path | None) -> Any:
    """Load the font, and let the canvas know it."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    try:
        font = TTFont(f"label-{path.stem}" if path else "label", str(path or "Vera.ttf"))
    except (TTFError, OSError) as error:
        raise UsageError(f"the font {path} cannot be used: {error}") from None
    pdfmetrics.registerFont(font)
    return font


class _Pen:
    """Draws labels on a canvas, in points."""

    def __init__(self, canvas: Any, font: Any) -> None:
        self._canvas = canvas
        self._font = font

    def draw(self, label: Label, size: Size, place: Place) -> None:
        """Draw one: words at the top left, the QR code at the top right, the bar code below."""
        left, bottom = (place.x + _EDGE) * _POINTS, (place.y + _EDGE) * _POINTS
        width, height = (size.width - 2 * _EDGE) * _POINTS, (size.height - 2 * _EDGE) * _POINTS
        bars = height * 0.32
        self._bars(label, left, bottom, width, bars)
        qr = min(height - bars - 4, width / 3)
        top = bottom + height
        self._qr(label, left + width - qr, top - qr, qr)
        self._words(label, left, top, width - qr - 4, height - bars)

    def _bars(self, label: Label, left: float, bottom: float, width: float, height: float) -> None:
        from reportlab.graphics.barcode.code128 import Code128

        module = width / (_BAR_MODULES + 2 * _QUIET)
        code = Code128(label.mac, barWidth=module, barHeight=height, quiet=False)
        code.drawOn(self._canvas, left + (width - code.width) / 2, bottom)

    def _qr(self, label: Label, left: float, bottom: float, edge: float) -> None:
        from reportlab.graphics import renderPDF
        from reportlab.graphics.barcode.qr import QrCodeWidget
        from reportlab.graphics.shapes import Drawing

        code = QrCodeWidget(label.mac, barLevel="M", barWidth=edge, barHeight=edge)
        renderPDF.draw(Drawing(edge, edge, code), self._canvas, left, bottom)

    def _words(self, label: Label, left: float, top: float, width: float, height: float) -> None:
        lines = (
            (label.name, 0.24),
            (f"ext. {label.extension}" if label.extension else "", 0.24),
            (label.address if label.address != label.name else "", 0.15),
            (label.mac_shown, 0.15),
        )
        for words, share in lines:
            top -= height * share
            self._line(words, left, top, width, height * share * 0.8)

    def _line(self, words: str, left: float, bottom: float, width: float, points: float) -> None:
        """Write a line as large as it fits; what the font has no letter for becomes ``?``."""
        known = self._font.face.charToGlyph
        shown = "".join(sign if ord(sign) in known else "?" for sign in words)
        wide = self._font.stringWidth(shown, 1)
        points = min(points, max(width / wide if wide else points, _LEAST))
        while self._font.stringWidth(shown, points) > width:
            shown = f"{shown[:-2]}…"
        self._canvas.setFont(self._font.fontName, points)
        self._canvas.drawString(left, bottom, shown)
