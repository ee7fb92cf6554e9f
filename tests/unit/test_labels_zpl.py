"""Labels in ZPL: every field lies on the label, and nothing that a name holds is a command."""

import re
from dataclasses import dataclass
from itertools import pairwise

import pytest

from usbprov.bench.labels.label import LARGEST, SMALLEST, Label, Size
from usbprov.bench.labels.zpl import as_zpl
from usbprov.bench.rosterfile import values

ALICE = Label("Alice Example", "1001", "alice@contoso.test", "02005E000001")
USUAL = Size(63.5, 38.1)


@dataclass
class Field:
    x: int
    y: int
    commands: str
    data: bytes


def fields(zpl: str) -> list[Field]:
    """Read the fields as a printer does: up to the next command, hex signs decoded under ^FH."""
    found = re.findall(r"\^FO(\d+),(\d+)((?:\^(?!FD)[^^]+)+)\^FD([^^]*)\^FS", zpl)
    return [
        Field(int(x), int(y), commands, _data(commands, data)) for x, y, commands, data in found
    ]


def _data(commands: str, data: str) -> bytes:
    raw = data.encode("ascii")
    if "^FH_" not in commands:
        return raw
    return re.sub(rb"_([0-9A-F]{2})", lambda hexed: bytes.fromhex(hexed[1].decode()), raw)


def zpl_of(label: Label, size: Size = USUAL, dpi: int = 203) -> str:
    return as_zpl([label], size, dpi).decode("ascii")


def test_a_label_has_its_words_and_both_codes() -> None:
    *words, qr, bars = fields(zpl_of(ALICE, Size(100, 50)))
    assert [field.data.decode() for field in words] == [
        "Alice Example",
        "ext. 1001",
        "alice@contoso.test",
        "MAC 02:00:5E:00:00:01",
    ]
    assert (qr.commands[:6], qr.data) == ("^BQN,2", b"MA,02005E000001")
    assert "^BCN," in bars.commands
    assert bars.data == b"02005E000001"


def test_the_benchs_scanner_reads_what_the_codes_hold() -> None:
    assert values.mac(ALICE.mac) == ALICE.mac_shown.lower()


def test_each_label_is_one_format() -> None:
    zpl = as_zpl([ALICE] * 3, USUAL, 203).decode()
    formats = re.findall(r"\^XA\n\^CI28\n\^PW507\n\^LL304\n.*?\^XZ\n", zpl, re.DOTALL)
    assert "".join(formats) == zpl
    assert len(formats) == zpl.count("^XA") == zpl.count("^XZ") == 3


@pytest.mark.parametrize("size", [SMALLEST, USUAL, Size(62, 29), LARGEST], ids=str)
@pytest.mark.parametrize("dpi", [203, 300, 600])
def test_everything_lies_on_the_label(size: Size, dpi: int) -> None:
    width, height = (int(mm * dpi / 25.4) for mm in (size.width, size.height))
    *words, qr, bars = fields(zpl_of(ALICE, size, dpi))
    module = int(re.findall(r"\^BY(\d+)", bars.commands)[0])
    tall = int(re.findall(r"\^BCN,(\d+)", bars.commands)[0])
    assert bars.x >= 10 * module
    assert bars.x + (11 * 14 + 13 + 10) * module <= width
    assert bars.y + tall <= height
    edge = 21 * int(qr.commands.rsplit(",", 1)[1])
    assert qr.x + edge <= width
    assert qr.y + edge < bars.y
    assert len(words) == 4
    for field, below in pairwise([*words, bars]):
        assert field.y + int(re.findall(r"\^A0N,(\d+)", field.commands)[0]) <= below.y
        assert field.x < qr.x


def test_a_name_in_other_letters_is_whole() -> None:
    name = fields(zpl_of(Label("Łucja Ω", "1", "l@x.test", ALICE.mac), Size(100, 50)))[0]
    assert name.data.decode("utf-8") == "Łucja Ω"


@pytest.mark.parametrize("name", ["^XZ^XA^IDR:*.*", "~JA", "_5EXZ", "a\\&b", "line\nfeed"])
def test_a_name_is_never_a_command(name: str) -> None:
    label = Label(name, name, name, ALICE.mac)
    size = Size(200, 60)
    zpl = zpl_of(label, size)
    assert fields(zpl)[0].data.decode() == name.replace("\n", "?")
    known = Label("N", "1", "N", ALICE.mac)
    assert re.findall(r"[\^~]..", zpl, re.DOTALL) == re.findall(r"[\^~]..", zpl_of(known, size))


def test_what_is_too_long_is_cut() -> None:
    label = Label("x" * 500, "1001", "y" * 500, ALICE.mac)
    name = fields(zpl_of(label))[0].data.decode()
    assert name.endswith("x…")
    assert len(name) < 30
