"""What is wrong in a roster is told with line and column, all at once; PINs never are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.bench.rosterfile import values
from usbprov.bench.rosterfile.reading import read_roster
from usbprov.errors import RosterInvalid


def read(tmp_path, text, name="Floor 2.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return read_roster(path)


def test_everything_is_told_at_once(tmp_path):
    reading = read(
        tmp_path,
        "ext,sip,mac,serial,port,pin,name\n"
        "1001,alice@x.test,0004f2000001,S1,A1,720511,Alice\n"
        "1001,alice@X.test,0004F2000001,s1,a1,720512,Bob\n"
        "10x,bob,0004f2,a b,A123456789012345678,12,Bob\n"
        ",,,,,,Nobody\n"
        "1005,e@x.test,,,,,Eve,more\n",
    )

    assert [str(f) for f in reading.findings if f.is_error] == [
        "line 3, ext: 1001 is on line 2 already",
        "line 3, sip: sip:alice@x.test is on line 2 already",
        "line 3, serial: s1 is on line 2 already",
        "line 3, mac: 00:04:f2:00:00:01 is on line 2 already",
        "line 3, port: a1 is on line 2 already",
        "line 4, ext: '10x' is no extension or phone number",
        "line 4, sip: 'bob' is no SIP address like sip:alice@contoso.com",
        "line 4, serial: 'a b' is no serial number",
        "line 4, mac: '0004f2' is no MAC address: it must have 12 hexadecimal digits",
        "line 4, port: 'A123456789012345678' is no label: at most 16 signs that can be shown",
        "line 4, pin: it is no PIN: a PIN has 4 to 24 digits and nothing else",
        "line 5: nobody is named: it has neither extension nor SIP address",
        (
            "line 6: it has more cells than there are columns: a value with the separating sign"
            " in it must be in quotes"
        ),
    ]


def test_a_double_is_told_also_on_a_line_with_another_error(tmp_path):
    reading = read(tmp_path, "ext,sip\n1001,a@x.test\n1001,bob\n")

    assert [str(f) for f in reading.findings] == [
        "line 3, sip: 'bob' is no SIP address like sip:alice@contoso.com",
        "line 3, ext: 1001 is on line 2 already",
    ]
    assert [entry.line for entry in reading.roster.entries] == [2]


def test_nothing_is_given_out_while_an_error_stands(tmp_path):
    with pytest.raises(RosterInvalid) as caught:
        read(tmp_path, "ext,sip\n1001,alice\nx,y\n").require()

    assert caught.value.code == "ROS-02"
    assert caught.value.count == len(caught.value.problems) == 3
    assert str(caught.value).endswith(
        "3 error(s); the first: line 2, sip: 'alice' is no SIP address like sip:alice@contoso.com"
    )


@pytest.mark.parametrize("text", ["1001.0", "1.001E+3", "1,00427E+11"])
def test_what_a_spreadsheet_made_of_a_number_is_no_number(tmp_path, text):
    (error,) = read(tmp_path, f"ext;sip\n{text};a@x.test\n").findings

    assert error.is_error
    assert "spreadsheet" in error.words


@pytest.mark.parametrize(
    "mac", ["01:00:5e:00:00:01", "000000000000", "ffffffffffff", "0004f200000g", "0004f2000001ff"]
)
def test_what_is_no_devices_mac_is_refused(mac):
    with pytest.raises(ValueError, match="MAC address"):
        values.mac(mac)


@pytest.mark.parametrize(
    "uri", ["alice", "@x.test", "alice@", "a b@x.test", "tel:+1", "a@b@c", "a\u202e@x.test", "1001"]
)
def test_what_is_no_address_is_refused(uri):
    with pytest.raises(ValueError, match="no SIP address"):
        values.sip_uri(uri)


def test_pins_are_known_but_shown_nowhere(tmp_path):
    reading = read(tmp_path, "ext,pin\n1001,720511\n1002,\n")
    roster = reading.require()

    assert [roster.pin_of(entry) for entry in roster.entries] == ["720511", None]
    assert roster.holds_pins
    assert "720511" not in repr(reading)
    assert "720511" not in repr(vars(roster.entries[0]))
    assert "the file holds PINs" in reading.findings[0].words
    assert not reading.findings[0].is_error


def test_a_pin_in_a_wrong_column_is_not_repeated(tmp_path):
    reading = read(tmp_path, "ext,sip,mac,pin\n1001,720511,720511,12a4567\n")

    assert len(reading.findings) == 3
    assert "720511" not in str(reading)
    assert "12a4567" not in str(reading)


def test_a_pin_shorter_than_the_others_is_noted(tmp_path):
    reading = read(tmp_path, "ext,pin\n1,72051\n2,720512\n3,720513\n")

    notes = [f for f in reading.findings if "leading zero" in f.words]
    assert [(n.line, n.is_error) for n in notes] == [(2, False)]


def test_the_rosters_name_is_the_files(tmp_path):
    assert read(tmp_path, "ext\n1001\n").roster.key == "floor 2"


def test_heads_without_users_are_an_error(tmp_path):
    (error,) = read(tmp_path, "ext,sip\n").findings

    assert error.is_error
    assert str(error) == "file: it has the names of the columns, and no user"


OCTETS = st.lists(st.integers(0, 255), min_size=6, max_size=6).filter(
    lambda octets: not octets[0] & 1 and any(octets)
)


@given(OCTETS, st.sampled_from(["", ":", "-", ".", " "]), st.sampled_from([2, 4, 6]), st.booleans())
def test_a_mac_is_the_same_in_every_notation(octets, sign, group, capital):
    digits = bytes(octets).hex()
    written = sign.join(digits[at : at + group] for at in range(0, 12, group))
    usual = ":".join(digits[at : at + 2] for at in range(0, 12, 2))

    assert values.mac(written.upper() if capital else written) == usual


@given(st.text(max_size=40))
def test_whatever_is_read_is_read_the_same_again(text):
    for read_value in values.READERS.values():
        try:
            first = read_value(text)
        except ValueError:
            continue
        assert read_value(first) == first
