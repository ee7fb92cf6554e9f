"""Forms that no public document tells, as data files that a site can replace by its own.

Here: how a PIN goes over the wire (``protocol.md`` 4.2 b). Ours is ``pin.toml`` beside this
module; a site that has a recorded trace names a corrected copy in its settings.
"""

import tomllib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from usbprov.errors import ConfigInvalid, UsageError

if TYPE_CHECKING:
    from lxml import etree

    from usbprov.net.credentials import PinCredential

_OURS = "usbprov/webservices/pin.toml"
_MOST_BYTES = 65_536
_MOST_DEPTH = 20

_VALUES: Mapping[str, "Callable[[PinCredential], str]"] = {
    "extension": lambda credential: credential.extension,
    "pin": lambda credential: credential.pin,
}

_ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "text": lambda text: text,
    "base64": lambda text: b64encode(text.encode()).decode("ascii"),
}

_ELEMENT_KEYS = frozenset({"path", "attributes", "value", "text", "encoding"})
_FILE_KEYS = frozenset({"namespaces", "element"})


@dataclass(frozen=True)
class FormElement:
    """One element of the header.

    Attributes:
        path: Qualified names from the header down, as ``{namespace}name``.
        attributes: By qualified name.
        value: What stands in it: ``extension``, ``pin``, or ``""`` for ``text``.
        text: What stands in it where that is no value of the credential.
        encoding: ``text`` or ``base64``.
    """

    path: tuple[str, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    text: str = ""
    encoding: str = "text"


@dataclass(frozen=True)
class PinForm:
    """How extension and PIN are written into the SOAP header."""

    namespaces: Mapping[str, str]
    elements: tuple[FormElement, ...]

    def header(self, credential: "PinCredential") -> "etree._Element":
        """Build the header.

        Raises:
            UsageError: Extension or PIN has characters that XML cannot carry.
        """
        try:
            return self._header(credential)
        except ValueError:
            pass  # its words may hold the PIN
        raise UsageError("extension and PIN must be plain text without control characters")

    def _header(self, credential: "PinCredential") -> "etree._Element":
        from lxml import etree  # noqa: PLC0415 - imported when something is asked of a server

        root = etree.Element(self.elements[0].path[0], nsmap=dict(self.namespaces))
        for element in self.elements:
            made = _place(root, element.path)
            for name, value in element.attributes.items():
                made.set(name, value)
            plain = _VALUES[element.value](credential) if element.value else element.text
            if plain:
                made.text = _ENCODINGS[element.encoding](plain)
        return root


def _place(root: "etree._Element", path: tuple[str, ...]) -> "etree._Element":
    """Make the last element of a path anew, in parents that are there or are made for it."""
    from lxml import etree  # noqa: PLC0415

    parent = root
    for name in path[1:-1]:
        found = parent.findall(name)
        parent = found[-1] if found else etree.SubElement(parent, name)
    return etree.SubElement(parent, path[-1]) if len(path) > 1 else root


def load_pin_form(path: Path | None = None) -> PinForm:
    """Read how a PIN goes over the wire.

    Args:
        path: The site's file, or None for our guess.

    Raises:
        ConfigInvalid: The file cannot be read, or is no such form.
    """
    return _site_form(path) if path else _our_form()


@cache
def _our_form() -> PinForm:
    return _read_form(files(__package__).joinpath("pin.toml").read_bytes(), _OURS)


def _site_form(path: Path) -> PinForm:
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigInvalid(error.strerror or "it cannot be read", source) from None
    return _read_form(data, source)


def _read_form(data: bytes, source: str) -> PinForm:
    if len(data) > _MOST_BYTES:
        raise ConfigInvalid(f"it is larger than {_MOST_BYTES} bytes", source)
    try:
        return _form(tomllib.loads(data.decode("utf-8")))
    except ValueError as error:  # also of TOML and UTF-8
        raise ConfigInvalid(str(error), source) from None


def _form(values: Mapping[str, object]) -> PinForm:
    """Check a file's content; raises ``ValueError``."""
    _known(values, _FILE_KEYS, "the file")
    namespaces = _texts(values.get("namespaces", {}), "namespaces")
    listed = values.get("element")
    if not isinstance(listed, list) or not listed:
        raise ValueError("it has no [[element]]")
    elements = tuple(_element(item, namespaces) for item in listed)
    if len({element.path[0] for element in elements}) > 1:
        raise ValueError("all paths must begin with the same header")
    for value in _VALUES:
        if value not in {element.value for element in elements}:
            raise ValueError(f"no element has the value {value!r}")
    return PinForm(namespaces, elements)


def _element(item: object, namespaces: Mapping[str, str]) -> FormElement:
    if not isinstance(item, Mapping):
        raise ValueError("[[element]] must be a table")  # noqa: TRY004 - one kind for the caller
    _known(item, _ELEMENT_KEYS, "[[element]]")
    attributes = _texts(item.get("attributes", {}), "attributes")
    rest = {name: value for name, value in item.items() if name != "attributes"}
    texts = _texts(rest, "[[element]]")
    names = texts.get("path", "").split("/")
    if len(names) > _MOST_DEPTH:
        raise ValueError(f"a path has more than {_MOST_DEPTH} elements")
    element = FormElement(
        path=tuple(_qualified(name, namespaces) for name in names),
        attributes={_qualified(name, namespaces): text for name, text in attributes.items()},
        value=texts.get("value", ""),
        text=texts.get("text", ""),
        encoding=texts.get("encoding", "text"),
    )
    _one_of(element.value, {"", *_VALUES}, "value")
    _one_of(element.encoding, set(_ENCODINGS), "encoding")
    return element


def _known(table: Mapping[str, object], keys: frozenset[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise ValueError(f"unknown key {key!r} in {where}")


def _texts(table: object, where: str) -> dict[str, str]:
    if not isinstance(table, Mapping) or not all(isinstance(v, str) for v in table.values()):
        raise ValueError(f"{where}: every value must be text")
    return dict(cast("Mapping[str, str]", table))


def _one_of(text: str, known: set[str], key: str) -> None:
    if text not in known:
        raise ValueError(f"{key} {text!r} is none of {', '.join(sorted(known - {''}))}")


def _qualified(name: str, namespaces: Mapping[str, str]) -> str:
    """Turn ``prefix:name`` into ``{namespace}name``, checked as XML wants names."""
    from lxml import etree  # noqa: PLC0415

    prefix, colon, local = name.rpartition(":")
    if colon and prefix not in namespaces:
        raise ValueError(f"the prefix of {name!r} is not among the namespaces")
    return etree.QName(namespaces[prefix] if colon else None, local).text
