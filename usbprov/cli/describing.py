"""How a device's description is shown and kept: as text, and as the document of ``describe``."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from usbprov import __version__
from usbprov.cli import documents
from usbprov.cli.documents import Document
from usbprov.cli.text import pairs
from usbprov.phone.candidates import Candidate
from usbprov.usb.description import Description
from usbprov.usb.descriptors import (
    ConfigurationDescriptor,
    DeviceDescriptor,
    EndpointDescriptor,
    InterfaceDescriptor,
    MalformedDescriptor,
    parse_configuration,
    parse_device,
)
from usbprov.usb.sysfs import SysfsDevice, SysfsInterface

MASK = "(masked)"

_SHORTEST = 4
"""Characters of a serial number that is also masked where it is part of another text."""

_FIELD = re.compile("(?:b|bm|bcd|i|id|w)[A-Z]")
"""How the USB specification names the fields of descriptors."""

_TRANSFERS = ("control", "isochronous", "bulk", "interrupt")


def description_document(
    candidate: Candidate, of: Description, chain: Sequence[SysfsDevice]
) -> Document:
    """Describe a device as it is kept in a file.

    Args:
        candidate: The device, and its driver if there is one.
        of: Its descriptors.
        chain: What Linux knows of it, and of the hubs above it up to the root hub.
    """
    facts = candidate.facts
    device, problem = _parsed_device(of.device)
    problems = [problem] if problem else []
    return {
        "usbprov": __version__,
        "made": documents.moment(datetime.now(UTC)),
        "device": documents.device(facts) | {"problem": facts.problem},
        "driver": candidate.driver.family if candidate.driver else None,
        "source": of.source.value,
        "descriptors": {
            "device": {"raw": of.device.hex()} | (_numbers(device) if device else {}),
            "configurations": [_configuration(raw, problems) for raw in of.configurations],
            "qualifier": of.qualifier.hex(),
            "bos": of.bos.hex(),
            "ms_os_string": of.ms_os_string.hex(),
        },
        "languages": [f"{language:04x}" for language in of.languages],
        "strings": {str(index): text for index, text in of.strings.items()},
        "unread": [*of.unread, *problems],
        "serial_ports": [{"path": p.path, "interface": p.interface} for p in facts.serial_ports],
        "tree": [_tree(device) for device in chain],
        "serial_masked": False,
    }


def masked(document: Document, serial: str | None) -> Document:
    """Return the document without the serial number, wherever it stands in a text."""
    result: Document = _masked(document, serial) if serial else document
    return result | {"serial_masked": True}


def _masked(value: Any, serial: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(part, serial) for name, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, serial) for part in value]
    if isinstance(value, str) and (value == serial or len(serial) >= _SHORTEST):
        return value.replace(serial, MASK)
    return value


def description_text(document: Document) -> str:
    """Write the document for people."""
    parts = [_head(document), *map(_configuration_text, _configurations_of(document))]
    parts += [_tree_text(document["tree"]), "\n".join(f"not read: {w}" for w in document["unread"])]
    return "\n\n".join(part for part in parts if part)


# --- the document


def _parsed_device(raw: bytes) -> tuple[DeviceDescriptor | None, str]:
    try:
        return (parse_device(raw), "") if raw else (None, "")
    except MalformedDescriptor as error:
        return None, str(error)


def _configuration(raw: bytes, problems: list[str]) -> Document:
    try:
        parsed = parse_configuration(raw)
    except MalformedDescriptor as error:
        problems.append(str(error))
        return {"raw": raw.hex()}
    settings = (setting for interface in parsed.interfaces for setting in interface)
    return {"raw": raw.hex(), **_numbers(parsed), "interfaces": [_interface(s) for s in settings]}


def _interface(setting: InterfaceDescriptor) -> Document:
    endpoints = [_numbers(endpoint) | _extra(endpoint) for endpoint in setting.endpoints]
    return _numbers(setting) | _extra(setting) | {"endpoints": endpoints}


def _extra(of: InterfaceDescriptor | EndpointDescriptor) -> Document:
    return {"class_specific": bytes(of.extra_descriptors).hex()} if of.extra_descriptors else {}


def _numbers(
    of: DeviceDescriptor | ConfigurationDescriptor | InterfaceDescriptor | EndpointDescriptor,
) -> Document:
    """Return the fields of the descriptor, by the names of the specification."""
    values = {field.name: getattr(of, field.name) for field in fields(of)}
    return {name: value for name, value in values.items() if _FIELD.match(name)}


def _tree(device: SysfsDevice) -> Document:
    return {
        "name": device.name,
        "product": device.product,
        "vendor_id": f"{device.vendor_id:04x}",
        "product_id": f"{device.product_id:04x}",
        "speed_mbps": device.speed_mbps,
        "ports": device.maxchild,
        "power_control": device.power_control,
        "authorized": device.authorized,
        "controller": device.controller,
        "interfaces": [_bound(interface) for interface in device.interfaces],
    }


def _bound(interface: SysfsInterface) -> Document:
    return {
        "number": interface.number,
        "driver": interface.driver,
        "serial_ports": list(interface.ttys),
    }


# --- the text


def _head(document: Document) -> str:
    device, descriptor = document["device"], document["descriptors"]["device"]
    has = "bcdUSB" in descriptor
    return pairs(
        [
            ("device", f"{device['port_path']} on {device['bus']}"),
            ("USB id", f"{device['vendor_id']}:{device['product_id']}"),
            ("manufacturer", device["manufacturer"] or ""),
            ("product", device["product"] or ""),
            ("serial", device["serial"] or ""),
            ("driver", document["driver"] or "none: no family is known that has such a device"),
            ("USB version", _bcd(descriptor["bcdUSB"]) if has else ""),
            ("release", _bcd(descriptor["bcdDevice"]) if has else ""),
            ("class", _triple(descriptor, "bDevice") if has else ""),
            ("BOS", "yes" if document["descriptors"]["bos"] else ""),
            ("strings", ", ".join(f"{i}: {text}" for i, text in document["strings"].items())),
            ("serial ports", ", ".join(port["path"] for port in document["serial_ports"])),
            ("read from", document["source"]),
            ("problem", device["problem"] or ""),
        ]
    )


def _configurations_of(document: Document) -> list[Document]:
    found: list[Document] = document["descriptors"]["configurations"]
    return [c | {"strings": document["strings"]} for c in found if "interfaces" in c]


def _configuration_text(of: Document) -> str:
    head = f"configuration {of['bConfigurationValue']}, {of['bMaxPower'] * 2} mA"
    lines = [line for i in of["interfaces"] for line in _interface_lines(i, of["strings"])]
    return "\n".join([head, *lines])


def _interface_lines(of: Document, strings: Mapping[str, str]) -> Iterator[str]:
    name = strings.get(str(of["iInterface"]), "")
    place = f"{of['bInterfaceNumber']}.{of['bAlternateSetting']}"
    yield f"  interface {place}  class {_triple(of, 'bInterface')}  {name}".rstrip()
    for endpoint in of["endpoints"]:
        address = endpoint["bEndpointAddress"]
        way = "IN " if address & 0x80 else "OUT"
        transfer = _TRANSFERS[endpoint["bmAttributes"] & 3]
        size = endpoint["wMaxPacketSize"] & 0x7FF
        yield f"    endpoint {address:02x} {way} {transfer}, packets of {size} bytes"


def _tree_text(tree: Sequence[Document]) -> str:
    lines = []
    for device in tree:
        bound = [
            f"interface {i['number']}: "
            + ", ".join([i["driver"] or "no driver", *i["serial_ports"]])
            for i in device["interfaces"]
        ]
        product = device["product"] or f"{device['vendor_id']}:{device['product_id']}"
        lines.append(f"{device['name']}  {product}, {device['speed_mbps']:g} Mb/s")
        lines += [f"    {line}" for line in bound]
    return "\n".join(lines)


def _triple(of: Document, prefix: str) -> str:
    names = (f"{prefix}{part}" for part in ("Class", "SubClass", "Protocol"))
    return "/".join(f"{of[name]:02x}" for name in names)


def _bcd(value: int) -> str:
    return f"{value >> 8:x}.{value & 0xFF:02x}"
