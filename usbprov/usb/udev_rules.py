"""The udev rules (udev(7)) that let users open phones and keep other programs off them.

They are made from the rows by which drivers recognise their phones, so that what is recognised
may also be opened. A rule may be wider than its row, never narrower: udev makes a device's node
before it can see the strings of the interfaces, and knows no patterns without regard to case.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from usbprov.usb.matching import UsbMatch

GROUP = "plugdev"
"""Who may open phones without sitting at the computer (SSH, services)."""

RIGHTS = "70-usbprov.rules"
"""Before 73-seat-late.rules, which gives the user at the seat what the tag uaccess promises."""

NEIGHBOURS = "60-usbprov.rules"
"""Before 69-libmtp.rules, which starts mtp-probe on whatever nobody has spoken for."""

MARK = "# Written by usbprov"
"""How each file begins; no other file is replaced or removed."""

_SERIAL_CLASSES = frozenset({0x02})
"""bInterfaceClass of which the kernel makes a serial port (cdc_acm), so that no more is needed."""

_DEVICE = ('SUBSYSTEM=="usb"', 'ENV{DEVTYPE}=="usb_device"')
_PORT = ('SUBSYSTEM=="tty"', 'SUBSYSTEMS=="usb"')
_END = "usbprov_end"

_DEVICE_RIGHTS = ('MODE="0660"', f'GROUP="{GROUP}"', 'TAG+="uaccess"')
_PORT_RIGHTS = ('MODE="0660"', 'TAG+="uaccess"')
"""The group stays as the distribution has it: dialout, uucp."""

_DEVICE_QUIET = ('ENV{ID_MM_DEVICE_IGNORE}="1"',)
_PORT_QUIET = ('ENV{ID_MM_PORT_IGNORE}="1"',)
_NO_PROBE = ('ENV{MTP_NO_PROBE}="1"',)


@dataclass(frozen=True)
class RulesFile:
    """A rules file.

    Attributes:
        name: What it must be called, since udev goes by the names' order.
        text: What must be in it.
    """

    name: str
    text: str


def rules_files(families: Mapping[str, Sequence[UsbMatch]]) -> tuple[RulesFile, ...]:
    """Make the rules.

    Args:
        families: By the family's name, the rows by which its phones are recognised; families
            that are only detected are to be left out: nobody needs to write to their phones.
    """
    rights, neighbours = [], []
    for family, rows in families.items():
        rights += [line for row in rows for line in _rights(family, row)]
        neighbours += [line for row in rows for line in _neighbours(family, row)]
    return (_file(NEIGHBOURS, _NEIGHBOURS_HEAD, neighbours), _file(RIGHTS, _RIGHTS_HEAD, rights))


_RIGHTS_HEAD = (
    "Lets the user at this computer's seat, and the group, open the phones that usbprov knows,",
    "and keeps ModemManager from talking to them.",
    "The name must sort before 73-seat-late.rules, which acts on the tag uaccess.",
)
_NEIGHBOURS_HEAD = (
    "Keeps mtp-probe from asking the phones that usbprov knows whether they are cameras.",
    "The name must sort before 69-libmtp.rules, which starts it.",
)


def _file(name: str, head: Iterable[str], rules: Iterable[str]) -> RulesFile:
    lines = [
        f"{MARK} (`usbprov udev print`): {name}",
        *(f"# {line}" for line in head),
        f'ACTION=="remove", GOTO="{_END}"',
        _rule(*_DEVICE, 'ENV{ID_USB_INTERFACES}==""', 'IMPORT{builtin}="usb_id"'),
        *rules,
        f'LABEL="{_END}"',
    ]
    return RulesFile(name, "\n".join(lines) + "\n")


def _rights(family: str, row: UsbMatch) -> Iterator[str]:
    """Yield the rules of a row for its device node and its serial ports."""
    device, port = device_conditions(row), port_conditions(row)
    if device or port:
        yield f"# {family}: {_comment(row)}"
    if device:
        yield _rule(*_DEVICE, *device, *_DEVICE_RIGHTS, *_DEVICE_QUIET)
    if port:
        yield _rule(*_PORT, *port, *_PORT_RIGHTS, *_PORT_QUIET)


def _neighbours(family: str, row: UsbMatch) -> Iterator[str]:
    device = device_conditions(row)
    if device:
        yield f"# {family}: {_comment(row)}"
        yield _rule(*_DEVICE, *device, *_NO_PROBE)


def device_conditions(row: UsbMatch) -> tuple[str, ...]:
    """Return the conditions for the device's own node; none where it gets no rule.

    A row of nothing but a serial interface gives none: it is opened by its serial port, and
    the interface's numbers alone would let in every modem.
    """
    own = tuple(_attributes(row, "ATTR"))
    if row.interface is None or (own and row.interface[0] in _SERIAL_CLASSES):
        return own
    if row.interface[0] in _SERIAL_CLASSES:
        return ()
    packed = "".join(f"{number:02x}" for number in row.interface)
    return (*own, f'ENV{{ID_USB_INTERFACES}}=="*:{packed}:*"')


def port_conditions(row: UsbMatch) -> tuple[str, ...]:
    """Return the conditions for serial ports of the device; none where they get no rule.

    All of a rule's conditions on parents must hold of one parent (udev(7)): the interface's
    cannot stand beside the device's.
    """
    if row.interface is not None and row.interface[0] not in _SERIAL_CLASSES:
        return ()
    own = tuple(_attributes(row, "ATTRS"))
    if own or row.interface is None:
        return own
    names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    numbers = zip(names, row.interface, strict=True)
    conditions = [f'ATTRS{{{name}}}=="{number:02x}"' for name, number in numbers]
    if row.interface_name is not None:
        conditions.append(f'ATTRS{{interface}}=="{_literal(row.interface_name)}"')
    return tuple(conditions)


def _attributes(row: UsbMatch, key: str) -> Iterator[str]:
    """Yield the conditions on attributes of the device itself."""
    numbers = {"idVendor": row.vendor_id, "idProduct": row.product_id}
    for name, number in numbers.items():
        if number is not None:
            yield f'{key}{{{name}}}=="{number:04x}"'
    patterns = {"manufacturer": row.manufacturer, "product": row.product}
    for name, pattern in patterns.items():
        if pattern is not None:
            yield f'{key}{{{name}}}=="{_any_case(pattern)}"'


def _any_case(pattern: str) -> str:
    """Turn a shell pattern into one that udev takes and that minds no case.

    A set (``[a-c]``) becomes any character, which is wider. udev counts bytes, so that what may
    be several bytes long becomes ``?*``.
    """
    return "".join(map(_any_case_of, _without_sets(pattern)))


def _without_sets(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        end = pattern.find("]", at + 2) if pattern[at] == "[" else -1
        yield "?" if end > 0 else pattern[at]
        at = end + 1 if end > 0 else at + 1


def _any_case_of(character: str) -> str:
    if character in "*?":
        return {"*": "*", "?": "?*"}[character]
    lower, upper = character.lower(), character.upper()
    if lower != upper and character.isascii():
        return f"[{upper}{lower}]"
    return _safe(character)


def _literal(text: str) -> str:
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    """Return the character, or one for any where it means something else in a udev pattern."""
    if not character.isascii():
        return "?*"
    return character if character.isalnum() or character in " ._,:;/+-=@" else "?"


def _comment(row: UsbMatch) -> str:
    words = ", ".join(f"{name} {word}" for name, word in row.row().items())
    return "".join(c if c.isprintable() else "?" for c in words)


def _rule(*parts: str) -> str:
    return ", ".join(parts)
