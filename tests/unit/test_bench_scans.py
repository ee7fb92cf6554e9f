"""Assignment by scan: which scan means what, in which order, until when, and what is explained."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from usbprov.bench.assignment import Refuse, Wait
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.scanning import PATIENCE, ByScan
from usbprov.errors import ScanError, ScanOutOfTurn, ScanRefused, ScanUnknown
from usbprov.phone.contract import PhoneIdentity

ALICE = RosterEntry(2, "1001", "sip:alice@contoso.test")
BOB = RosterEntry(3, "1002", "sip:bob@contoso.test", serial="EMU2")
CAROL = RosterEntry(4, "1003", "sip:carol@contoso.test", mac="00:04:f2:00:00:03")
ALL = (ALICE, BOB, CAROL)
ONE = PhoneIdentity("EMU1", "00:04:f2:00:00:01")
TWO = PhoneIdentity("EMU2", "00:04:f2:00:00:02")
TWIN = PhoneIdentity("EMU1", "00:04:f2:00:00:09")


class Table:
    """A bench with a clock that the test moves."""

    def __init__(self, entries=ALL):
        self.scans = ByScan(Roster("r", entries))
        self.free = list(entries)
        self.now = 1000.0

    def scan(self, *texts):
        return [self.scans.scan(text, self.now, self.free) for text in texts][-1]

    def plug(self, phone, label="A1"):
        return self.scans.assign(phone, label, self.free)


@pytest.fixture
def table():
    return Table()


@pytest.mark.parametrize(
    "phone",
    [
        "EMU1",
        "emu1\r\n",
        "S/N: EMU1",
        "]C1EMU1",
        "0004F2000001",
        "00:04:f2:00:00:01",
        "00-04-F2-00-00-01",
        "0004.f200.0001",
        "MAC: 0004F2000001",
    ],
)
@pytest.mark.parametrize("badge", ["1001", "sip:alice@contoso.test", "ALICE@contoso.test\t"])
def test_phone_then_badge(table, phone, badge):
    assert table.plug(ONE) == Wait("scan this phone, then the badge of its user")
    assert table.scan(phone) == "the phone at A1: now scan the badge of its user"
    assert table.plug(ONE) == Wait("scan the badge of its user")
    assert table.scan(badge) == "sip:alice@contoso.test gets the phone at A1"
    assert table.plug(ONE) == ALICE


def test_a_badge_first_is_explained(table):
    table.plug(ONE)

    with pytest.raises(ScanOutOfTurn, match=r"badge of sip:alice@contoso\.test, and no phone"):
        table.scan("1001")


def test_a_phone_is_forgotten_after_a_while(table):
    table.plug(ONE)
    table.scan("EMU1")
    table.now += PATIENCE + 1

    with pytest.raises(ScanOutOfTurn, match="the phone at A1 was scanned too long ago"):
        table.scan("1001")
    assert table.scans.expecting(table.now) == "a phone"


def test_in_time_is_in_time(table):
    table.plug(ONE)
    table.scan("EMU1")
    table.now += PATIENCE

    assert table.scans.expecting(table.now) == "the badge for the phone at A1"
    assert table.scan("1001")


def test_a_second_phone_takes_the_first_ones_place(table):
    table.plug(ONE)
    table.plug(TWO, "A2")

    assert table.scan("EMU1", "EMU2") == (
        "the phone at A2 instead of the phone at A1: now scan the badge of its user"
    )
    table.scan("1002")
    assert table.plug(TWO, "A2") == BOB
    assert isinstance(table.plug(ONE), Wait)


def test_a_phone_may_be_scanned_before_it_is_plugged_in(table):
    assert table.scan("00:04:F2:00:00:01") == (
        "the phone with MAC 00:04:f2:00:00:01, which is not plugged in yet:"
        " now scan the badge of its user"
    )
    assert table.scan("1001").endswith("as soon as it is plugged in")
    assert isinstance(table.plug(TWO, "A2"), Wait)
    assert table.plug(ONE, "B7") == ALICE


def test_a_serial_number_that_the_roster_names_is_known_before_it_is_plugged_in(table):
    assert "not plugged in yet" in table.scan("emu2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("720511", "6 digits that are nobody's extension"),
        ("036000291452", "12 digits that are nobody's"),
        ("SoundPoint-330", "14 signs that are neither"),
        ("sip:zed@contoso.test", "nobody on the roster has that address"),
        ("", "0 signs"),
        ("\x1b[2J", "3 signs"),
        ("9" * 10_000, "256 digits"),
    ],
)
def test_what_nobody_knows_is_explained_and_not_repeated(table, text, words):
    table.plug(ONE)
    with pytest.raises(ScanUnknown) as caught:
        table.scan(text)

    assert str(caught.value).startswith(words)
    assert not text or text not in str(caught.value.facts())


def test_what_nobody_knows_does_not_spoil_the_order(table):
    table.plug(ONE)
    table.scan("EMU1")
    with pytest.raises(ScanUnknown):
        table.scan("720511")

    assert table.scan("1001") == "sip:alice@contoso.test gets the phone at A1"


def test_a_user_with_a_phone_is_refused(table):
    table.plug(ONE)
    table.free = [BOB]

    with pytest.raises(ScanRefused, match=r"alice@contoso\.test has a phone already"):
        table.scan("EMU1", "1001")


def test_a_user_who_was_scanned_for_another_phone_is_refused(table):
    table.scan("00:04:f2:00:00:07", "1001")
    table.plug(ONE)

    with pytest.raises(ScanRefused, match="scanned for another phone"):
        table.scan("EMU1", "1001")


def test_a_user_who_is_kept_for_another_phone_is_refused(table):
    table.plug(ONE)
    table.plug(TWO, "A2")

    with pytest.raises(ScanRefused, match=r"line 3 keeps sip:bob@contoso\.test for another phone"):
        table.scan("EMU1", "1002")
    with pytest.raises(ScanRefused, match="line 3 keeps this phone"):
        table.scan("EMU2", "1001")


def test_a_wrong_pair_can_be_scanned_anew_until_the_job_begins(table):
    table.plug(ONE)
    table.scan("EMU1", "1001")
    table.free = [*ALL, RosterEntry(9, "1009")]
    table.scans = ByScan(Roster("r", tuple(table.free)))
    table.plug(ONE)
    table.scan("EMU1", "1001")
    table.scan("0004f2000001", "1009")

    assert table.plug(ONE).extension == "1009"
    with pytest.raises(ScanRefused, match="has begun, for extension 1009"):
        table.scan("EMU1")


def test_a_phone_that_was_pulled_can_be_scanned_anew(table):
    table.plug(ONE)
    table.scan(ONE.mac, "1001")
    table.scans.unplugged("A1")

    table.scan(ONE.mac, "1001")
    assert table.scan(ONE.mac, "1002").startswith("sip:bob@contoso.test gets")
    table.scan(TWIN.mac, "1001")

    assert table.plug(TWIN) == ALICE


def test_the_last_badge_holds_for_a_phone_that_was_scanned_under_both_its_numbers(table):
    entries = (ALICE, RosterEntry(3, "1002", "sip:bob@contoso.test"), CAROL)
    table = Table((*entries, RosterEntry(5, "1004", "sip:dan@contoso.test", serial="EMU1")))
    table.scan("EMU1", "1001")
    table.scan(ONE.mac, "1004")

    assert table.plug(ONE) == table.free[-1]
    assert table.plug(TWIN, "A2") == Wait("scan this phone, then the badge of its user")


def test_a_job_that_was_given_up_frees_the_phone(table):
    table.plug(ONE)
    table.scan("EMU1", "1001")
    assert table.plug(ONE) == ALICE
    table.scans.given_up(ONE)

    assert isinstance(table.plug(ONE), Wait)
    assert table.scan("EMU1")


def test_two_phones_with_one_serial_number_are_told_apart_by_mac(table):
    table.plug(ONE)
    table.plug(TWIN, "A2")

    with pytest.raises(ScanRefused, match="A1 and A2 both say this number"):
        table.scan("EMU1")
    table.scan("00:04:f2:00:00:09", "1001")
    assert table.plug(TWIN, "A2") == ALICE
    assert isinstance(table.plug(ONE), Wait)


def test_a_user_who_got_a_phone_in_the_meantime_is_not_given(table):
    table.plug(ONE)
    table.scan("EMU1", "1001")
    table.free = [BOB, CAROL]

    refusal = table.plug(ONE)
    assert isinstance(refusal, Refuse)
    assert "since the badge was scanned" in refusal.why
    assert isinstance(table.plug(ONE), Wait)


def test_what_is_unplugged_is_not_at_its_port(table):
    table.plug(ONE)
    table.scans.unplugged("A1")

    with pytest.raises(ScanUnknown):
        table.scan("EMU1")


USERS = [RosterEntry(n, str(2000 + n), f"sip:u{n}@contoso.test") for n in range(2, 6)]
PHONES = [PhoneIdentity(f"SER{n}", f"00:04:f2:00:01:{n:02x}") for n in range(4)]
user_of = st.sampled_from(USERS)
phone_of = st.sampled_from(PHONES)


class Bench(RuleBasedStateMachine):
    """People scan and plug whatever they like; a simple memory says what must come of it."""

    @initialize()
    def begin(self):
        self.scans = ByScan(Roster("r", tuple(USERS)))
        self.now = 0.0
        self.last = None  # phone, when
        self.wanted = {}  # phone -> user
        self.given = {}

    @property
    def free(self):
        return [user for user in USERS if user not in self.given.values()]

    @rule(seconds=st.sampled_from([1.0, 20.0, 61.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(phone=phone_of, notation=st.sampled_from([":", "-", ""]))
    def scan_phone(self, phone, notation):
        text = phone.mac.replace(":", notation).upper()
        if phone in self.given:
            with pytest.raises(ScanRefused):
                self.scans.scan(text, self.now, self.free)
            self.forget_late()
            return
        self.scans.scan(text, self.now, self.free)
        self.last = (phone, self.now)

    def forget_late(self):
        if self.last and self.now - self.last[1] > PATIENCE:
            self.last = None

    @rule(user=user_of, by_uri=st.booleans())
    def scan_badge(self, user, by_uri):
        self.forget_late()
        text = user.sip_uri if by_uri else user.extension
        others = [u for p, u in self.wanted.items() if self.last and p != self.last[0]]
        may = self.last is not None and user in self.free and user not in others
        if not may:
            with pytest.raises(ScanError):
                self.scans.scan(text, self.now, self.free)
            return
        self.scans.scan(text, self.now, self.free)
        self.wanted[self.last[0]] = user
        self.last = None

    @rule(text=st.text(max_size=8).filter(lambda t: t not in {u.extension for u in USERS}))
    def scan_nonsense(self, text):
        with pytest.raises(ScanUnknown):
            self.scans.scan(text, self.now, self.free)
        self.forget_late()

    @rule(phone=phone_of)
    def plug(self, phone):
        if phone in self.given:
            return  # its job goes on: the bench does not ask again
        found = self.scans.assign(phone, phone.serial, self.free)
        assert (found if isinstance(found, RosterEntry) else None) == self.wanted.get(phone)
        if phone in self.wanted:
            self.given[phone] = self.wanted.pop(phone)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def give_up(self, data):
        phone = data.draw(st.sampled_from(sorted(self.given, key=str)))
        self.scans.given_up(phone)
        del self.given[phone]

    @rule(phone=phone_of)
    def unplug(self, phone):
        self.scans.unplugged(phone.serial)

    @invariant()
    def nobody_has_two(self):
        assert len(set(self.given.values())) == len(self.given)


TestBench = Bench.TestCase
TestBench.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
