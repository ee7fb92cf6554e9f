"""PROTOCOL.md says what the code does: its examples and its tables are read and compared."""

import re
from importlib.resources import files

import pytest

from usbprov_drivers.smp import identity
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map
from usbprov_drivers.smp.cobs import STARTS, encode_cobs
from usbprov_drivers.smp.console import encode_console
from usbprov_drivers.smp.framing import WAKE, LineCode, LineDecoder
from usbprov_drivers.smp.refusals import REASONS
from usbprov_drivers.smp.wire import Message, Op, decode_message

PAGE = files("usbprov_drivers.smp").joinpath("PROTOCOL.md").read_text("utf-8")
COMMANDS = [c for c in vars(m).values() if isinstance(c, m.Command) and c.group == m.GROUP]


def examples() -> list[bytes]:
    blocks = re.findall(r"```\n((?:[0-9a-f]{2}[ \n])+)```", PAGE)
    return [bytes.fromhex(block) for block in blocks]


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(heading, 1)[1]
    table = re.search(r"((?:^\|.*\n)+)", section, re.MULTILINE)
    assert table is not None
    lines = table[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_examples_are_what_the_codec_makes() -> None:
    info, refusal, line, frame = examples()
    request = Message(Op.READ, m.GROUP, m.INFO.number, 42, b"\xa0")
    assert info == request.encode()
    assert line == encode_console(info)
    assert frame == encode_cobs(info)
    assert LineDecoder().feed(line + frame) == [
        (LineCode.CONSOLE, request),
        (LineCode.COBS, request),
    ]
    answer = decode_message(refusal)
    assert (answer.op, answer.command, answer.sequence) == (Op.READ_RESPONSE, m.CSR.number, 43)
    assert decode_map(answer.payload) == {"err": {"group": 1360, "rc": m.Rc.NO_SUCH_SLOT}}


def test_the_table_of_commands_is_the_code_s() -> None:
    said = {
        (int(number), name, op.strip(), float(limit.removesuffix(" s")), again.startswith("yes"))
        for number, name, ops, limit, again, _ in rows("## 4 The usbprov group")
        for op in ops.split(",")
    }
    assert said == {(c.number, c.name, c.op.name.lower(), c.limit, c.again) for c in COMMANDS}


def test_the_table_of_errors_is_the_code_s() -> None:
    said = {(int(number), name) for number, name, _ in rows("## 5 Error codes")}
    assert said == {(code.value, code.name) for code in m.Rc}


def test_every_error_code_has_words_or_an_error_of_its_own() -> None:
    own = {m.Rc.OCCUPIED, m.Rc.UNSUPPORTED, m.Rc.HASH_MISMATCH}
    assert set(REASONS) | own == set(m.Rc)


@pytest.mark.parametrize("capability", list(m.Caps))
def test_the_capability_bits_are_the_code_s(capability: m.Caps) -> None:
    word = str(capability.name).lower().replace("_", "-")
    assert f"{capability.value} {word}" in PAGE


@pytest.mark.parametrize("bit", list(m.Sigs))
def test_the_signature_bits_are_the_code_s(bit: m.Sigs) -> None:
    words = {"RSA_SHA1": "RSA with SHA-1", "RSA_SHA2": "RSA with SHA-2", "RSA_PSS": "RSASSA-PSS"}
    assert f"{bit.value} {words.get(str(bit.name), bit.name)}" in PAGE


def test_the_interface_is_the_code_s() -> None:
    assert f"subclass 0x{identity.INTERFACE_SUBCLASS:02x}" in PAGE
    assert f"protocol 0x{identity.INTERFACE_PROTOCOL:02x}" in PAGE
    assert f"`{identity.INTERFACE_NAME}`" in PAGE
    numbers = identity.CONSOLE.interface
    assert numbers == (2, 2, 0)
    assert "class 0x02, subclass 0x02, **protocol 0x00**" in PAGE


def test_the_framings_are_the_code_s() -> None:
    assert f"bits: {m.Framings.COBS.value} COBS (6.4)" in PAGE
    assert f"sends {WAKE.hex(' ')} (a zero byte" in PAGE
    assert f"the bytes {STARTS[:1].hex()} and {STARTS[1:].hex()} begin a COBS frame" in PAGE
