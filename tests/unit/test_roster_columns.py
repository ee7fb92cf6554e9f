"""The columns of a roster are known by whatever name the tools of this world give them."""

import pytest

from usbprov.bench.rosterfile.columns import KNOWN_UNUSED, SYNONYMS, Field, find_columns, plain
from usbprov.bench.rosterfile.reading import read_roster


def read(tmp_path, text):
    path = tmp_path / "users.csv"
    path.write_text(text, "utf-8")
    return read_roster(path)


@pytest.mark.parametrize(
    ("head", "value", "field", "read_as"),
    [
        ("LineURI", "tel:+14255551001;ext=1001", "extension", "1001"),
        ("Line URI", "tel:+14255551001", "extension", "+14255551001"),
        ("PHONE", "+1 (425) 555-1001", "extension", "+14255551001"),
        ("Ext.", "1001", "extension", "1001"),
        ("SipAddress", "sip:Alice@Contoso.test", "sip_uri", "sip:alice@contoso.test"),
        ("upn", "alice@contoso.test", "sip_uri", "sip:alice@contoso.test"),
        ("MAC-Address", "0004F2ABCDEF", "mac", "00:04:f2:ab:cd:ef"),
        ("macaddress", "0004.f2ab.cdef", "mac", "00:04:f2:ab:cd:ef"),
        ("mac", "00-04-F2-AB-CD-EF", "mac", "00:04:f2:ab:cd:ef"),
        ("Serial Number", "EMU0001", "serial", "EMU0001"),
        ("Label", "A3", "port", "A3"),
        ("Display_Name", "Alice", "display_name", "Alice"),
    ],
)
def test_a_column_is_known(tmp_path, head, value, field, read_as):
    needed = "" if field == "extension" else "extension,"
    roster = read(tmp_path, f"{needed}{head}\n{'9,' if needed else ''}{value}\n").require()

    assert getattr(roster.entries[0], field) == read_as


def test_every_name_means_one_thing():
    names = [name for names in SYNONYMS.values() for name in names]

    assert len(names) == len(set(names))
    assert not KNOWN_UNUSED & set(names)
    assert [n for n in (*names, *KNOWN_UNUSED) if plain(n) != n] == []


def test_of_two_columns_that_say_the_same_the_better_one_counts(tmp_path):
    reading = read(tmp_path, "Phone,UPN,LineURI,SipAddress\n,b@x.test,tel:5;ext=7,a@x.test\n")

    assert reading.require().entries[0].extension == "7"
    assert reading.roster.entries[0].sip_uri == "sip:a@x.test"
    assert [str(f) for f in reading.findings] == [
        "line 1, Phone: it is not used: 'LineURI' says the same",
        "line 1, UPN: it is not used: 'SipAddress' says the same",
    ]


def test_an_unknown_column_is_an_error(tmp_path):
    reading = read(tmp_path, "ext,colour\n1001,blue\n")

    assert [str(f) for f in reading.findings] == [
        "line 1, colour: no such column is known: correct its name, or take it out"
    ]
    assert reading.findings[0].is_error


def test_what_exports_have_beside_it_is_only_noted(tmp_path):
    reading = read(tmp_path, "SipAddress,RegistrarPool,Enabled\na@x.test,pool,True\n")

    assert [f.is_error for f in reading.findings] == [False, False]


def test_the_same_column_twice_is_an_error(tmp_path):
    reading = read(tmp_path, "ext,MAC,Mac\n1001,0004f2000001,0004f2000002\n")

    assert "line 1, Mac: it is there twice: 'MAC' is the same" in map(str, reading.findings)


def test_without_heads_nothing_of_the_first_line_is_repeated(tmp_path):
    reading = read(tmp_path, "1001,alice@contoso.test,720511\n")

    (error,) = (f for f in reading.findings if "names of the columns" in f.words and f.is_error)
    assert "720511" not in str(reading)
    assert error.line == 1


def test_a_roster_without_users_column_is_refused(tmp_path):
    reading = read(tmp_path, "name,mac\nAlice,0004f2000001\n")

    assert [str(f) for f in reading.findings] == [
        "line 1: there is neither a column extension nor a column sip address"
    ]


def test_all_fields_have_names():
    assert set(SYNONYMS) == set(Field)
    assert find_columns.__doc__
