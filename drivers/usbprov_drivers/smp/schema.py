"""Typed records from and to CBOR maps: a dataclass whose fields each carry a rule.

A record's fields are declared with ``field(metadata=rule(...))``; a field with a default is
optional on the wire, and one that is None is left out. Unknown keys are ignored, everything
else that does not fit is refused (PROTOCOL.md 1.2). No I/O.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar, cast

_RULE = "rule"


class FieldInvalid(ValueError):
    """Raised when a map lacks a field or one breaks its rule; says which, never its value."""


class Record(Protocol):
    """Any dataclass; instances are made by ``load_record``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=Record)


class Rule(Protocol):
    """How one field's value is checked and made from CBOR, and turned back."""

    def load(self, value: object) -> object:
        """Return the checked value; raises ``FieldInvalid``."""
        ...

    def dump(self, value: object) -> object:
        """Return what CBOR encodes; ``value`` is one that ``load`` could have returned."""
        ...


def rule(what: Rule) -> Mapping[str, Rule]:
    """Return the metadata that ties ``what`` to a dataclass field."""
    return MappingProxyType({_RULE: what})


def load_record(cls: type[R], value: Mapping[str, object]) -> R:
    """Make a record of a decoded map.

    Raises:
        FieldInvalid: A field is missing or breaks its rule.
    """
    loaded: list[object] = []
    for name, how, default in _rules(cls):
        if name in value:
            loaded.append(_load_field(name, value[name], how))
        elif default is not MISSING:
            loaded.append(default)
        else:
            raise FieldInvalid(f"{name} is missing")
    return cls(*loaded)


def dump_record(record: Record) -> dict[str, object]:
    """Turn a record into a map for CBOR, leaving out what is None."""
    dumped: dict[str, object] = {}
    for name, how, _ in _rules(type(record)):
        value = getattr(record, name)
        if value is not None:
            dumped[name] = how.dump(value)
    return dumped


def _load_field(name: str, value: object, how: Rule) -> object:
    try:
        return how.load(value)
    except FieldInvalid as error:
        raise FieldInvalid(f"{name}: {error}") from None


@cache
def _rules(cls: type[Record]) -> Sequence[tuple[str, Rule, object]]:
    """Return name, rule and default of each field; ``MISSING`` where there is no default."""
    return tuple((f.name, f.metadata[_RULE], f.default) for f in fields(cls))


class _Plain:
    """A rule whose value CBOR takes as it is."""

    def dump(self, value: object) -> object:
        return value


@dataclass(frozen=True)
class Int(_Plain):
    """An integer between two bounds, both included; unsigned unless ``least`` says otherwise."""

    most: int
    least: int = 0

    def load(self, value: object) -> object:
        """Check type (a bool is no integer) and range."""
        if type(value) is not int:
            raise FieldInvalid("not an integer")
        if not self.least <= value <= self.most:
            raise FieldInvalid(f"not within {self.least}..{self.most}")
        return value


@dataclass(frozen=True)
class Flag(_Plain):
    """True or false."""

    def load(self, value: object) -> object:
        """Check the type."""
        if not isinstance(value, bool):
            raise FieldInvalid("not true or false")
        return value


@dataclass(frozen=True)
class Data(_Plain):
    """A byte string with bounds on its size, both included."""

    most: int
    least: int = 0

    def load(self, value: object) -> object:
        """Check type and size."""
        if not isinstance(value, bytes):
            raise FieldInvalid("not a byte string")
        if not self.least <= len(value) <= self.most:
            raise FieldInvalid(f"not {self.least}..{self.most} bytes")
        return value


@dataclass(frozen=True)
class Text(_Plain):
    """Text with bounds on its UTF-8 size, without control characters (it may reach a terminal)."""

    most: int
    least: int = 0

    def load(self, value: object) -> object:
        """Check type, size and characters."""
        if not isinstance(value, str):
            raise FieldInvalid("not text")
        if not self.least <= len(value.encode("utf-8", "replace")) <= self.most:
            raise FieldInvalid(f"not {self.least}..{self.most} bytes of text")
        if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in value):
            raise FieldInvalid("a control character")
        return value


@dataclass(frozen=True)
class Choice:
    """One of an enum's values."""

    kinds: type[Enum]

    def load(self, value: object) -> object:
        """Return the enum's member."""
        try:
            return self.kinds(value)
        except ValueError:
            raise FieldInvalid("not one of the known words") from None

    def dump(self, value: object) -> object:
        """Return the member's value."""
        return self.kinds(value).value


@dataclass(frozen=True)
class ListOf:
    """An array of values of one rule; a tuple in Python."""

    item: Rule
    most: int
    least: int = 0

    def load(self, value: object) -> object:
        """Check type, number and every element."""
        if not isinstance(value, list):
            raise FieldInvalid("not an array")
        if not self.least <= len(value) <= self.most:
            raise FieldInvalid(f"not {self.least}..{self.most} elements")
        return tuple(self.item.load(element) for element in value)

    def dump(self, value: object) -> object:
        """Return a list of what CBOR encodes."""
        return [self.item.dump(element) for element in cast("tuple[object, ...]", value)]


@dataclass(frozen=True)
class Nested:
    """A map that is a record of its own."""

    cls: type[Record]

    def load(self, value: object) -> object:
        """Make the record."""
        if not isinstance(value, dict):
            raise FieldInvalid("not a map")
        return load_record(self.cls, value)

    def dump(self, value: object) -> object:
        """Return the record as a map."""
        return dump_record(cast("Record", value))
