"""HTML and SVG out of small pieces: whatever is put in is escaped, unless it is such a piece."""

import html
import re

_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef]"
)
"""Controls, what turns the direction of writing, and what is no character."""


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


Piece = Markup | str | int | float


def element(name: str, /, *inner: Piece, **attributes: Piece | None) -> Markup:
    """Make an element.

    Args:
        name: Its name.
        inner: What is in it, one after the other; a plain text is escaped.
        attributes: By name; ``_`` stands for ``-``, one at the end is dropped (``class_``), and
            one with the value None is left out.
    """
    begin = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{begin}>")
    return Markup(f"<{name}{begin}>{joined(*inner)}</{name}>")


_VOID = frozenset({"meta"})


def joined(*pieces: Piece) -> Markup:
    """Put pieces one after the other."""
    return Markup("".join(map(_escaped, pieces)))


def _attribute(key: str, value: Piece | None) -> str:
    if value is None:
        return ""
    return f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'


def _escaped(piece: Piece) -> str:
    if isinstance(piece, Markup):
        return piece
    if isinstance(piece, float):
        return f"{piece:.2f}".rstrip("0").rstrip(".")
    return html.escape(_UNFIT.sub("\N{REPLACEMENT CHARACTER}", str(piece)))
