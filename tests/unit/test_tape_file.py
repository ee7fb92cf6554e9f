"""The tape's file: whole lines as they happen, private, bounded, and readable when cut off."""

import json
from pathlib import Path

import pytest

from usbprov.errors import BundleInvalid, NothingRecorded
from usbprov.tape import folder as folders
from usbprov.tape import writer as writers
from usbprov.tape.events import FORMAT, Event, Kind, packed, read_event, text, unpacked
from usbprov.tape.folder import TapeFolder, name_with_job
from usbprov.tape.reader import MAX_BYTES, Tape, read_tape
from usbprov.tape.writer import TapeWriter

HEAD = {"format": FORMAT, "began": "2026-11-29T10:00:00+00:00"}


def begun(path: Path) -> TapeWriter:
    writer = TapeWriter(path)
    writer.note(Kind.RUN, HEAD)
    return writer


def read(path: Path) -> Tape:
    return read_tape(path.read_bytes(), str(path))


def test_each_event_is_in_the_file_at_once(tmp_path: Path) -> None:
    writer = begun(tmp_path / "tapes" / "a.jsonl")
    writer.note(Kind.STEP_BEGUN, {"step": "key"})
    assert [event.kind for event in read(writer.path).events] == [Kind.RUN, Kind.STEP_BEGUN]
    writer.close()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    writer = begun(tmp_path / "tapes" / "a.jsonl")
    writer.close()
    assert writer.path.stat().st_mode & 0o777 == 0o600
    assert writer.path.parent.stat().st_mode & 0o777 == 0o700


def test_half_a_line_at_the_end_is_passed_over(tmp_path: Path) -> None:
    writer = begun(tmp_path / "a.jsonl")
    writer.note(Kind.STEP_BEGUN, {"step": "key"})
    writer.close()
    whole = writer.path.read_bytes()
    for end in range(whole.index(b"\n") + 1, len(whole) - 1):
        assert [e.kind for e in read_tape(whole[:end], "a").events] == [Kind.RUN]


def test_a_line_that_is_too_long_is_kept_as_its_size(tmp_path: Path) -> None:
    writer = begun(tmp_path / "a.jsonl")
    writer.note(Kind.TOLD, {"port": "http", "key": "GET a", "result": "x" * writers.MAX_LINE})
    writer.close()
    event = read(writer.path).events[-1]
    assert (event.body["port"], event.body["key"]) == ("http", "GET a")
    assert "result" not in event.body
    assert "too_long" in event.body


def test_a_full_tape_keeps_its_beginning_and_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "MAX_TAPE", 2000)
    writer = begun(tmp_path / "a.jsonl")
    for number in range(100):
        writer.note(Kind.SENT, {"bytes": number})
    writer.note(Kind.STEP_ENDED, {"step": "key"})
    writer.note(Kind.ENDED, {"outcome": "provisioned"})
    writer.close()
    tape = read(writer.path)
    assert tape.cut
    assert [e.body["bytes"] for e in tape.of_kind(Kind.SENT)][:3] == [0, 1, 2]
    assert [e.kind for e in tape.events][-3:] == [Kind.CUT, Kind.STEP_ENDED, Kind.ENDED]
    assert len(writer.path.read_bytes()) < 2500


def test_a_disk_that_is_full_ends_the_tape_and_not_the_job(tmp_path: Path) -> None:
    (tmp_path / "tapes").write_text("a file in the folder's place")
    writer = TapeWriter(tmp_path / "tapes" / "a.jsonl")
    writer.note(Kind.RUN, HEAD)
    writer.rename(tmp_path / "b.jsonl")
    writer.close()
    assert not (tmp_path / "b.jsonl").exists()


def test_secrets_that_are_known_are_kept_out_of_others_words(tmp_path: Path) -> None:
    writer = begun(tmp_path / "a.jsonl")
    writer.hide(["90210673", "", "1"])
    assert writer.hidden("PIN 90210673 of extension 1001") == "PIN *** of extension 1001"
    writer.close()


def test_bytes_come_back_and_what_was_removed_are_zeros() -> None:
    value = {"a": b"\x00\xff", "b": [1, 2.5, None, True, "x"], "c": {"$removed": 3}}
    assert unpacked(packed(value)) == value | {"c": bytes(3)}
    assert packed(object()) == "(object)"


@pytest.mark.parametrize(
    "value", [{"$bytes": "?"}, {"$bytes": 1}, {"$removed": -1}, {"$removed": 1 << 40}]
)
def test_made_up_bytes_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"removed|bytes"):
        unpacked(value)  # type: ignore[arg-type]


def test_text_is_fit_to_be_shown() -> None:
    assert text("a\x1b[31mb\n\u202ec") == "a\ufffd[31mb\ufffd\ufffdc"
    assert text(["no text"]) == ""


LINES = [
    "",
    "[]",
    "{}",
    "null",
    '{"at": 1}',
    '{"at": -1, "kind": "run"}',
    '{"at": true, "kind": "run"}',
    '{"at": 1, "kind": "no such"}',
    '{"at": NaN, "kind": "run"}',
    "[" * 100_000,
]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own is one
        read_event(line)
    with pytest.raises(BundleInvalid):
        read_tape(line.encode() + b"\n", "a")


@pytest.mark.parametrize(
    "head",
    [
        Event(0, Kind.RUN, {"format": 99, "began": "2026-11-29T10:00:00+00:00"}),
        Event(0, Kind.RUN, {"format": FORMAT, "began": "yesterday"}),
        Event(0, Kind.RUN, {"format": FORMAT}),
        Event(0, Kind.ENDED, HEAD),  # type: ignore[arg-type]
    ],
)
def test_a_tape_of_another_form_is_refused(head: Event) -> None:
    with pytest.raises(BundleInvalid):
        read_tape(head.line().encode(), "a")


def test_a_tape_that_is_too_large_is_refused() -> None:
    head = Event(0, Kind.RUN, HEAD).line().encode()  # type: ignore[arg-type]
    with pytest.raises(BundleInvalid, match="larger"):
        read_tape(head + b" " * MAX_BYTES, "a")
    with pytest.raises(BundleInvalid, match="too many"):
        read_tape(head + b"{}\n" * 100_001, "a")
    with pytest.raises(BundleInvalid):
        read_tape(b"", "a")


def test_the_folder_keeps_the_newest_and_finds_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "KEPT", 3)
    folder = TapeFolder(tmp_path / "ledger.sqlite3")
    names = []
    for number in range(5):
        writer = begun(folder.new())
        writer.rename(name_with_job(writer.path, number % 2))
        writer.close()
        names.append(writer.path.name)
    (folder.path / "notes.txt").write_text("somebody's own")
    assert [tape.path.name for tape in folder.tapes()] == names[:1:-1]
    assert folder.of_job(0).path.name == names[4]
    assert folder.of_job(1).path.name == names[3]
    with pytest.raises(NothingRecorded):
        folder.of_job(2)
    assert (folder.path / "notes.txt").exists()


def test_an_event_is_one_line_of_json() -> None:
    line = Event(1.23456, Kind.SENT, {"words": "a\nb"}).line()
    assert line.count("\n") == 1
    assert json.loads(line) == {"at": 1.2346, "kind": "sent", "words": "a\nb"}
