"""Errors of the tree, written to a tape and made anew in a replay. Their facts hold no secret."""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from usbprov.errors import UsbprovError
from usbprov.tape.events import Json, text

_MOST_LINES = 50


def error_document(error: UsbprovError) -> dict[str, object]:
    """Write an error: its code and its facts."""
    facts = {name: _plain(value) for name, value in error.facts().items()}
    return {"code": error.code, "facts": facts}


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def revive_error(document: Json) -> UsbprovError:
    """Make the error that a document tells of.

    Raises:
        ValueError: There is none with that code, or its facts are not those of the document.
    """
    if not isinstance(document, dict):
        raise ValueError("an error is no map")  # noqa: TRY004 - one kind for the caller
    code = text(document.get("code"))
    kind = next((kind for kind in _classes(UsbprovError) if vars(kind).get("code") == code), None)
    if kind is None or kind is UsbprovError:
        raise ValueError(f"there is no error {code!r}")
    facts = document.get("facts")
    return _made(kind, facts if isinstance(facts, dict) else {})


def _classes(kind: type[UsbprovError]) -> Iterator[type[UsbprovError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _classes(child)


def _made(kind: type[UsbprovError], facts: dict[str, Json]) -> UsbprovError:
    given: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in facts:
            given[field.name] = _fact(facts[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            given[field.name] = ""
    error = kind(**given)
    try:
        str(error)
    except (ValueError, TypeError, KeyError, IndexError):
        raise ValueError(f"the facts of {kind.code} do not fit") from None
    return error


def _fact(value: Json) -> object:
    if isinstance(value, list):
        return tuple(text(line) for line in value[:_MOST_LINES])
    return text(value) if isinstance(value, str | dict) else value
