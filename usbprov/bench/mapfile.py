"""The port map in its file, ``bench.toml``: read whole and checked, written whole or not at all."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from usbprov.bench.portmap import DEFAULT_NAME, Hub, PortMap, plain_address, port_label
from usbprov.errors import PortMapInvalid, PortMapNotSaved
from usbprov.files import write_whole

_MODE = 0o644
_LARGEST = 1 << 20
_COLUMNS = 8
"""Ports a row, where a hub of the file does not say."""

_MOST_COLUMNS = 64

_KEYS: Mapping[str, frozenset[str]] = {
    "": frozenset({"bench", "buses", "hub"}),
    "bench": frozenset({"name"}),
    "hub": frozenset({"name", "rows", "columns", "ports"}),
}
"""What may stand in each table."""

_HEAD = "# Learnt by `usbprov bench map`; it may be changed by hand (docs/roster.md).\n"


class _Wrong(Exception):
    """Carries the words for what is wrong."""


def read_map(path: Path) -> PortMap:
    """Read a port map.

    Raises:
        PortMapInvalid: It cannot be read, or contradicts itself.
    """
    import tomllib  # noqa: PLC0415 - only where it is used

    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise _Wrong("it is too big")
        return _map(tomllib.loads(data.decode("utf-8")))
    except OSError as error:
        raise PortMapInvalid(str(path), error.strerror or str(error)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, _Wrong) as error:
        raise PortMapInvalid(str(path), str(error)) from None


def write_map(path: Path, port_map: PortMap) -> None:
    """Write a port map in place of the file that is there.

    Raises:
        PortMapNotSaved: The disk is full, or the folder cannot be written to.
    """
    try:
        write_whole(path, map_text(port_map).encode(), _MODE)
    except OSError as error:
        raise PortMapNotSaved(str(path), error.strerror or str(error)) from None


def map_text(port_map: PortMap) -> str:
    """Return the file's text."""
    return _HEAD + "\n".join(_lines(port_map)) + "\n"


def _lines(port_map: PortMap) -> Iterator[str]:
    yield from ("", "[bench]", f"name = {_quoted(port_map.name)}")
    if port_map.buses:
        yield from ("", "[buses]")
        yield from (f"{n} = {_quoted(identity)}" for n, identity in sorted(port_map.buses.items()))
    for hub in port_map.hubs:
        yield from ("", "[[hub]]", f"name = {_quoted(hub.name)}", "rows = [")
        yield from (f"  [{', '.join(map(_quoted, row))}]," for row in hub.rows)
        yield from ("]", "", "[hub.ports]")
        yield from (f"{_quoted(address)} = {_quoted(name)}" for address, name in hub.ports.items())


def _quoted(text: str) -> str:
    """Write a TOML basic string; of text that can be shown, JSON's is the same."""
    return json.dumps(text, ensure_ascii=False)


def _map(table: Mapping[str, Any]) -> PortMap:
    _check_keys("", table)
    bench = _table(table.get("bench", {}), "[bench]")
    _check_keys("bench", bench)
    hubs = table.get("hub", [])
    if not isinstance(hubs, list):
        raise _Wrong("hub must be written [[hub]]")
    found = tuple(_hub(_table(hub, "[[hub]]"), number) for number, hub in enumerate(hubs, start=1))
    _check_unique("label", [label for hub in found for row in hub.rows for label in row if label])
    _check_unique("port", [address for hub in found for address in hub.ports])
    _check_unique("hub", [hub.name for hub in found])
    name = _text(bench.get("name", DEFAULT_NAME), "the bench's name")
    return PortMap(name, found, dict(_buses(_table(table.get("buses", {}), "[buses]"))))


def _hub(table: Mapping[str, Any], number: int) -> Hub:
    _check_keys("hub", table)
    name = _text(table.get("name", str(number)), f"the name of hub {number}")
    given = _table(table.get("ports", {}), f"ports of hub {name}")
    ports = {plain_address(address): _label(label, name) for address, label in given.items()}
    _check_unique("label", list(ports.values()))
    if "rows" not in table:
        return Hub(name, _rows(tuple(ports.values()), _columns(table, name)), ports)
    rows = _given_rows(table["rows"], name)
    placed = {label for row in rows for label in row}
    for label in ports.values():
        if label not in placed:
            raise _Wrong(f"hub {name}: label {label} has a port and no place in rows")
    return Hub(name, rows, ports)


def _columns(table: Mapping[str, Any], hub: str) -> int:
    columns = table.get("columns", _COLUMNS)
    if not isinstance(columns, int) or not 0 < columns <= _MOST_COLUMNS:
        raise _Wrong(f"hub {hub}: columns must be a number from 1 to {_MOST_COLUMNS}")
    return columns


def _rows(labels: Sequence[str], columns: int) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(labels[at : at + columns]) for at in range(0, len(labels), columns))


def _given_rows(rows: object, hub: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise _Wrong(f"hub {hub}: rows must be lists of labels in a list")
    return tuple(tuple(_label(label, hub) if label != "" else "" for label in row) for row in rows)


def _label(label: object, hub: str) -> str:
    try:
        return port_label(label if isinstance(label, str) else "")
    except ValueError as error:
        raise _Wrong(f"hub {hub}: {error}") from None


def _buses(table: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for number, identity in table.items():
        if not number.isdecimal():
            raise _Wrong(f"[buses]: {number!r} is no number of a bus")
        yield int(number), _text(identity, f"bus {number}")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _Wrong(f"{what} must be text that can be shown")
    return value


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{what} must be a table")
    return value


def _check_keys(name: str, table: Mapping[str, Any]) -> None:
    for key in table:
        if key not in _KEYS[name]:
            raise _Wrong(f"unknown key {key!r}" + (f" in [{name}]" if name else ""))


def _check_unique(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise _Wrong(f"{what} {name} is there twice")
        seen.add(name.casefold())
