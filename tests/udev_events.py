"""How udev would apply rules: enough of udev(7) to evaluate rules against an emulated device."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from usbprov.emulation.device import UsbDevice

PART = re.compile(r'([A-Z_]+)(?:\{([^}]*)\})?(==|!=|\+=|=)"((?:[^"\\]|\\.)*)"')
CONDITIONS = {"==", "!="}


@dataclass(frozen=True)
class Part:
    """``KEY{attribute}operator"value"``."""

    key: str
    attribute: str
    operator: str
    value: str

    @property
    def is_condition(self) -> bool:
        return self.operator in CONDITIONS


def parts_of(line: str) -> list[Part]:
    """Take a line apart; nothing may stand between the parts but a comma and a space."""
    found = list(PART.finditer(line))
    assert ", ".join(match[0] for match in found) == line, f"not a rule: {line}"
    return [Part(m[1], m[2] or "", m[3], m[4]) for m in found]


def rules_of(text: str) -> list[list[Part]]:
    return [parts_of(line) for line in text.splitlines() if line and not line.startswith("#")]


@dataclass
class Event:
    """A device as udev has it: its own attributes, those of its parents, its properties."""

    subsystem: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    parents: Sequence[tuple[str, Mapping[str, str]]] = ()
    properties: dict[str, str] = field(default_factory=dict)
    interfaces: str = ""
    """What the builtin usb_id would find."""
    set_to: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)

    def apply(self, text: str) -> None:
        """Apply all rules of a file; GOTO leads to the end, as it does in ours."""
        for rule in rules_of(text):
            conditions = [part for part in rule if part.is_condition]
            if not self._hold(conditions):
                continue
            if any(part.key == "GOTO" for part in rule):
                return
            for part in rule:
                if not part.is_condition:
                    self._do(part)

    def _hold(self, conditions: Sequence[Part]) -> bool:
        own = [c for c in conditions if c.key not in {"ATTRS", "SUBSYSTEMS", "IMPORT"}]
        above = [c for c in conditions if c.key in {"ATTRS", "SUBSYSTEMS"}]
        if not all(self._is(c) for c in own):
            return False
        lineage = [(self.subsystem, self.attributes), *self.parents]
        return not above or any(all(_of(c, *one) for c in above) for one in lineage)

    def _is(self, condition: Part) -> bool:
        told = {"ACTION": "add", "SUBSYSTEM": self.subsystem}
        values = {
            "ENV": self.properties.get(condition.attribute, ""),
            "ATTR": self.attributes.get(condition.attribute),
        } | told
        return _matches(condition, values[condition.key])

    def _do(self, part: Part) -> None:
        if part.key == "IMPORT":
            assert (part.attribute, part.value) == ("builtin", "usb_id")
            self.properties["ID_USB_INTERFACES"] = self.interfaces
        elif part.key == "ENV":
            self.properties[part.attribute] = part.value
        elif part.key == "TAG":
            self.tags.add(part.value)
        elif part.key != "LABEL":
            self.set_to[part.key] = part.value


def _of(condition: Part, subsystem: str, attributes: Mapping[str, str]) -> bool:
    if condition.key == "SUBSYSTEMS":
        return _matches(condition, subsystem)
    return _matches(condition, attributes.get(condition.attribute))


def _matches(condition: Part, value: str | None) -> bool:
    if value is None:
        return condition.operator == "!="
    fits = any(fnmatchcase(value, pattern) for pattern in condition.value.split("|"))
    return fits == (condition.operator == "==")


def events_of(device: UsbDevice) -> Iterator[Event]:
    """Yield what udev would be told of an emulated device: itself, and its serial ports."""
    raw = device.descriptors.get(1, 0)
    assert raw is not None
    strings = [_string(device, index) for index in raw[14:17]]
    attributes = {
        "idVendor": f"{raw[8] | raw[9] << 8:04x}",
        "idProduct": f"{raw[10] | raw[11] << 8:04x}",
        "bDeviceClass": f"{raw[4]:02x}",
    }
    texts = zip(("manufacturer", "product", "serial"), strings, strict=True)
    attributes |= {name: text for name, text in texts if text is not None}
    interfaces = list(_interfaces(device))
    packed = dict.fromkeys(
        i["bInterfaceClass"] + i["bInterfaceSubClass"] + i["bInterfaceProtocol"] for i in interfaces
    )
    listed = ":" + "".join(f"{triple}:" for triple in packed)
    yield Event("usb", attributes, (), {"DEVTYPE": "usb_device"}, listed)
    for interface in interfaces:
        if interface["bInterfaceClass"] == "02":
            yield Event("tty", {}, (("usb", interface), ("usb", attributes)))


def _interfaces(device: UsbDevice) -> Iterator[dict[str, str]]:
    raw = device.descriptors.get(2, 0)
    assert raw is not None
    while raw:
        if raw[1] == 4:
            names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
            told = {n: f"{v:02x}" for n, v in zip(names, raw[5:8], strict=True)}
            text = _string(device, raw[8])
            yield told | ({"interface": text} if text is not None else {})
        raw = raw[raw[0] :]


def _string(device: UsbDevice, index: int) -> str | None:
    raw = device.descriptors.get(3, index) if index else None
    return None if raw is None else raw[2:].decode("utf-16-le")
