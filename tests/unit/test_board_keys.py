"""Keys of a terminal: read back from what it sends, however that is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.bench.terminal.keys import Key, KeyDecoder

SENT = {
    "\x1b[A": Key.UP,
    "\x1bOB": Key.DOWN,
    "\x1b[1;5A": Key.UP,
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\t": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\x15": Key.CLEAR,
    "\x12": Key.RETRY,
    "\x0b": Key.SKIP,
    "\x06": Key.FIND,
    "\x0c": Key.REDRAW,
}
COMMANDS = {Key.RETRY, Key.SKIP, Key.FIND, Key.STOP}


def keys_of(*pieces: str) -> list[Key | str]:
    decoder = KeyDecoder()
    return [key for piece in pieces for key in decoder.feed(piece)]


@pytest.mark.parametrize("sent", SENT)
def test_keys_in_one_piece(sent):
    assert keys_of(sent) == [SENT[sent]]


@pytest.mark.parametrize("sent", SENT)
def test_keys_in_single_characters(sent):
    assert keys_of(*sent) == [SENT[sent]]


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40), st.integers(0, 40))
def test_a_scan_is_text_and_an_end_of_line(text, cut):
    assert keys_of(text[:cut], text[cut:], "\r") == [*text, Key.ENTER]


@given(st.text("0123456789ABCDEFabcdef:-./+$% ", max_size=40))
def test_no_barcode_is_a_command(text):
    assert not COMMANDS.intersection(keys_of(text + "\r"))


@pytest.mark.parametrize("sent", ["\x1b[15~", "\x1b[5~", "\x1bOP", "\x1b[?1;2c", "\x1b[<0;3;4M"])
def test_sequences_that_mean_nothing_leave_no_text(sent):
    assert keys_of(sent, "x") == ["x"]


def test_an_endless_sequence_ends():
    assert keys_of("\x1b[" + "1" * 100)[-1] == "1"


def test_escape_alone_is_known_when_nothing_follows():
    decoder = KeyDecoder()

    assert list(decoder.feed("\x1b")) == []
    assert decoder.waits
    assert list(decoder.flush()) == [Key.ESCAPE]
    assert not decoder.waits


def test_escape_and_a_letter_are_both():
    assert keys_of("\x1bx") == [Key.ESCAPE, "x"]
    assert keys_of("\x1b\x1b[A") == [Key.ESCAPE, Key.UP]


def test_a_sequence_cut_short_is_no_escape():
    decoder = KeyDecoder()

    list(decoder.feed("\x1b["))

    assert list(decoder.flush()) == []
    assert list(decoder.feed("A")) == ["A"]


def test_other_control_characters_are_nothing():
    assert keys_of("\x00\x01\x07\x1d\x1e\x85\u202e") == []
