"""A roster as text: whatever a spreadsheet, an export or an editor makes of the same table."""

import pytest

from usbprov.bench.rosterfile.reading import read_roster
from usbprov.errors import RosterUnreadable

ROWS = (
    ("Extension", "SIP Address", "Display Name", "MAC"),
    ("1001", "sip:alice@contoso.test", "Alíce, A.", "00:04:f2:00:00:01"),
    ("1002", "sip:bob@contoso.test", "Bob", "00:04:f2:00:00:02"),
)


def text(delimiter=",", end="\n", quote=True):
    def cell(value):
        return f'"{value}"' if quote and (delimiter in value or quote == "all") else value

    return end.join(delimiter.join(map(cell, row)) for row in ROWS) + end


def read(tmp_path, data, name="users.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_roster(path)


FORMS = {
    "commas": text().encode(),
    "semicolons": text(";").encode(),
    "tabs": text("\t").encode(),
    "CRLF": text(end="\r\n").encode(),
    "CR": text(end="\r").encode(),
    "all quoted": text(quote="all").encode(),
    "UTF-8 with BOM": text().encode("utf-8-sig"),
    "UTF-16, tabs": text("\t", "\r\n").encode("utf-16"),
    "UTF-16 big-endian": b"\xfe\xff" + text().encode("utf-16-be"),
    "Windows-1252": text(";").encode("cp1252"),
    "sep=": b"sep=|\r\n" + text("|", "\r\n").encode(),
    "Export-Csv": b"#TYPE Deserialized.Microsoft.Rtc\r\n" + text(end="\r\n", quote="all").encode(),
    "empty lines": text().replace("\n", "\n\n,,,\n").encode(),
    "spaces": text(";").replace(";", " ; ").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(tmp_path, form):
    roster = read(tmp_path, FORMS[form]).require()

    assert [(e.extension, e.sip_uri, e.display_name, e.mac) for e in roster.entries] == list(
        ROWS[1:]
    )


def test_line_numbers_are_the_files_own(tmp_path):
    data = 'ext,name\n\n1001,"Alice"\n"1002","Bob"\n\n1003,Carol\n'

    assert [e.line for e in read(tmp_path, data).require().entries] == [3, 4, 6]


def test_a_quoted_line_break_is_told_at_the_line_where_the_row_begins(tmp_path):
    data = 'ext,name\n1001,"Alice\nA."\n1002,Bob\n'
    reading = read(tmp_path, data)

    assert [str(f) for f in reading.findings] == [
        "line 2, name: the name has a line break or control character, or is too long"
    ]
    assert [e.line for e in reading.roster.entries] == [4]


def test_windows_1252_is_told(tmp_path):
    (note,) = read(tmp_path, FORMS["Windows-1252"]).findings

    assert not note.is_error
    assert "Windows-1252" in note.words


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"ext\n1001\x00\n", "no text file"),
        (b"ext,name\n1001,\x81\xfe\n", "neither in UTF-8"),
        (b'ext,name\n1001,"Alice\n1002,Bob\n', "line 2"),
        (b'ext,name\n1001,"Al"ice\n', "line 2"),
        (b"ext" + b",x" * 300, "301 columns"),
        (b"ext\n" + b"1001\n" * 20_001, "more than 20000 lines"),
        (b"ext\n" + b"1" * (17 << 20), "more than 16 MiB"),
    ],
    ids=["nothing", "blank", "NUL", "bytes", "open quote", "stray quote", "wide", "long", "big"],
)
def test_what_is_no_table_is_refused(tmp_path, data, reason):
    with pytest.raises(RosterUnreadable, match=reason) as caught:
        read(tmp_path, data)

    assert caught.value.path.endswith("users.csv")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RosterUnreadable, match="No such file"):
        read_roster(tmp_path / "users.csv")
