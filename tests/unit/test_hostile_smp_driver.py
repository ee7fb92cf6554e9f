"""Whole methods of the driver against phones that answer with whatever does harm.

Whatever such a phone does, a method returns or raises an error of the tree, after a bounded number
of requests and a bounded time (that of a clock which only passes when somebody waits).
"""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from doubles.hostile_phone import (
    Answer,
    Script,
    ScriptedLine,
    ScriptedLink,
    always,
    by_command,
    phone_over,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov.errors import (
    LinkTimeout,
    PhoneError,
    ProtocolViolation,
    TransferCorrupt,
    UsbprovError,
)
from usbprov.phone.contract import Credential, ObjectKind, PhoneSettings
from usbprov_drivers.smp import driver as driver_module
from usbprov_drivers.smp.cbor import decode_map
from usbprov_drivers.smp.driver import SmpPhone
from usbprov_drivers.smp.keygen import KeyMaker
from usbprov_drivers.smp.messages import GROUP
from usbprov_drivers.smp.wire import Message, Op

REQUESTS = 8 * 4097 + 50
"""What reading a list may take at most: 8 attempts at 4,096 items, one a page."""

SECONDS = 5 * (20 * 60 + 60)
"""Five steps of 20 minutes in the longest method, and a little for what was begun in each."""

MEMORY = 16 << 20
"""Bytes that a method may need: lists of 4,096 items are the dearest."""

INFO, KEYGEN, JOB, CSR, PUT, COMMIT, LIST, GET = range(8)
NONCE = bytes(16)
OBJECT = bytes(range(256)) * 8
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool/CertProv", "sip.contoso.test")
SAID = {
    "rev": 1, "vendor": "v", "model": "m", "fw": "1", "serial": "EMU0001", "mac": bytes(6),
    "slots": 1, "caps": 255, "bits": [2048], "max": 65536,
}  # fmt: skip


def nobody(_: int) -> None:
    pass


METHODS: dict[str, Callable[[SmpPhone], object]] = {
    "identity": lambda p: p.identity(),
    "info": lambda p: p.info(),
    "generate_key": lambda p: p.generate_key(0, 2048, NONCE, replace=False, progress=nobody),
    "import_key": lambda p: p.import_key(0, OBJECT, NONCE, replace=False),
    "request": lambda p: p.request(0, "alice@contoso.test"),
    "install": lambda p: p.install(0, Credential(OBJECT, (OBJECT, OBJECT)), SETTINGS, nobody),
    "read": lambda p: p.read(ObjectKind.CERTIFICATE, 0),
    "add_root": lambda p: p.add_root(OBJECT),
    "read_root": lambda p: p.read_root(sha256(OBJECT).hexdigest()),
    "prove": lambda p: p.prove(0, NONCE),
    "sign": lambda p: p.sign(0, bytes(36)),
    "set_clock": lambda p: p.set_clock(datetime.now(UTC)),
    "erase": lambda p: p.erase(0),
    "identify": lambda p: p.identify(on=True),
}
both_cables = pytest.mark.parametrize("cable", [ScriptedLink, ScriptedLine], ids=["bulk", "serial"])
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def asked(request: Message) -> dict[str, object]:
    return decode_map(request.payload)


@pytest.fixture(autouse=True)
def _time_passes_when_a_key_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(session: object, progress: Callable[[int], None]) -> KeyMaker:
        clock = session.link.clock  # type: ignore[attr-defined]
        return KeyMaker(session, progress, sleep=clock.sleep, clock=clock)  # type: ignore[arg-type]

    monkeypatch.setattr(driver_module, "KeyMaker", make)


def run(link: ScriptedLink, method: Callable[[SmpPhone], object]) -> UsbprovError | None:
    """Do it; check the bounds; return the error if there was one."""
    error: UsbprovError | None = None
    try:
        method(phone_over(link))
    except UsbprovError as caught:
        error = caught
    said = str(error or "")
    assert said.isprintable()
    assert len(said) < 500
    assert link.requests <= REQUESTS
    assert link.clock.now <= SECONDS
    return error


# --- phones that never come to an end -----------------------------------------------------------


def item(number: int) -> dict[str, object]:
    return {"kind": "root", "sha": number.to_bytes(32)}


def key(**more: object) -> dict[str, object]:
    return {"kind": "key", "state": "active", "slot": 0, "sha": bytes(32), **more}


def list_without_end(request: Message) -> Answer:
    start = int(asked(request).get("start", 0))  # type: ignore[call-overload]
    return {"rev": 1, "items": [item(start)], "next": start + 1}


def list_that_never_rests(revisions: Iterator[int]) -> Script:
    def script(request: Message) -> Answer:
        page = list_without_end(request)
        assert isinstance(page, dict)
        return page | {"rev": next(revisions)}

    return script


LISTS: dict[str, Script] = {
    "without end": list_without_end,
    "that goes back": lambda _: {"rev": 1, "items": [item(1), item(2)], "next": 1},
    "that leaps": lambda _: {"rev": 1, "items": [item(1)], "next": 65535},
    "that stands still": lambda r: {
        "rev": 1,
        "items": [] if asked(r)["start"] else [item(1)],
        "next": 1,
    },
    "of nothing that goes on": lambda r: {"rev": 1, "items": [], "next": 1},
    "of 20 a page": lambda r: {
        "rev": 1,
        "items": [item(n) for n in range(20)],
        "next": asked(r).get("start", 0) + 20,  # type: ignore[operator]
    },
    "with the same key twice": lambda _: {
        "rev": 1,
        "items": [key(nonce=NONCE), key(nonce=NONCE)],
    },
    "with a key of nobody": lambda _: {
        "rev": 1,
        "items": [key()],
    },
}  # fmt: skip


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_a_list_that_makes_no_sense(listed: Script) -> None:
    link = ScriptedLink(by_command({INFO: always(SAID), LIST: listed}))
    assert isinstance(run(link, METHODS["info"]), ProtocolViolation)
    assert link.requests < 10 or listed in {LISTS["without end"], LISTS["of 20 a page"]}


def test_a_list_that_never_rests() -> None:
    script = list_that_never_rests(itertools.count())
    link = ScriptedLink(by_command({INFO: always(SAID), LIST: script}))
    assert isinstance(run(link, METHODS["info"]), ProtocolViolation)
    assert link.requests < 30


def test_a_list_that_changes_after_many_pages_each_time() -> None:
    revisions = (number // 400 for number in itertools.count())
    link = ScriptedLink(by_command({INFO: always(SAID), LIST: list_that_never_rests(revisions)}))
    assert isinstance(run(link, METHODS["info"]), ProtocolViolation)


def piece(off: int, data: bytes, length: int = 65536, sha: bytes = bytes(32)) -> Answer:
    return {"off": off, "len": length, "sha": sha, "data": data}


def offset(request: Message) -> int:
    off = asked(request).get("off", 0)
    assert isinstance(off, int)
    return off


PIECES: dict[str, Script] = {
    "one byte at a time": lambda r: piece(offset(r), b"x"),
    "empty": lambda r: piece(offset(r), b""),
    "always the first": lambda _: piece(0, b"x" * 100),
    "from behind": lambda r: piece(max(0, offset(r) - 1), b"x" * 10),
    "from beyond": lambda r: piece(offset(r) + 1, b"x" * 10),
    "that grow the whole": lambda r: piece(offset(r), b"x" * 100, 40_000 + offset(r)),
    "of another whole": lambda r: piece(offset(r), b"x" * 100, sha=offset(r).to_bytes(32)),
    "larger than the whole": lambda r: piece(offset(r), b"x" * 100, 50),
    "of nothing, not empty": lambda r: piece(offset(r), b"x", 0),
    "with a lying digest": lambda r: piece(offset(r), b"x" * 800, 1600),
    "of 4 GiB": lambda r: piece(offset(r), b"x" * 100, 2**32),
    "with negative offsets": lambda _: piece(-1, b"x" * 100),
}


@pytest.mark.parametrize("name", ["request", "read", "read_root", "prove", "sign"])
@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_pieces_that_do_not_fit(pieces: Script, name: str) -> None:
    link = ScriptedLink(by_command({CSR: pieces, GET: pieces, 8: pieces, 10: pieces}))
    lies = pieces is PIECES["with a lying digest"]
    assert isinstance(run(link, METHODS[name]), TransferCorrupt if lies else ProtocolViolation)
    assert link.requests < (2100 if pieces is PIECES["one byte at a time"] else 6)


def test_another_root_than_was_asked_for() -> None:
    other = b"another certificate"
    whole = piece(0, other, len(other), sha256(other).digest())
    link = ScriptedLink(by_command({GET: always(whole)}))
    assert isinstance(run(link, METHODS["read_root"]), ProtocolViolation)


@pytest.mark.parametrize("revision", [2, 255])
def test_a_revision_that_is_not_known(revision: int) -> None:
    link = ScriptedLink(by_command({INFO: always(SAID | {"rev": revision})}))
    assert isinstance(run(link, METHODS["identity"]), ProtocolViolation)


OFFSETS: dict[str, Script] = {
    "always the first": lambda _: {"off": 0},
    "back and forth": lambda r: {"off": 100 if offset(r) == 0 else 0},
    "one byte on": lambda r: {"off": offset(r) + 1},
    "beyond the end": lambda _: {"off": 2049},
    "far beyond the end": lambda _: {"off": 65536},
    "negative": lambda _: {"off": -1},
    "no number": lambda _: {"off": "0"},
}


@pytest.mark.parametrize("name", ["import_key", "install", "add_root"])
@pytest.mark.parametrize("wanted", OFFSETS.values(), ids=OFFSETS)
def test_offsets_that_lead_nowhere(wanted: Script, name: str) -> None:
    link = ScriptedLink(by_command({PUT: wanted}))
    assert isinstance(run(link, METHODS[name]), ProtocolViolation)
    endless = [OFFSETS[kind] for kind in ("always the first", "back and forth", "one byte on")]
    assert link.requests < (100 if wanted in endless else 4)


def job(state: str, **more: object) -> Script:
    return always({"state": state, "pct": 50, "nonce": NONCE, **more})


BUSY = {"err": {"group": GROUP, "rc": 6}}
LOST = {"err": {"group": GROUP, "rc": 8}}
JOBS: dict[str, Script] = {
    "runs for ever": job("running"),
    "is busy for ever": always(BUSY),
    "is lost each time": always(LOST),
    "is another's each time": job("running", nonce=bytes(range(16))),
    "is done without a key": job("done"),
    "fails without a reason": job("failed"),
    "fails for an unknown reason": job("failed", error=2**32 - 1),
    "is more than done": job("running", pct=101),
    "is something else": job("sleeping"),
}


@pytest.mark.parametrize("script", JOBS.values(), ids=JOBS)
def test_a_job_without_a_good_end(script: Script) -> None:
    link = ScriptedLink(by_command({KEYGEN: always({"job": 1}), JOB: script}))
    assert isinstance(run(link, METHODS["generate_key"]), PhoneError)
    assert link.requests < 2000
    endless = [JOBS["runs for ever"], JOBS["is busy for ever"]]
    assert link.clock.now < (16 * 60 if script in endless else 1)


def test_a_key_generation_that_is_busy_for_ever() -> None:
    link = ScriptedLink(by_command({KEYGEN: always(BUSY)}))
    assert isinstance(run(link, METHODS["generate_key"]), PhoneError)
    assert 15 * 60 <= link.clock.now < 16 * 60


# --- phones that are slow, silent, or talk out of turn -------------------------------------------


@both_cables
@every_method
def test_silence(method: Callable[[SmpPhone], object], cable: type[ScriptedLink]) -> None:
    link = cable(lambda _: None)
    assert isinstance(run(link, method), LinkTimeout)
    assert link.clock.now < 60


@every_method
@pytest.mark.parametrize("seconds", [1.9, 4.9])
def test_answers_that_come_just_in_time(
    method: Callable[[SmpPhone], object], seconds: float
) -> None:
    """Every answer leads on to one more request, and comes just before it is given up."""
    script = by_command(
        {
            INFO: always(SAID),
            KEYGEN: always({"job": 1}),
            JOB: job("running"),
            LIST: list_without_end,
            PUT: lambda r: {"off": 0 if offset(r) else 1},
            **dict.fromkeys((CSR, GET, 8, 10), PIECES["one byte at a time"]),
        }
    )
    run(ScriptedLink(script, seconds=seconds), method)


def foreign(request: Message) -> bytes:
    """16 KiB of answers to requests that nobody made."""
    other = Message(request.response(b"").op, 1, 2, request.sequence ^ 1, b"\xa0").encode()
    return other * (16384 // len(other))


@both_cables
@every_method
def test_answers_that_nobody_asked_for(
    method: Callable[[SmpPhone], object], cable: type[ScriptedLink]
) -> None:
    link = cable(always({}), raw=foreign)
    run(link, method)
    assert link.requests > 1


ECHOES: dict[str, Answer] = {
    "of another text": {"r": "0000000000000000"},
    "of no text": {"r": 1},
    "of nothing": {},
    "refused": {"rc": 8},
    "too deep": b"\xa1\x61r" + b"\x81" * 100,
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_an_echo_that_is_none(echo: Answer) -> None:
    link = ScriptedLine(lambda _: echo)
    with pytest.raises(UsbprovError):
        phone_over(link)
    assert link.requests < 10
    assert link.clock.now < 20


class Babbler(ScriptedLink):
    """Sends what nobody asked for without end, a piece every 50 ms."""

    def read(self, timeout: float) -> bytes:
        self.clock.sleep(0.05)
        return foreign(Message(Op.READ, GROUP, 0, 0, b""))


def test_babble_without_end_is_a_time_out() -> None:
    link = Babbler(always(None))
    assert isinstance(run(link, METHODS["info"]), LinkTimeout)
    assert link.clock.now < 60


# --- phones that answer with any map -------------------------------------------------------------

HOSTILE_MAPS: dict[str, Answer] = {
    "nothing": b"",
    "an empty map": {},
    "no map": b"\x80",
    "too deep": b"\xa1\x61a" + b"\x81" * 5000,
    "without end": b"\xbf" + b"\x61a\x9f" * 300,
    "a length of 2**64": b"\xa1\x61a\xbb" + b"\xff" * 8,
    "a key twice": b"\xa2\x62rc\x00\x62rc\x00",
    "10**6 slots": SAID | {"slots": 10**6},
    "256 slots": SAID | {"slots": 256},
    "all capabilities": SAID | {"caps": 2**64 - 1},
    "another revision": SAID | {"rev": 2},
    "names for terminals": SAID | {"serial": "\x1b[2J"},
    "rc of 2**64": {"rc": 2**64 - 1},
    "rc below 0": {"rc": -1},
    "rc that is text": {"rc": "1"},
    "rc that is true": {"rc": True},
    "err without numbers": {"err": {}},
    "err of another group": {"err": {"group": 2**64 - 1, "rc": 2**64 - 1}},
    "err that is a number": {"err": 1},
    "err of unknown rc": {"err": {"group": GROUP, "rc": 10**9}},
    "err of lists": {"err": {"group": [], "rc": {}}},
    "occupied for ever": {"err": {"group": GROUP, "rc": 4}},
    "a clock of the year 10000": {"now": 253402300800},
    "a clock of the year 9999": {"now": 253402300799},
    "a clock before 1970": {"now": -1},
}


@both_cables
@pytest.mark.parametrize("answer", HOSTILE_MAPS.values(), ids=HOSTILE_MAPS)
def test_the_same_answer_to_everything(answer: Answer, cable: type[ScriptedLink]) -> None:
    for method in METHODS.values():
        run(cable(always(answer)), method)


@pytest.mark.parametrize(
    "answer",
    [{}, {"buf_size": 0, "buf_count": 1}, {"buf_size": 255, "buf_count": 1}, {"rc": 8},
     {"buf_size": -1, "buf_count": 1}, {"buf_size": 2**32, "buf_count": 1}, b"\xa1", None],
)  # fmt: skip
def test_a_buffer_that_cannot_be(answer: Answer) -> None:
    link = ScriptedLink(lambda _: answer)
    with pytest.raises(UsbprovError):
        phone_over(link)


def test_a_buffer_of_4_gib_is_not_believed() -> None:
    link = ScriptedLink(lambda _: {"buf_size": 2**32 - 1, "buf_count": 1})
    phone = phone_over(link)
    assert phone._session.buffer == 16384


FIELDS = """rc err group rev slots caps bits max serial mac vendor model fw job key state pct nonce
error off len sha data items next now value buf_size buf_count sigs rsa_max framings"""
names = st.sampled_from(FIELDS.split())
leaves = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.sampled_from([0, 1, 2, 4, 6, 8, 255, 256, 1360, 2048, 65536, 2**32 - 1]),
    st.sampled_from(["running", "done", "failed", "active", "key", "cert", "EMU0001"]),
    st.sampled_from([bytes(6), bytes(16), bytes(32), b"", b"x", OBJECT[:300]]),
    st.booleans() | st.none() | st.text(max_size=8),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)
full = st.builds(
    lambda extra: (
        SAID
        | {"job": 1, "state": "running", "pct": 1, "nonce": NONCE, "off": 0, "len": 300, "next": 1}
        | {"sha": bytes(32), "data": b"x", "items": [item(1)], "now": 0}
        | extra
    ),
    st.dictionaries(names, values, max_size=3),
)
answers = st.one_of(full, full, st.dictionaries(names, values, max_size=6), st.binary(), st.none())


@both_cables
@settings(max_examples=60)
@given(series=st.lists(answers, min_size=1, max_size=6), name=st.sampled_from(sorted(METHODS)))
def test_any_answers(series: list[Answer], name: str, cable: type[ScriptedLink]) -> None:
    answer = itertools.cycle(series)
    link = cable(by_command(dict.fromkeys(range(14), lambda _: next(answer))))
    run(link, METHODS[name])


@both_cables
@settings(max_examples=60)
@given(noise=st.lists(st.binary(max_size=64), max_size=8), name=st.sampled_from(sorted(METHODS)))
def test_any_bytes(noise: list[bytes], name: str, cable: type[ScriptedLink]) -> None:
    pieces = itertools.cycle([*noise, b""])
    run(cable(always({}), raw=lambda _: next(pieces)), METHODS[name])


@pytest.mark.parametrize("name", ["info", "read", "install"])
def test_memory_is_bounded(name: str) -> None:
    endless = {
        INFO: always(SAID | {"slots": 256}),
        LIST: list_without_end,
        PUT: OFFSETS["one byte on"],
    }
    script = by_command({**endless, GET: PIECES["one byte at a time"]})
    tracemalloc.start()
    try:
        run(ScriptedLink(script), METHODS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY
