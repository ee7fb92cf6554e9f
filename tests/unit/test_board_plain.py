"""The bench as plain lines, where standard output is no terminal."""

import os
from datetime import timedelta

import pytest
from doubles.shift import BUSY, REFUSED, START, BenchDouble, bench, port, shift
from processes import wait_for

from usbprov.bench.states import PortState
from usbprov.bench.terminal import PlainBoard, plain, saying
from usbprov.bench.terminal.keyboard import lines_of


@pytest.fixture
def desk():
    return BenchDouble()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def after_time(line):
    return line.partition(" ")[2]


def test_a_line_a_change(desk, lines):
    with PlainBoard(desk, "bench-1", write=lines.append):
        desk.feed.publish(port("A1", PortState.KEY, number=1, step="key", percent=0))
        wait_for(lambda: len(lines) == 1, "the first line")
        desk.feed.publish(port("A1", PortState.KEY, number=2, step="key", percent=50))
        desk.feed.publish(port("B1", PortState.PLUGGED, number=3))
        wait_for(lambda: len(lines) == 2, "the second line")
        desk.feed.publish(port("A1", PortState.DONE, number=4))
        wait_for(lambda: len(lines) == 3, "the third line")

    assert [after_time(line) for line in lines] == [
        "▸ A1   key: key 0 %",
        "▸ B1   plugged",
        "✓ A1   done: unplug",
    ]


def test_a_change_that_comes_last_is_told(desk, lines):
    with PlainBoard(desk, "bench-1", write=lines.append):
        desk.feed.publish(port("A1", PortState.DONE))
        desk.feed.publish(bench())

    assert after_time(lines[0]) == "✓ A1   done: unplug"
    assert after_time(lines[-1]) == "= bench-1: 37 of 64 done, 9 running, 2 failed"


def test_a_whole_shift_ends_with_the_sums(desk, lines):
    moments = shift(8)
    with PlainBoard(desk, "bench-1", write=lines.append):
        for _, view in moments:
            desk.feed.publish(view)

    assert " done, " in lines[-1]
    assert all(line.isprintable() for line in lines)


def test_other_benches_are_not_told(desk, lines):
    with PlainBoard(desk, "bench-1", write=lines.append):
        desk.feed.publish(port("A1", PortState.DONE, bench="bench-2"))

    assert lines == []


def test_a_failure_says_what_to_do():
    view = port("A1", PortState.FAILED, trouble=REFUSED, serial="S1", user="sip:ada@contoso.test")

    told = saying.port_line(view)

    assert after_time(told) == (
        "✗ A1   failed: WEB-05 pool01.contoso.test refuses the PIN of extension 1017 [S1]"
        " [sip:ada@contoso.test] -"
        " Have the PIN set anew, then choose this port and press Ctrl-R."
    )


def test_a_retry_says_why():
    view = port("A1", PortState.PUBLISHING, step="publish", attempt=2, trouble=BUSY)

    assert "attempt 2: publish; WEB-10 pool01" in saying.port_line(view)


def test_the_sums_say_what_is_left():
    line = saying.bench_line(bench(per_hour=411.6, left=60), START + timedelta(seconds=1))

    assert after_time(line).startswith("= bench-1: 37 of 64 done, 412 an hour, 1 min left, 9 run")


def test_lines_that_are_read_are_scans(desk, lines, pipe):
    reading, writing = pipe
    with PlainBoard(desk, "bench-1", lines_of(reading), lines.append):
        os.write(writing, b"6416")
        os.write(writing, b"7F\r\nunkn")
        wait_for(lambda: desk.asked, "the first scan")
        os.write(writing, "own\n\nBéla\x1b\n".encode())
        wait_for(lambda: len(lines) == 3, "the answers")

    assert [scan for _, scan in desk.asked] == [
        "64167F",
        "unknown",
        "Béla\N{REPLACEMENT CHARACTER}",
    ]
    assert lines[0] == "> 64167F is taken."
    assert lines[1].startswith("! USB-02: ")


def test_the_end_of_the_input_is_not_the_end_of_the_board(desk, lines):
    reading, writing = os.pipe()
    os.write(writing, b"4711\n")
    os.close(writing)
    with PlainBoard(desk, "bench-1", lines_of(reading), lines.append):
        wait_for(lambda: desk.asked, "the scan")
        desk.feed.publish(port("A1", PortState.DONE))
        wait_for(lambda: len(lines) == 2, "the line")
    os.close(reading)


@pytest.mark.parametrize("source", ["silent pipe", "its end", "nobody"])
def test_it_ends_at_once_though_nothing_is_typed(desk, lines, pipe, monkeypatch, source):
    monkeypatch.setattr(plain, "_PERIOD", 86_400.0)
    reading, _ = pipe
    ended = os.open(os.devnull, os.O_RDONLY)
    keyboards = {"silent pipe": lines_of(reading), "its end": lines_of(ended)}
    with PlainBoard(desk, "bench-1", keyboards.get(source), lines.append):
        desk.feed.publish(port("A1", PortState.DONE))
    os.close(ended)
    assert after_time(lines[0]) == "✓ A1   done: unplug"


def test_there_is_no_prompt(desk):
    with PlainBoard(desk, "bench-1") as board:
        assert not board.takes_pins
