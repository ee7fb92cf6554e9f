"""A bundle comes from a stranger: nothing in it is believed, or unpacked beyond its bounds."""

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from usbprov.engine.replay import Ending, recorded_ending, replay
from usbprov.errors import BundleInvalid, BundleNotWritten
from usbprov.tape import bundle as bundles
from usbprov.tape.bundle import MANIFEST, MEMBERS, TAPE, Bundle, read_bundle, write_bundle
from usbprov.tape.events import Event, Kind
from usbprov_drivers.smp.identity import (
    INTERFACE_CLASS,
    INTERFACE_NAME,
    INTERFACE_PROTOCOL,
    INTERFACE_SUBCLASS,
)

URL = "https://pool.test/CertProv/CertProvisioningService.svc"
RUN: dict[str, Any] = {
    "format": 1,
    "usbprov": "0.1.0",
    "began": "2026-11-29T10:00:00+00:00",
    "order": {
        "web_services_url": URL,
        "credential": {"ways": ["pin"], "name": "1001", "because": "it was asked for"},
        "bits": 2048,
        "slot": 0,
    },
    "device": {
        "bus": "usbip://phones",
        "port_path": "1-1",
        "vendor_id": 0x1209,
        "product_id": 1,
        "family": "smp",
        "interfaces": [
            {
                "number": 0,
                "alternate": 0,
                "cls": INTERFACE_CLASS,
                "subclass": INTERFACE_SUBCLASS,
                "protocol": INTERFACE_PROTOCOL,
                "name": INTERFACE_NAME,
            }
        ],
    },
    "return_seconds": 0,
    "retries": {"attempts": 5, "seconds": 60},
}  # fmt: skip
ENDED = {"outcome": "failed", "error": {"code": "USB-07", "facts": {"phone": "phone 1-1"}}}


def tape(*events: tuple[Kind, dict[str, Any]], run: object = RUN) -> bytes:
    lines = [(Kind.RUN, run), *events]
    return "".join(Event(n, k, b).line() for n, (k, b) in enumerate(lines)).encode()  # type: ignore[arg-type]


def packed(members: dict[str, bytes], **changes: object) -> bytes:
    """Pack members with a manifest that fits them."""
    digests = {name: sha256(content).hexdigest() for name, content in members.items()}
    manifest = {"format": 1, "files": digests} | changes
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in {MANIFEST: json.dumps(manifest).encode(), **members}.items():
            opened.writestr(name, content)
    return file.getvalue()


def opened(folder: Path, data: bytes) -> Bundle:
    file = folder / "bundle.zip"
    file.write_bytes(data)
    return read_bundle(file)


def test_a_bundle_comes_back(tmp_path: Path) -> None:
    bundle = opened(tmp_path, packed({TAPE: tape((Kind.ENDED, ENDED))}))
    ending = recorded_ending(bundle.tape())
    assert (ending.step, ending.code) == ("", "USB-07")


def named(name: str, content: bytes = b"") -> bytes:
    return packed({TAPE: tape(), name: content})


def bomb(monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setitem(MEMBERS, "host.json", 1000)  # type: ignore[arg-type]
    return packed({"host.json": bytes(50_000_000)})


def lying_size() -> bytes:
    """A member that says it is small, and unpacks to more."""
    data = bytearray(packed({"host.json": b"0" * 2_000_000}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as to:
        to.writestr(MANIFEST, b'{"format": 1}')
        with pytest.warns(UserWarning, match="Duplicate"):
            to.writestr(MANIFEST, b'{"format": 1}')
    return file.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no zip": lambda: b"PK\x03\x04 nothing",
    "cut": lambda: packed({TAPE: tape()})[:-30],
    "path up": lambda: named("../../.bashrc"),
    "absolute": lambda: named("/etc/passwd"),
    "unknown member": lambda: named("run.py"),
    "folder": lambda: named("tape.jsonl/"),
    "size that lies": lying_size,
    "a member twice": twice,
    "no manifest": lambda: packed({}).replace(MANIFEST.encode(), b"manifest.jsom"),
    "manifest no map": lambda: packed({}, format=[1]).replace(b"x", b"x"),
    "other format": lambda: packed({}, format=2),
    "other digest": lambda: packed({TAPE: tape()}, files={TAPE: "0" * 64}),
    "a file that is missing": lambda: packed({}, files={TAPE: "0" * 64}),
    "digests no map": lambda: packed({TAPE: tape()}, files=[TAPE]),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_bundle_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(BundleInvalid):
        opened(tmp_path, make())
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.zip"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleInvalid, match="larger than 1000 bytes"):
        opened(tmp_path, bomb(monkeypatch))


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "_MAX_FILE", 10)
    with pytest.raises(BundleInvalid, match="larger than 10 bytes"):
        opened(tmp_path, packed({TAPE: tape()}))


def test_nested_json_is_refused(tmp_path: Path) -> None:
    manifest = b"[" * 200_000
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as to:
        to.writestr(MANIFEST, manifest)
    with pytest.raises(BundleInvalid):
        opened(tmp_path, file.getvalue())


def test_a_bundle_without_a_tape_says_so(tmp_path: Path) -> None:
    bundle = opened(tmp_path, packed({"host.json": b"[]"}))
    assert not bundle.has_tape
    with pytest.raises(BundleInvalid, match="no tape"):
        bundle.tape()


def test_a_bundle_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleNotWritten):
        write_bundle(tmp_path / "no folder" / "a.zip", {MANIFEST: b"{}"})
    write_bundle(tmp_path / "a.zip", {MANIFEST: b'{"format": 1}'})
    assert (tmp_path / "a.zip").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def played(folder: Path, *events: tuple[Kind, dict[str, Any]], run: object = RUN) -> Ending:
    bundle = opened(folder, packed({TAPE: tape(*events, (Kind.ENDED, ENDED), run=run)}))
    return replay(bundle.tape(), lambda _: None)


OPEN = (Kind.CABLE, {"op": "open", "cable": "bulk"})
RESYNC = (Kind.CABLE, {"op": "resync"})
GONE = (Kind.CABLE, {"op": "resync", "error": ENDED["error"]})


def test_a_tape_that_was_made_by_hand_can_be_played(tmp_path: Path) -> None:
    ending = played(tmp_path, OPEN, GONE)
    assert (ending.step, ending.code) == ("", "USB-07")


DEEP = json.loads("[" * 90 + "]" * 90)

EVENTS: dict[str, list[tuple[Kind, dict[str, Any]]]] = {
    "nothing": [],
    "an error that there is not": [(Kind.CABLE, {"op": "open", "error": {"code": "X"}})],
    "an error that is none": [(Kind.CABLE, {"op": "open", "cable": "bulk", "error": 1})],
    "another cable": [(Kind.CABLE, {"op": "open", "cable": "serial"})],
    "no answer": [OPEN, RESYNC],
    "messages of no kind": [OPEN, RESYNC, (Kind.SENT, {"messages": 7})],
    "a message without a header": [
        OPEN,
        RESYNC,
        (Kind.SENT, {"messages": [{"op": 0, "group": 0, "command": 6, "sequence": 1}]}),
        (Kind.RECEIVED, {"messages": [{"op": "x"}]}),
    ],
    "a message that is too deep": [
        OPEN,
        RESYNC,
        (Kind.SENT, {"messages": [{"op": 0, "group": 0, "command": 6, "sequence": 1}]}),
        (Kind.RECEIVED, {"messages": [
            {"op": 1, "group": 0, "command": 6, "sequence": 1, "map": {"a": DEEP}}
        ]}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS)
def test_a_tape_that_does_not_fit_is_left_in_order(
    tmp_path: Path, events: list[tuple[Kind, dict[str, Any]]]
) -> None:
    assert played(tmp_path, *events).code == "TAP-03"


def spoilt(**changes: object) -> dict[str, Any]:
    return RUN | changes


RUNS: dict[str, object] = {
    "no order": spoilt(order=None),
    "an order of no kind": spoilt(order=[1]),
    "a way that there is not": spoilt(order=RUN["order"] | {"credential": {"ways": ["magic"]}}),
    "a slot that is no number": spoilt(order=RUN["order"] | {"slot": "0"}),
    "a slot without end": spoilt(order=RUN["order"] | {"slot": 1 << 70}),
    "a key of no kind": spoilt(order=RUN["order"] | {"key": "stolen"}),
    "no device": spoilt(device=None),
    "a device without numbers": spoilt(device=RUN["device"] | {"vendor_id": None}),
    "a family that there is not": spoilt(device=RUN["device"] | {"family": "os.system"}),
    "a family that only detects": spoilt(device=RUN["device"] | {"family": "lpe"}),
    "an interface of no kind": spoilt(device=RUN["device"] | {"interfaces": [7]}),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_head_that_cannot_be_read_is_refused(tmp_path: Path, run: object) -> None:
    with pytest.raises(BundleInvalid):
        played(tmp_path, OPEN, GONE, run=run)


@pytest.mark.parametrize(
    "earlier",
    [
        {"record": {}},
        {"record": {"nonce": {"$bytes": "AAAA"}, "slot": 0}},
        {"record": None, "artifacts": 3},
        7,
    ],
)
def test_an_earlier_job_that_was_made_up_is_refused(tmp_path: Path, earlier: object) -> None:
    with pytest.raises(BundleInvalid):
        played(tmp_path, OPEN, GONE, (Kind.JOB, {"job": 1, "earlier": earlier}))


def test_a_tape_that_was_full_is_not_played(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="full"):
        played(tmp_path, OPEN, (Kind.CUT, {}))


def test_what_is_shown_cannot_upset_a_terminal(tmp_path: Path) -> None:
    error = {"code": "USB-07", "facts": {"phone": "\x1b]0;owned\x07"}, "message": "\x1b[2J"}
    ended = (Kind.ENDED, {"outcome": "failed", "error": error})
    bundle = opened(tmp_path, packed({TAPE: tape(ended)}))
    assert "\x1b" not in str(recorded_ending(bundle.tape()))
