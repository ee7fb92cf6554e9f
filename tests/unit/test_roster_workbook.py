"""A roster as a workbook: its first sheet as it is seen; nothing is evaluated or blows up."""

import contextlib
import io
import sys
import zipfile
from datetime import datetime

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usbprov.bench.rosterfile.reading import read_roster
from usbprov.bench.rosterfile.workbook import cell_name
from usbprov.errors import RosterUnreadable, WorkbookSupportMissing


def book(*rows, formats=(), sheets=()):
    """Return a workbook's bytes; ``formats`` are pairs of a cell's name and its number format."""
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for name, form in formats:
        made.active[name].number_format = form
    for name in sheets:
        made.create_sheet(name)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def changed(data, name, content):
    """Return a workbook in which one part is another one."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", 8) as new:
        assert name in old.namelist()
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return file.getvalue()


def read(tmp_path, data):
    path = tmp_path / "users.xlsx"
    path.write_bytes(data)
    return read_roster(path)


HEADS = ("Extension", "SIP Address", "MAC", "PIN")


def test_text_and_whole_numbers_are_read_as_they_are_seen(tmp_path):
    data = book(
        HEADS,
        (),
        ("1001", "sip:alice@contoso.test", "00-04-F2-00-00-01", "072051"),
        (1002, " bob@contoso.test ", None, 720522),
        formats=[("A4", "0000")],
    )
    roster = read(tmp_path, data).require()

    assert [(e.line, e.extension, e.sip_uri, e.mac) for e in roster.entries] == [
        (3, "1001", "sip:alice@contoso.test", "00:04:f2:00:00:01"),
        (4, "1002", "sip:bob@contoso.test", None),
    ]
    assert [roster.pin_of(e) for e in roster.entries] == ["072051", "720522"]


def test_zeros_that_the_sheet_shows_are_kept(tmp_path):
    data = book(HEADS, (42, None, None, 12345), formats=[("A2", "0000"), ("D2", "000000")])
    roster = read(tmp_path, data).require()

    assert roster.entries[0].extension == "0042"
    assert roster.pin_of(roster.entries[0]) == "012345"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ((1001.5, None, None, None), "cell A2 (Extension): it is a number with a fraction"),
        (("1001.0", None, None, None), "cell A2 (Extension): '1001.0' is what a spreadsheet"),
        (("=A1", None, None, None), "cell A2 (Extension): it is a formula"),
        (("#N/A", None, None, None), "cell A2 (Extension): it is an error of the spreadsheet"),
        ((datetime(2026, 1, 2), None, None, None), "cell A2 (Extension): the spreadsheet has made"),  # noqa: DTZ001 - as workbooks have them
        ((True, None, None, None), "cell A2 (Extension): it is a truth value"),
        ((1001, None, 4269000001, None), "cell C2 (MAC): the spreadsheet has made a number of it"),
        ((1234567890123456, None, None, None), "cell A2 (Extension): it is a number, of which"),
        ((1001, None, None, "x"), "cell D2 (PIN): it is no PIN"),
    ],
)
def test_what_is_not_what_was_keyed_in_is_told_by_its_cell(tmp_path, row, told):
    errors = [f for f in read(tmp_path, book(HEADS, row)).findings if f.is_error]

    assert str(errors[0]).startswith(told)


def test_a_lost_leading_zero_is_found_by_the_others(tmp_path):
    rows = [(1001 + n, None, None, 720511 + n) for n in range(3)]
    errors = [
        f
        for f in read(tmp_path, book(HEADS, *rows, (123, None, None, 12345))).findings
        if f.is_error
    ]

    assert [f.cell for f in errors] == ["A5", "D5"]
    assert all("leading zero may be lost" in f.words for f in errors)
    assert "12345" not in str(errors)


def test_a_second_sheet_is_told(tmp_path):
    (note,) = read(tmp_path, book(("ext",), ("1001",), sheets=["Rooms"])).findings

    assert note.words == "read the first sheet, 'Sheet', and not the other 1"


def test_the_library_is_asked_for_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    with pytest.raises(WorkbookSupportMissing, match="openpyxl"):
        read(tmp_path, book(("ext",), ("1001",)))


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = changed(book(("ext",)), "xl/worksheets/sheet1.xml", b" " * (33 << 20))

    assert len(bomb) < 100_000
    with pytest.raises(RosterUnreadable, match="more than 32 MiB"):
        read(tmp_path, bomb)


def test_a_row_of_a_million_cells_is_not_built(tmp_path):
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = "<c/>" * 1_000_000
    xml = f'<worksheet xmlns="{name}"><sheetData><row>{cells}</row></sheetData></worksheet>'

    with pytest.raises(RosterUnreadable, match="too many cells"):
        read(tmp_path, changed(book(("ext",)), "xl/worksheets/sheet1.xml", xml.encode()))


def test_sizes_that_are_lies_do_not_help_a_bomb(tmp_path):
    bomb = bytearray(changed(book(("ext",)), "xl/worksheets/sheet1.xml", b" " * (33 << 20)))
    size = (33 << 20).to_bytes(4, "little")
    assert bomb.count(size) == 2
    bomb = bytes(bomb).replace(size, (100).to_bytes(4, "little"))

    with pytest.raises(RosterUnreadable):
        read(tmp_path, bomb)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_document_type_definition_is_refused(tmp_path, encoding):
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    data = changed(book(("ext",)), "xl/styles.xml", xml.encode(encoding))

    with pytest.raises(RosterUnreadable, match="document type definition"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="999999999"><c r="A999999999"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>77</v></c></row>',
        '<row r="1"><c r="XFD1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1e999</v></c></row>',
        '<row r="1"><c r="A1"><v>',
    ],
    ids=["row of a billion", "no such string", "last column", "infinite", "torn"],
)
def test_a_damaged_sheet_is_refused(tmp_path, cells):
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    xml = f'<worksheet xmlns="{name}"><sheetData>{cells}</sheetData></worksheet>'

    with pytest.raises(RosterUnreadable):
        read(tmp_path, changed(book(("ext",)), "xl/worksheets/sheet1.xml", xml.encode()))


def test_another_archive_is_no_workbook(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")

    with pytest.raises(RosterUnreadable, match="it is no workbook"):
        read(tmp_path, file.getvalue())


GOOD = book(HEADS, (1001, "alice@contoso.test", None, "720511"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(4, len(GOOD) - 1), st.integers(1, 255), st.booleans())
def test_a_workbook_with_a_fault_is_read_or_refused(tmp_path, at, flip, cut):
    bad = GOOD[:at] if cut else GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    with contextlib.suppress(RosterUnreadable):
        assert read(tmp_path, bad).path.name == "users.xlsx"


def test_cells_have_the_names_that_spreadsheets_give_them():
    assert [cell_name(7, column) for column in (0, 25, 26, 701, 702)] == [
        "A7",
        "Z7",
        "AA7",
        "ZZ7",
        "AAA7",
    ]
