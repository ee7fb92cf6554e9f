"""Labels in ZPL II, for label printers (Zebra, ZPL II Programming Guide)."""

from collections.abc import Iterable, Iterator

from usbprov.bench.labels.label import Label, Size

_QR_MODULES = 21 + 2 * 4
"""Twelve hex digits fit into version 1 at level M (ISO/IEC 18004), quiet around them included."""

_BAR_MODULES = 11 * 14 + 13 + 2 * 10
"""Start, twelve signs, checksum, stop and quiet zones of Code 128 (ISO/IEC 15417)."""

_WIDE = 0.6
"""How wide a sign of font 0 is at most on average, in heights: a choice on the safe side."""

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"^~_\\")


def as_zpl(labels: Iterable[Label], size: Size, dpi: int) -> bytes:
    """Write the labels for a printer of that many dots an inch; ASCII, one format a label."""
    return "".join(f"{_format(label, size, dpi)}\n" for label in labels).encode("ascii")


def _format(label: Label, size: Size, dpi: int) -> str:
    dots = dpi / 25.4
    width, height = int(size.width * dots), int(size.height * dots)
    head = ("^XA", "^CI28", f"^PW{width}", f"^LL{height}")
    return "\n".join((*head, *_fields(label, width, height), "^XZ"))


def _fields(label: Label, width: int, height: int) -> Iterator[str]:
    """Yield words at the top left, the QR code at the top right, the bar code below."""
    edge = height // 16
    module = max((width - 2 * edge) // _BAR_MODULES, 1)
    magnified = max(min(height * 9 // 16, width // 3) // _QR_MODULES, 1)
    qr = magnified * _QR_MODULES
    room = width - 2 * edge - qr
    at = edge
    for words, tallest in _lines(label, height):
        shown, tall = _fitted(words, room, tallest)
        yield f"^FO{edge},{at}^A0N,{tall},{tall}^FH_^FD{_escaped(shown)}^FS"
        at += tall * 5 // 4
    yield f"^FO{width - edge - qr},{edge}^BQN,2,{magnified}^FDMA,{label.mac}^FS"
    bars = height * 5 // 16
    place = f"^FO{edge + 10 * module},{height - edge - bars}"
    yield f"{place}^BY{module}^BCN,{bars},N,N,N,A^FD{label.mac}^FS"


def _lines(label: Label, height: int) -> Iterator[tuple[str, int]]:
    yield label.name, height // 7
    if label.extension:
        yield f"ext. {label.extension}", height // 8
    if label.address != label.name:
        yield label.address, height // 12
    yield f"MAC {label.mac_shown}", height // 12


def _fitted(words: str, room: int, tallest: int) -> tuple[str, int]:
    """Return words and their height: lower until they fit, then cut."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in words)
    tall = min(tallest, max(int(room / (max(len(shown), 1) * _WIDE)), tallest // 2))
    most = max(int(room / (tall * _WIDE)), 1)
    return (shown, tall) if len(shown) <= most else (f"{shown[: most - 1]}…", tall)


def _escaped(words: str) -> str:
    """Write a field's data: UTF-8, in hex whatever could be a command or is not ASCII (^FH)."""
    return "".join(chr(b) if b in _PLAIN else f"_{b:02X}" for b in words.encode("utf-8", "replace"))
