"""The emulated phone's firmware, request by request: refusals, boundaries, memory."""

import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from smp_links import NONCE, issue, wait_until

from usbprov.emulation.contract import PhoneSpec
from usbprov.errors import LabUnusable
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.emulator import boot
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.model import Model
from usbprov_drivers.smp.personality import OPTIONS, make_up
from usbprov_drivers.smp.ports import ConsolePort, RawPort
from usbprov_drivers.smp.schema import Record, dump_record
from usbprov_drivers.smp.state import MAX_ROOTS
from usbprov_drivers.smp.uploads import DURABLE_EVERY
from usbprov_drivers.smp.wire import Message, Op, Version

KEY = generate_rsa()
PKCS8 = to_pkcs8(KEY)
CERTIFICATE = issue(KEY.public_key())
SHA = sha256(CERTIFICATE).digest()
ALL = {"import-key": ""}

Fields = Mapping[str, object]
Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)


def a_phone(folder: Path, personality: Mapping[str, str] | None = None) -> Firmware:
    return boot(PhoneSpec(1, folder / "state", (), ALL if personality is None else personality))


def ask(phone: Firmware, command: m.Command[Q, A], request: Record | Fields) -> Fields:
    fields = request if isinstance(request, Mapping) else dump_record(request)
    payload = encode_map(fields)
    message = Message(command.op, command.group, command.number, 1, payload)
    response = phone.handle(message)
    assert response.answers(message)
    return decode_map(response.payload)


def refusal(phone: Firmware, command: m.Command[Q, A], request: Record | Fields) -> m.Rc:
    answer = ask(phone, command, request)
    error = answer.get("err")
    assert isinstance(error, dict), answer
    assert error["group"] == m.GROUP
    return m.Rc(error["rc"])


def piece(
    content: bytes, off: int, size: int, kind: m.Kind = m.Kind.CERT, slot: int | None = 0
) -> m.PutRequest:
    sha = sha256(content).digest()
    return m.PutRequest(kind, off, len(content), sha, content[off : off + size], slot)


def put(
    phone: Firmware, content: bytes, kind: m.Kind = m.Kind.CERT, slot: int | None = 0
) -> Fields:
    return ask(phone, m.PUT, piece(content, 0, len(content), kind, slot))


def import_key(phone: Firmware, nonce: bytes = NONCE) -> Fields:
    whole = piece(PKCS8, 0, len(PKCS8), m.Kind.KEY)
    ask(phone, m.PUT, replace(whole, nonce=nonce))
    return ask(phone, m.COMMIT, m.CommitRequest(m.Kind.KEY, whole.sha, 0, nonce=nonce))


def commit(phone: Firmware) -> Fields:
    return ask(phone, m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA, 0))


@pytest.mark.parametrize(
    ("message", "rc"),
    [
        (Message(Op.READ, 1, 0, 1, b"\xa0"), m.MgmtRc.NOT_SUPPORTED),
        (Message(Op.READ, m.GROUP, 99, 1, b"\xa0"), m.MgmtRc.NOT_SUPPORTED),
        (Message(Op.WRITE, m.GROUP, m.INFO.number, 1, b"\xa0"), m.MgmtRc.NOT_SUPPORTED),
        (Message(Op.READ_RESPONSE, m.GROUP, 0, 1, b"\xa0"), m.MgmtRc.NOT_SUPPORTED),
        (Message(Op.READ, m.GROUP, 0, 1, b""), m.MgmtRc.INVALID),
        (Message(Op.READ, m.GROUP, 0, 1, b"\xa1"), m.MgmtRc.INVALID),
        (Message(Op.WRITE, 0, 0, 1, b"\xa1\x61d\x01"), m.MgmtRc.INVALID),
        (Message(Op.READ, m.GROUP, 0, 1, b"\xa0", Version.SMP1), m.MgmtRc.TOO_OLD),
    ],
    ids=["group", "command", "op", "response", "empty", "cut", "os field", "version"],
)
def test_the_message_layer_refuses_in_the_standard_form(
    tmp_path: Path, message: Message, rc: m.MgmtRc
) -> None:
    response = a_phone(tmp_path).handle(message)
    assert decode_map(response.payload) == {"rc": rc}
    assert response.version is message.version


def test_the_os_group_answers_both_versions(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    for version in Version:
        echo = Message(Op.WRITE, 0, 0, 9, encode_map({"d": "hello"}), version)
        assert decode_map(phone.handle(echo).payload) == {"r": "hello"}
        parameters = Message(Op.READ, 0, 6, 9, b"\xa0", version)
        assert decode_map(phone.handle(parameters).payload) == {"buf_size": 4096, "buf_count": 1}


@pytest.mark.parametrize(
    ("command", "request_", "rc"),
    [
        (m.KEYGEN, m.KeygenRequest(1, 2048, NONCE, replace=False), m.Rc.NO_SUCH_SLOT),
        (m.KEYGEN, m.KeygenRequest(0, 1024, NONCE, replace=False), m.Rc.UNSUPPORTED),
        (m.KEYGEN, {"slot": 0, "bits": 2048, "nonce": NONCE}, m.Rc.INVALID),
        (m.JOB, m.JobRequest(1), m.Rc.NO_SUCH_JOB),
        (m.CSR, m.CsrRequest(0, "x"), m.Rc.EMPTY),
        (m.CSR, m.CsrRequest(0, ""), m.Rc.INVALID),
        (m.PUT, piece(b"x", 0, 1, m.Kind.CERT, None), m.Rc.INVALID),
        (m.PUT, piece(b"x", 0, 1, m.Kind.ROOT, 0), m.Rc.INVALID),
        (m.PUT, piece(b"x", 0, 1, m.Kind.CERT, 7), m.Rc.NO_SUCH_SLOT),
        (m.PUT, piece(b"x", 0, 1, m.Kind.KEY), m.Rc.INVALID),
        (m.PUT, piece(bytes(16385), 0, 1), m.Rc.TOO_LARGE),
        (m.PUT, replace(piece(b"xy", 0, 2), len=1), m.Rc.INVALID),
        (m.COMMIT, m.CommitRequest(m.Kind.CHAIN, SHA, 0), m.Rc.INVALID),
        (m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA), m.Rc.INVALID),
        (m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA, 0), m.Rc.NOT_STAGED),
        (m.COMMIT, m.CommitRequest(m.Kind.ROOT, SHA), m.Rc.NOT_STAGED),
        (m.COMMIT, m.CommitRequest(m.Kind.KEY, SHA, 0), m.Rc.INVALID),
        (m.COMMIT, m.CommitRequest(m.Kind.KEY, SHA, 0, nonce=NONCE), m.Rc.NOT_STAGED),
        (m.GET, m.GetRequest(m.Kind.CERT, 0), m.Rc.EMPTY),
        (m.GET, m.GetRequest(m.Kind.ROOT), m.Rc.EMPTY),
        (m.GET, m.GetRequest(m.Kind.KEY, 0), m.Rc.UNSUPPORTED),
        (m.GET, m.GetRequest(m.Kind.CHAIN, 0, off=1), m.Rc.INVALID),
        (m.PROVE, m.ProveRequest(0, NONCE), m.Rc.EMPTY),
        (m.PROVE, m.ProveRequest(0, NONCE[:15]), m.Rc.INVALID),
        (m.SIGN, m.SignRequest(0, bytes(36)), m.Rc.EMPTY),
        (m.ERASE, m.EraseRequest(0, "EMU0002/0"), m.Rc.NOT_CONFIRMED),
        (m.ERASE, m.EraseRequest(0, ""), m.Rc.NOT_CONFIRMED),
        (m.ERASE, m.EraseRequest(3, "EMU0001/3"), m.Rc.NO_SUCH_SLOT),
        (m.CONFIGURE_WRITE, {"slot": 0, "when": "later"}, m.Rc.INVALID),
        (m.IDENTIFY, {"on": 1}, m.Rc.INVALID),
    ],
)
def test_refusals_change_nothing(
    tmp_path: Path, command: m.Command[Record, Record], request_: Record | Fields, rc: m.Rc
) -> None:
    phone = a_phone(tmp_path)
    before = phone._store.state
    assert refusal(phone, command, request_) is rc
    assert phone._store.state == before


@pytest.mark.parametrize("command", [m.KEYGEN, m.JOB, m.PROVE, m.SIGN, m.CONFIGURE_WRITE])
def test_what_the_model_cannot_do_is_unsupported(
    tmp_path: Path, command: m.Command[Record, Record]
) -> None:
    phone = a_phone(tmp_path)
    bare = Firmware(replace(phone.model, caps=m.Caps(0)), phone._store)
    assert refusal(bare, command, {}) is m.Rc.UNSUPPORTED
    assert refusal(bare, m.PUT, piece(b"x", 0, 1, m.Kind.ROOT, None)) is m.Rc.UNSUPPORTED


def test_a_piece_is_stored_only_where_it_belongs(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 0)) == {"off": 0}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 100, 100)) == {"off": 0}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 100)) == {"off": 100}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 100)) == {"off": 100}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 100, 9999)) == {"off": len(CERTIFICATE)}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 0)) == {"off": len(CERTIFICATE)}


def test_another_digest_begins_a_new_object(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    ask(phone, m.PUT, piece(CERTIFICATE, 0, 100))
    other = bytes(3000)
    assert ask(phone, m.PUT, piece(other, 0, 0)) == {"off": 0}
    assert ask(phone, m.PUT, piece(other, 0, 2500)) == {"off": 2500}
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 0)) == {"off": 0}


def test_a_wrong_digest_discards_the_object(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    wrong = replace(piece(CERTIFICATE, 0, len(CERTIFICATE)), sha=bytes(32))
    assert refusal(phone, m.PUT, wrong) is m.Rc.HASH_MISMATCH
    assert ask(phone, m.PUT, replace(wrong, data=b"")) == {"off": 0}


def test_received_bytes_survive_a_restart_but_for_the_last_few(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    content = bytes(range(256)) * 40
    for at in range(0, 7000, 500):
        assert ask(phone, m.PUT, piece(content, at, 500)) == {"off": at + 500}
    again = a_phone(tmp_path)
    off = ask(again, m.PUT, piece(content, 0, 0))["off"]
    assert isinstance(off, int)
    assert 7000 - DURABLE_EVERY <= off <= 7000
    assert DURABLE_EVERY <= 4096, "PROTOCOL.md 2.3"


def test_a_finished_object_survives_a_restart(tmp_path: Path) -> None:
    import_key(phone := a_phone(tmp_path))
    put(phone, CERTIFICATE)
    again = a_phone(tmp_path)
    key = import_key(again)["key"]
    assert commit(again) == {"sha": SHA, "key": key}


def test_a_committed_key_leaves_no_copy_behind(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    assert (tmp_path / "state").read_bytes().count(PKCS8[200:400]) == 1
    ask(phone, m.ERASE, m.EraseRequest(0, "EMU0001/0"))
    for file in tmp_path.iterdir():
        assert PKCS8[200:400] not in file.read_bytes()


def test_a_new_pending_key_discards_what_was_pending(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    put(phone, CERTIFICATE)
    settings = m.ConfigureRequest(0, m.When.COMMIT, sip_uri="sip:a@b")
    ask(phone, m.CONFIGURE_WRITE, settings)
    whole = piece(PKCS8, 0, len(PKCS8), m.Kind.KEY)
    more = {"nonce": bytes(16), "replace": True}
    ask(phone, m.PUT, dump_record(whole) | more)
    ask(phone, m.COMMIT, {"kind": "key", "slot": 0, "sha": whole.sha} | more)
    assert refusal(phone, m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA, 0)) is m.Rc.NOT_STAGED
    assert ask(phone, m.CONFIGURE_READ, setting(m.SlotPart.PENDING)) == {}


def setting(part: m.SlotPart) -> m.SettingRequest:
    return m.SettingRequest(0, part, m.Setting.SIP_URI)


def test_settings_take_effect_at_the_commit_or_now(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    put(phone, CERTIFICATE)
    ask(phone, m.CONFIGURE_WRITE, m.ConfigureRequest(0, m.When.COMMIT, sip_uri="sip:a@b"))
    assert ask(phone, m.CONFIGURE_READ, setting(m.SlotPart.ACTIVE)) == {}
    assert ask(phone, m.CONFIGURE_READ, setting(m.SlotPart.PENDING)) == {"value": "sip:a@b"}
    assert refusal(phone, m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA, 0)) is m.Rc.NOT_STAGED
    url = m.ConfigureRequest(0, m.When.COMMIT, web_services_url="https://c/")
    ask(phone, m.CONFIGURE_WRITE, url)
    commit(phone)
    assert ask(phone, m.CONFIGURE_READ, setting(m.SlotPart.ACTIVE)) == {"value": "sip:a@b"}
    assert ask(phone, m.CONFIGURE_READ, setting(m.SlotPart.PENDING)) == {}
    ask(phone, m.CONFIGURE_WRITE, m.ConfigureRequest(0, m.When.NOW, sip_uri="sip:c@d"))
    again = a_phone(tmp_path)
    assert ask(again, m.CONFIGURE_READ, setting(m.SlotPart.ACTIVE)) == {"value": "sip:c@d"}
    ask(again, m.CONFIGURE_WRITE, m.ConfigureRequest(0, m.When.NOW, clear=True))
    assert ask(again, m.CONFIGURE_READ, setting(m.SlotPart.ACTIVE)) == {}


def test_only_the_named_chain_is_committed(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    put(phone, CERTIFICATE)
    put(phone, CERTIFICATE * 2, m.Kind.CHAIN)
    commit(phone)
    assert ask(phone, m.GET, m.GetRequest(m.Kind.CHAIN, 0))["len"] == 0


def test_a_certificate_or_chain_of_another_kind_is_unreadable(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    elliptic = issue(ec.generate_private_key(ec.SECP256R1()).public_key())
    put(phone, elliptic)
    request = m.CommitRequest(m.Kind.CERT, sha256(elliptic).digest(), 0)
    assert refusal(phone, m.COMMIT, request) is m.Rc.UNREADABLE
    put(phone, CERTIFICATE)
    for chain in (CERTIFICATE + b"\x30", b"\x30\x83\x00\x00\x01\x00", CERTIFICATE + b"\x31\x00ab"):
        put(phone, chain, m.Kind.CHAIN)
        request = m.CommitRequest(m.Kind.CERT, SHA, 0, chain=sha256(chain).digest())
        assert refusal(phone, m.COMMIT, request) is m.Rc.UNREADABLE


def test_a_full_trust_store_takes_no_more(tmp_path: Path) -> None:
    roots = tuple(bytes([number]) for number in range(MAX_ROOTS))
    phone = boot(PhoneSpec(1, tmp_path / "state", roots))
    put(phone, CERTIFICATE, m.Kind.ROOT, None)
    assert refusal(phone, m.COMMIT, m.CommitRequest(m.Kind.ROOT, SHA)) is m.Rc.TOO_LARGE


def test_a_response_never_exceeds_the_buffer(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    tiny = Firmware(replace(phone.model, buffer=40), phone._store)
    assert ask(tiny, m.ECHO, m.EchoRequest("x" * 100)) == {"rc": m.MgmtRc.MESSAGE_SIZE}


def test_a_setting_that_could_not_be_read_back_is_not_taken(tmp_path: Path) -> None:
    phone = a_phone(tmp_path, {"small-buffers": ""})
    long = m.ConfigureRequest(0, m.When.NOW, sip_uri="x" * 240)
    assert refusal(phone, m.CONFIGURE_WRITE, long) is m.Rc.TOO_LARGE


def test_a_repeated_commit_has_the_same_answer(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)
    put(phone, CERTIFICATE)
    first = commit(phone)
    state = phone._store.state
    assert commit(phone) == first
    assert commit(a_phone(tmp_path)) == first
    assert phone._store.state == state


def test_a_repeated_erase_is_no_error(tmp_path: Path) -> None:
    phone = a_phone(tmp_path)
    for _ in range(2):
        assert ask(phone, m.ERASE, m.EraseRequest(0, "EMU0001/0")) == {}


def test_a_running_job_is_shown_and_keeps_others_off(tmp_path: Path) -> None:
    phone = a_phone(tmp_path, ALL | {"keygen-seconds": "30", "slots": "2"})
    request = m.KeygenRequest(0, 2048, NONCE, replace=False)
    assert ask(phone, m.KEYGEN, request) == {"job": 1}
    assert ask(phone, m.KEYGEN, request) == {"job": 1}
    state = ask(phone, m.JOB, m.JobRequest(1))
    assert (state["state"], state["nonce"]) == ("running", NONCE)
    assert refusal(phone, m.KEYGEN, replace(request, nonce=bytes(16))) is m.Rc.BUSY
    assert refusal(phone, m.KEYGEN, replace(request, slot=1)) is m.Rc.BUSY
    assert refusal(phone, m.CSR, m.CsrRequest(0, "x")) is m.Rc.BUSY
    assert refusal(phone, m.PUT, piece(b"x", 0, 1)) is m.Rc.BUSY
    assert refusal(phone, m.COMMIT, m.CommitRequest(m.Kind.CERT, SHA, 0)) is m.Rc.BUSY
    assert refusal(phone, m.ERASE, m.EraseRequest(0, "EMU0001/0")) is m.Rc.BUSY
    assert ask(phone, m.PUT, piece(b"xy", 0, 1, slot=1)) == {"off": 1}
    phone.restart()


def test_the_percentage_moves_and_ends_at_100(tmp_path: Path) -> None:
    phone = a_phone(tmp_path, {"keygen-seconds": "0.4"})
    ask(phone, m.KEYGEN, m.KeygenRequest(0, 2048, NONCE, replace=False))
    seen: list[object] = []

    def done() -> bool:
        answer = ask(phone, m.JOB, m.JobRequest(1))
        seen.append(answer["pct"])
        return answer["state"] == "done"

    began = time.monotonic()
    wait_until(done)
    assert time.monotonic() - began > 0.3
    assert seen == sorted(seen)  # type: ignore[type-var]
    assert len(set(seen)) > 5
    assert seen[-1] == 100


def test_a_restart_loses_job_lamp_and_latest_bytes_and_keeps_the_rest(tmp_path: Path) -> None:
    phone = a_phone(tmp_path, {"keygen-seconds": "30", "slots": "2"})
    ask(phone, m.PUT, piece(CERTIFICATE, 0, 100, slot=1))
    ask(phone, m.IDENTIFY, m.IdentifyRequest(on=True))
    ask(phone, m.CLOCK_WRITE, m.Time(2_000_000_000))
    ask(phone, m.KEYGEN, m.KeygenRequest(0, 2048, NONCE, replace=False))
    threads = threading.active_count()

    assert ask(phone, m.RESET, m.ResetRequest()) == {}
    before = phone.lamp
    phone.answered()

    assert (before, phone.lamp) == (True, False)
    assert refusal(phone, m.JOB, m.JobRequest(1)) is m.Rc.NO_SUCH_JOB
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 0, slot=1)) == {"off": 0}
    now = ask(phone, m.CLOCK_READ, m.Nothing())["now"]
    assert isinstance(now, int)
    assert 0 <= now - 2_000_000_000 < 5
    wait_until(lambda: threading.active_count() < threads)
    assert phone._store.state.slots[0].pending_key is None


def test_a_failing_disk_is_an_error_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = a_phone(tmp_path)
    before = phone._store.state, (tmp_path / "state").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("usbprov_drivers.smp.store.os.fsync", full)
    assert refusal(phone, m.CLOCK_WRITE, m.Time(1)) is m.Rc.STORAGE
    ask(phone, m.KEYGEN, m.KeygenRequest(0, 2048, NONCE, replace=False))
    wait_until(lambda: ask(phone, m.JOB, m.JobRequest(1))["state"] == "failed")
    assert ask(phone, m.JOB, m.JobRequest(1))["error"] == m.Rc.STORAGE
    assert (phone._store.state, (tmp_path / "state").read_bytes()) == before


def test_the_state_file_is_for_its_owner_only(tmp_path: Path) -> None:
    import_key(a_phone(tmp_path))
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600


def test_a_left_over_temporary_file_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "state.new").write_bytes(b"half a sta")
    import_key(a_phone(tmp_path))
    assert a_phone(tmp_path)._store.state.slots[0].pending_key is not None


@pytest.mark.parametrize("damage", [b"", b"\xa0", b"junk", encode_map({"slots": []})])
def test_a_damaged_state_file_is_not_started_on(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "state").write_bytes(damage)
    with pytest.raises(LabUnusable, match="damaged"):
        a_phone(tmp_path)
    assert (tmp_path / "state").read_bytes() == damage


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabUnusable, match="file"):
        boot(PhoneSpec(1, tmp_path / "file" / "state"))


def test_more_slots_are_added_to_an_old_memory(tmp_path: Path) -> None:
    import_key(a_phone(tmp_path))
    phone = a_phone(tmp_path, {"slots": "4"})
    assert len(phone._store.state.slots) == 4
    assert phone._store.state.slots[0].pending_key is not None


@pytest.mark.parametrize(
    "personality",
    [
        {"no-such": ""},
        {"latency": ""},
        {"latency": "soon"},
        {"latency": "nan"},
        {"latency": "-1"},
        {"keygen-seconds": "99999"},
        {"commit-seconds": "-1"},
        {"occupied": "yes"},
        {"slots": "0"},
        {"slots": "17"},
        {"clock-behind": "x"},
    ],
)
def test_an_unknown_personality_is_refused(personality: dict[str, str]) -> None:
    with pytest.raises(LabUnusable, match=next(iter(personality))):
        make_up(Model("EMU0001", bytes(6)), personality)


def test_every_personality_says_what_it_does() -> None:
    wanted = "no-keygen keygen-seconds latency occupied old-roots clock-behind small-buffers slots"
    assert set(wanted.split()) <= set(OPTIONS)
    assert all(len(option.about) > 10 for option in OPTIONS.values())


def test_messages_too_long_for_the_phone_are_dropped_and_the_next_is_read(tmp_path: Path) -> None:
    port = RawPort(a_phone(tmp_path, {"small-buffers": ""}))
    sent: list[bytes] = []
    port.connect(sent.append)
    port.receive(Message(Op.WRITE, 0, 0, 1, encode_map({"d": "x" * 300})).encode())
    port.receive(Message(Op.READ, 0, 6, 2, b"\xa0").encode())
    wait_until(lambda: bool(sent))
    assert [data[6] for data in sent] == [2]


def test_a_slow_phone_does_not_block_its_cable_and_a_reset_silences_it(tmp_path: Path) -> None:
    port = RawPort(a_phone(tmp_path, {"latency": "0.2"}))
    sent: list[bytes] = []
    port.connect(sent.append)
    began = time.monotonic()
    for sequence in range(5):
        port.receive(Message(Op.READ, 0, 6, sequence, b"\xa0").encode())
    assert time.monotonic() - began < 0.15
    port.reset()
    port.receive(Message(Op.READ, 0, 6, 99, b"\xa0").encode())
    wait_until(lambda: bool(sent))
    assert time.monotonic() - began >= 0.2
    assert [data[6] for data in sent] == [99]


def test_it_may_take_its_time_for_commits_only(tmp_path: Path) -> None:
    phone = a_phone(tmp_path, {"latency": "0.5", "commit-seconds": "20"})
    for command, seconds in ((m.COMMIT, 20.5), (m.PUT, 0.5), (m.INFO, 0.5)):
        asked = Message(command.op, command.group, command.number, 1, b"\xa0")
        assert phone.pause(asked) == seconds


def test_a_fault_in_one_command_does_not_silence_the_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[object] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    phone = a_phone(tmp_path)
    port = RawPort(phone)
    sent: list[bytes] = []
    port.connect(sent.append)
    with monkeypatch.context() as broken:
        broken.setattr(Firmware, "handle", None)
        port.receive(Message(Op.READ, 0, 6, 1, b"\xa0").encode())
        wait_until(lambda: bool(faults))
    port.receive(Message(Op.READ, 0, 6, 2, b"\xa0").encode())
    wait_until(lambda: bool(sent))
    assert [data[6] for data in sent] == [2]


def test_the_console_chatters_and_answers(tmp_path: Path) -> None:
    port = ConsolePort(a_phone(tmp_path))
    sent: list[bytes] = []
    port.connect(sent.append)
    assert b"Booting EP-100" in sent[0]
    port.receive(bytes.fromhex("0609414173494141414242564171414b444f33673d3d0a"))
    wait_until(lambda: len(sent) > 1)
    assert sent[1].startswith(b"\x06\x09")


def test_a_piece_that_could_not_be_stored_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = a_phone(tmp_path)
    import_key(phone)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("usbprov_drivers.smp.store.os.fsync", full)
        assert refusal(phone, m.PUT, piece(CERTIFICATE, 0, len(CERTIFICATE))) is m.Rc.STORAGE
    assert ask(phone, m.PUT, piece(CERTIFICATE, 0, 0))["off"] == 0
    put(phone, CERTIFICATE)
    assert commit(phone)["sha"] == SHA


def test_a_bug_in_a_command_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    phone = a_phone(tmp_path)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr("usbprov_drivers.smp.firmware.decode_map", broken)
    assert refusal(phone, m.INFO, m.Nothing()) is m.Rc.UNKNOWN
    assert "ZeroDivisionError" in caplog.text
    assert "secret words" not in caplog.text
