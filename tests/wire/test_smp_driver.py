"""The driver against phones that lie: each lie has its error, and none hangs or floods."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from usbprov.errors import (
    KeyGenerationFailed,
    PhoneRefused,
    ProtocolViolation,
    TransferCorrupt,
    UsbprovError,
)
from usbprov.phone.contract import Credential, ObjectKind, PhoneSettings
from usbprov.phone.registry import recognises
from usbprov.usb.devices import DeviceFacts, InterfaceFacts
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.driver import DRIVER, SmpPhone
from usbprov_drivers.smp.keygen import KeyMaker
from usbprov_drivers.smp.session import Session
from usbprov_drivers.smp.wire import decode_message

NONCE, SHA = bytes(16), bytes(32)
Fields = dict[str, object]
Lie = Callable[[Fields], Fields]

INFO: Fields = {
    "rev": 1,
    "vendor": "v",
    "model": "m",
    "fw": "1",
    "serial": "S1",
    "mac": bytes(6),
    "slots": 1,
    "caps": 0xFF,
    "bits": [2048],
    "max": 4096,
}


class Liar:
    """A phone that answers each command by a function of its fields."""

    name = "phone 1-1"

    def __init__(self, lies: dict[str, Lie]) -> None:
        self.lies = {"parameters": lambda _: {"buf_size": 1024, "buf_count": 1}} | lies
        self.inbox: list[bytes] = []
        self.closed = False
        self.names = {
            (c.op, c.group, c.number): c.name for c in vars(m).values() if isinstance(c, m.Command)
        }

    def write(self, data: bytes, timeout: float) -> None:
        request = decode_message(data)
        name = self.names[request.op, request.group, request.command]
        answer = self.lies[name](decode_map(request.payload))
        self.inbox.append(request.response(encode_map(answer)).encode())

    def read(self, timeout: float) -> bytes:
        return self.inbox.pop(0)

    def resync(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def phone_that(**lies: Lie) -> SmpPhone:
    session = Session(Liar({"INFO": lambda _: INFO} | lies))
    session.start()
    return SmpPhone(DeviceFacts("test", "1-1", 0, 0), session)


def refuses(rc: int) -> Lie:
    return lambda _: {"err": {"group": m.GROUP, "rc": rc}}


def piece(**changes: object) -> Lie:
    whole = b"0123456789"

    def answer(request: Fields) -> Fields:
        off = request["off"]
        assert isinstance(off, int)
        good = {"off": off, "len": 10, "sha": sha256(whole).digest(), "data": whole[off : off + 4]}
        return good | (changes if off else {})

    return answer


def test_pieces_make_the_whole() -> None:
    assert phone_that(GET=piece()).read(ObjectKind.CERTIFICATE, 0) == b"0123456789"


@pytest.mark.parametrize(
    "changes",
    [{"len": 11}, {"sha": SHA}, {"off": 0}, {"data": b""}, {"data": b"x" * 20}],
    ids=lambda changes: next(iter(changes)),
)
def test_pieces_that_do_not_fit_are_a_violation(changes: Fields) -> None:
    with pytest.raises(ProtocolViolation, match="piece"):
        phone_that(GET=piece(**changes)).read(ObjectKind.CERTIFICATE, 0)


def test_a_whole_with_another_digest_is_corrupt() -> None:
    def answer(_: Fields) -> Fields:
        return {"off": 0, "len": 1, "sha": SHA, "data": b"x"}

    with pytest.raises(TransferCorrupt, match="GET"):
        phone_that(GET=answer).read(ObjectKind.CERTIFICATE, 0)


def test_an_object_damaged_on_its_way_in_is_corrupt() -> None:
    with pytest.raises(TransferCorrupt, match="root"):
        phone_that(PUT=refuses(m.Rc.HASH_MISMATCH)).add_root(b"x" * 100)


@pytest.mark.parametrize("off", [0, 7, 101])
def test_a_phone_that_wants_the_wrong_bytes_for_ever_is_given_up(off: int) -> None:
    with pytest.raises(ProtocolViolation, match=r"again and again|wants offset"):
        phone_that(PUT=lambda _: {"off": off}).add_root(b"x" * 100)


def test_a_transfer_follows_a_phone_that_goes_back_after_a_restart() -> None:
    offsets: Iterator[int] = iter([0, 40, 80, 40, 80, 100])
    asked: list[object] = []

    def put(request: Fields) -> Fields:
        asked.append(request["off"])
        return {"off": next(offsets)}

    phone = phone_that(PUT=put, COMMIT=lambda request: {"sha": request["sha"]})
    phone.add_root(b"x" * 100)
    assert asked == [0, 0, 40, 80, 40, 80]


def test_another_revision_is_not_spoken_to() -> None:
    phone = phone_that(INFO=lambda _: INFO | {"rev": 2})
    with pytest.raises(ProtocolViolation, match="revision 2"):
        phone.info()


@pytest.mark.parametrize(
    "pages",
    [
        [{"rev": 1, "items": [], "next": 1}] * 2,
        [{"rev": 1, "items": [{"kind": "root", "sha": SHA}], "next": 9}],
        [{"rev": 1, "items": [{"kind": "root", "sha": SHA}], "next": 1}, {"rev": 1, "items": []}],
        [{"rev": 1, "items": [{"kind": "key", "sha": SHA, "slot": 0, "state": "active"}]}],
        [{"rev": 1, "items": [{"kind": "cert", "sha": SHA, "slot": 0, "state": "active"}] * 2}],
    ],
    ids=["nothing and more", "a jump", "an empty page", "no nonce", "twice"],
)
def test_lists_that_make_no_sense_are_a_violation(pages: list[Fields]) -> None:
    rest = iter(pages)
    phone = phone_that(LIST=lambda _: next(rest), CLOCK=lambda _: {"now": 0})
    with pytest.raises(ProtocolViolation, match="LIST"):
        phone.info()


def test_a_list_that_changes_meanwhile_is_read_anew() -> None:
    root = {"kind": "root", "sha": SHA}
    pages = iter(
        [
            {"rev": 1, "items": [root], "next": 1},
            {"rev": 2, "items": [root]},
            {"rev": 2, "items": [root | {"kind": "news"}]},
        ]
    )
    phone = phone_that(
        LIST=lambda _: next(pages), CLOCK=lambda _: {"now": 0}, CONFIGURE=lambda _: {}
    )
    assert phone.info().roots == frozenset()


def test_a_list_that_never_rests_is_a_violation() -> None:
    revisions = iter(range(1000))
    phone = phone_that(
        LIST=lambda _: {"rev": next(revisions), "items": [{"kind": "x", "sha": SHA}], "next": 1}
    )
    with pytest.raises(ProtocolViolation, match="without end"):
        phone.info()


def test_a_phone_without_a_clock_is_no_error() -> None:
    phone = phone_that(
        LIST=lambda _: {"rev": 1, "items": []},
        CLOCK=refuses(m.Rc.UNSUPPORTED),
        CONFIGURE=lambda _: {},
    )
    assert phone.info().clock is None


@pytest.mark.parametrize(
    ("held", "asked", "told"),
    [
        ({}, ["sip_uri"], None),
        ({"registrar": "r", "web_services_url": "https://c"}, ["sip_uri"], None),
        ({"sip_uri": "sip:a@b"}, ["sip_uri", "registrar", "web_services_url"], None),
        (
            {"sip_uri": "sip:a@b", "web_services_url": "https://c"},
            ["sip_uri", "registrar", "web_services_url"],
            PhoneSettings("sip:a@b", "https://c"),
        ),
    ],
    ids=["empty", "without user", "without URL", "complete"],
)
def test_an_empty_phone_is_asked_for_one_setting_only(
    held: dict[str, str], asked: list[str], told: PhoneSettings | None
) -> None:
    names: list[str] = []

    def configure(request: Fields) -> Fields:
        names.append(str(request["name"]))
        return {"value": held[names[-1]]} if names[-1] in held else {}

    phone = phone_that(
        LIST=lambda _: {"rev": 1, "items": []},
        CLOCK=lambda _: {"now": 0},
        CONFIGURE=configure,
    )
    assert phone.info().settings == told
    assert names == asked


def test_a_clock_that_fails_is_an_error() -> None:
    phone = phone_that(LIST=lambda _: {"rev": 1, "items": []}, CLOCK=refuses(m.Rc.STORAGE))
    with pytest.raises(PhoneRefused, match="storage"):
        phone.info()


def test_an_imported_key_without_a_digest_is_a_violation() -> None:
    phone = phone_that(PUT=lambda r: {"off": r["len"]}, COMMIT=lambda r: {"sha": r["sha"]})
    with pytest.raises(ProtocolViolation, match="digest"):
        phone.import_key(0, b"key", NONCE, replace=False)


def job(**fields: object) -> Lie:
    return lambda _: {"state": "running", "pct": 1, "nonce": NONCE} | fields


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (job(state="failed", error=m.Rc.KEYGEN_FAILED.value), KeyGenerationFailed, "failed"),
        (job(state="failed"), KeyGenerationFailed, "failed"),
        (job(state="done"), ProtocolViolation, "without a key"),
        (job(nonce=b"x" * 16), KeyGenerationFailed, "restarted"),
        (refuses(m.Rc.NO_SUCH_JOB), KeyGenerationFailed, "restarted"),
    ],
    ids=["failed", "failed wordless", "no key", "another job", "no job"],
)
def test_a_key_that_is_not_made_is_an_error(
    answer: Lie, error: type[UsbprovError], words: str
) -> None:
    phone = phone_that(KEYGEN=lambda _: {"job": 1}, JOB=answer)
    with pytest.raises(error, match=words):
        phone.generate_key(0, 2048, NONCE, replace=False, progress=lambda _: None)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def keymaker(clock: Clock, percents: list[int], **lies: Lie) -> KeyMaker:
    session = Session(Liar(lies))
    session.start()
    return KeyMaker(session, percents.append, clock.sleep, clock)


REQUEST = m.KeygenRequest(0, 2048, NONCE, replace=False)


def test_a_job_is_polled_ever_more_slowly_for_a_quarter_of_an_hour() -> None:
    clock = Clock()
    percents: list[int] = []
    maker = keymaker(clock, percents, KEYGEN=lambda _: {"job": 1}, JOB=job())
    with pytest.raises(KeyGenerationFailed, match="within 900 s"):
        maker.make(REQUEST)
    assert clock.pauses[0] == 0.05
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == 0.5
    assert 900 <= clock.now < 902
    assert percents == [1]


def estimating(clock: Clock, seconds: float, percent: Callable[[float], int]) -> Lie:
    """Return the answers of a phone that takes so long, and says so much of each moment."""

    def answer(_: Fields) -> Fields:
        if clock.now >= seconds:
            return {"state": "done", "pct": 100, "nonce": NONCE, "key": SHA}
        return {"state": "running", "pct": percent(clock.now / seconds), "nonce": NONCE}

    return answer


@pytest.mark.parametrize("seconds", [0.4, 3.0, 10.9, 100.0])
def test_the_end_that_a_phone_lets_expect_is_noticed_at_once(seconds: float) -> None:
    clock = Clock()
    told = estimating(clock, seconds, lambda part: int(100 * part))
    maker = keymaker(clock, [], KEYGEN=lambda _: {"job": 1}, JOB=told)
    assert maker.make(REQUEST) == SHA
    assert clock.now - seconds < max(0.1, 0.011 * seconds)  # 1 % is all that it says
    assert len(clock.pauses) < seconds + 12


@pytest.mark.parametrize(
    "percent",
    [lambda part: 99, lambda part: 98 + int(1e6 * part) % 2, lambda part: 0, lambda part: 100],
    ids=["stands", "wavers", "nothing", "all"],
)
def test_a_phone_that_says_nothing_of_its_end_is_not_asked_in_a_hurry(
    percent: Callable[[float], int],
) -> None:
    clock = Clock()
    told = estimating(clock, 100.0, percent)
    maker = keymaker(clock, [], KEYGEN=lambda _: {"job": 1}, JOB=told)
    assert maker.make(REQUEST) == SHA
    assert len(clock.pauses) < 220


def test_a_busy_phone_is_waited_for() -> None:
    clock = Clock()
    percents: list[int] = []
    answers = iter([refuses(m.Rc.BUSY)({})] * 3 + [{"job": 0, "key": SHA}])
    maker = keymaker(clock, percents, KEYGEN=lambda _: next(answers))
    assert maker.make(REQUEST) == SHA
    assert len(clock.pauses) == 3
    assert percents == [100]


@pytest.mark.parametrize("rc", [*m.Rc, 99])
def test_every_error_code_becomes_an_error_of_the_tree(rc: int) -> None:
    items: Lie = lambda _: {"rev": 1, "items": []}  # noqa: E731
    phone = phone_that(CSR=refuses(rc), LIST=items)
    with pytest.raises(UsbprovError) as caught:
        phone.request(0, "x")
    assert caught.value.code.startswith("PHN-")
    assert "phone 1-1" in str(caught.value)


def test_an_error_code_of_tomorrow_is_shown_as_a_number() -> None:
    with pytest.raises(PhoneRefused, match="error 99"):
        phone_that(CSR=refuses(99)).request(0, "x")


def test_progress_ends_at_100_only_after_the_commit() -> None:
    seen: list[object] = []

    def commit(request: Fields) -> Fields:
        seen.append("commit")
        return {"sha": request["sha"]}

    def put(request: Fields) -> Fields:
        off, data = request["off"], request["data"]
        assert isinstance(off, int)
        assert isinstance(data, bytes)
        return {"off": off + len(data)}

    phone = phone_that(PUT=put, COMMIT=commit, CONFIGURE=lambda _: {})
    settings = PhoneSettings("sip:a@b", "https://c")
    phone.install(0, Credential(bytes(2000), [bytes(1000)]), settings, seen.append)
    assert seen[-2:] == ["commit", 100]
    percents = [value for value in seen[:-2] if isinstance(value, int)]
    assert percents == sorted(percents)
    assert 100 not in percents


def facts(**changes: object) -> DeviceFacts:
    numbers: Fields = {"cls": 0xFF, "subclass": 5, "protocol": 0x50, "name": "usbprov SMP"}
    problem = changes.pop("problem", None)
    cls, subclass, protocol, name = (numbers | changes).values()
    interface = InterfaceFacts(2, 0, cls, subclass, protocol, name)  # type: ignore[arg-type]
    audio = InterfaceFacts(0, 0, 1, 1, 0, "audio")
    return DeviceFacts(
        "test",
        "1-1",
        0xABCD,
        7,
        interfaces=(audio, interface),
        problem=problem,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"cls": 0xFE}, False),
        ({"subclass": 4}, False),
        ({"protocol": 0x51}, False),
        ({"name": "usbprov"}, False),
        ({"name": None}, False),
        ({"name": None, "problem": "no permission"}, True),
        ({"name": "usbprov", "problem": "no permission"}, False),
    ],
)
def test_a_phone_is_known_by_its_interface_alone(changes: Fields, *, known: bool) -> None:
    assert recognises(DRIVER, facts(**changes)) is known


def test_vid_and_pid_alone_do_not_make_a_phone() -> None:
    assert not recognises(DRIVER, DeviceFacts("test", "1-1", 0x1209, 0x0001))


def test_the_driver_says_how_it_recognises_phones() -> None:
    assert DRIVER.family == "smp"
    assert not DRIVER.detects_only
    assert [match.row() for match in DRIVER.matches] == [
        {"interface": "ff/05/50", "string": "usbprov SMP"},
        {"interface": "02/02/00", "string": "usbprov SMP"},
        {"line": "named by the user"},
    ]


def test_on_usb_the_cable_itself_ends_with_the_phone() -> None:
    assert not phone_that().may_be_exchanged


def test_the_clock_is_one_question() -> None:
    asked: list[str] = []

    def tell(_: Fields) -> Fields:
        asked.append("CLOCK")
        return {"now": 86_400}

    at = phone_that(CLOCK=tell).read_clock()
    assert (at, asked) == (datetime(1970, 1, 2, tzinfo=UTC), ["CLOCK"])


def test_a_phone_without_a_clock_says_so() -> None:
    assert phone_that(CLOCK=refuses(m.Rc.UNSUPPORTED)).read_clock() is None
