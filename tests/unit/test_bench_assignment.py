"""Who gets a phone, by serial number or MAC, by port, or next in line; and who never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.bench.admission import Already, Past, Rules, admit, free_users
from usbprov.bench.assignment import STEADY, AssignBy, ByPort, BySerial, Next, Refuse
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.phone.contract import PhoneIdentity

MACS = [f"00:04:f2:00:00:{n:02x}" for n in range(8)]
PHONES = [PhoneIdentity(f"EMU{n}", MACS[n]) for n in range(8)]


def entry(line, **more):
    return RosterEntry(line, str(1000 + line), f"sip:user{line}@contoso.test", **more)


def assigned(kind, entries, phone, label="A1", free=None):
    entries = tuple(entries)
    return kind(Roster("r", entries)).assign(phone, label, entries if free is None else free)


BOUND = (
    entry(2, serial="emu0"),
    entry(3, mac=MACS[1]),
    entry(4, serial="EMU2", mac=MACS[2]),
    entry(5, serial="EMU3", mac=MACS[4]),
    entry(6),
)


@pytest.mark.parametrize(("phone", "line"), [(0, 2), (1, 3), (2, 4)])
def test_by_serial_number_or_mac(phone, line):
    assert assigned(BySerial, BOUND, PHONES[phone]) == BOUND[line - 2]


@pytest.mark.parametrize(
    ("phone", "why"),
    [
        (PHONES[3], "do not agree: the phone says serial EMU3, MAC 00:04:f2:00:00:03; see line 5"),
        (PHONES[4], "do not agree"),
        (PHONES[5], "no line of the roster names serial EMU5"),
        (PhoneIdentity("EMU0", MACS[1]), "see line 2 and line 3"),
    ],
)
def test_a_phone_that_is_not_exactly_the_one_named_gets_nobody(phone, why):
    refusal = assigned(BySerial, BOUND, phone)

    assert isinstance(refusal, Refuse)
    assert why in refusal.why
    assert refusal.remedy


@pytest.mark.parametrize("kind", [BySerial, ByPort])
def test_one_who_is_not_free_is_not_given(kind):
    entries = (entry(2, serial="EMU0", port="A1"),)
    refusal = assigned(kind, entries, PHONES[0], free=())

    assert "has a phone already" in refusal.why


def test_by_port_in_any_letters():
    entries = (entry(2, port="A1"), entry(3, port="a2"))

    assert assigned(ByPort, entries, PHONES[0], "A2") == entries[1]
    assert "names port A3" in assigned(ByPort, entries, PHONES[0], "A3").why


def test_a_port_does_not_outweigh_the_phone_that_the_line_names():
    entries = (entry(2, port="A1", serial="EMU1"), entry(3, port="A2"))

    assert "keeps sip:user2@contoso.test for another phone" in (
        assigned(ByPort, entries, PHONES[0], "A1").why
    )
    assert "line 2 keeps this phone" in assigned(ByPort, entries, PHONES[1], "A2").why
    assert assigned(ByPort, entries, PHONES[1], "A1") == entries[0]


def test_next_is_the_first_that_is_free_and_kept_for_no_other_phone():
    free = BOUND[1:]

    assert assigned(Next, BOUND, PHONES[5], free=free) == BOUND[4]
    assert assigned(Next, BOUND, PHONES[1], free=free) == BOUND[1]
    assert "a phone already" in assigned(Next, BOUND, PHONES[0], free=free).why
    assert "everybody" in assigned(Next, BOUND, PHONES[5], free=BOUND[:4]).why


ENTRIES = st.lists(
    st.builds(
        dict,
        serial=st.sampled_from([None, "EMU0", "emu1", "EMU2"]),
        mac=st.sampled_from([None, *MACS[:4]]),
        port=st.sampled_from([None, "A1", "a2", "A3"]),
    ),
    max_size=6,
).map(lambda rows: tuple(entry(line, **row) for line, row in enumerate(rows, start=2)))
ARRIVALS = st.lists(
    st.tuples(st.sampled_from(PHONES[:5]), st.sampled_from(["A1", "A2", "A3"])), max_size=12
)


@given(st.sampled_from(sorted(STEADY)), ENTRIES, ARRIVALS)
def test_nobody_gets_two_phones_and_no_phone_a_user_kept_for_another(by, entries, arrivals):
    roster = Roster("r", entries)
    assigner = STEADY[AssignBy(by)](roster)
    given_to = {}
    for phone, label in arrivals:
        users = {its: user for user, its in given_to.items()}
        past = Past(dict.fromkeys(given_to, 1))
        if admit(users.get(phone), None, Rules()) is not None:
            assert phone in given_to.values()
            continue
        found = assigner.assign(phone, label, free_users(roster, past, Rules()))
        if isinstance(found, RosterEntry):
            assert found.key not in given_to
            assert not found.is_bound or found.agrees(phone)
            assert [e for e in entries if e != found and e.names(phone)] == []
            assert by != "port" or found.port.casefold() == label.casefold()
            given_to[found.key] = phone
        else:
            assert found.why
    assert len(set(given_to.values())) == len(given_to)


def test_served_and_taken_users_are_not_free():
    roster = Roster("r", BOUND)
    past = Past({BOUND[0].key: 1}, taken={BOUND[1].key})

    assert free_users(roster, past, Rules()) == list(BOUND[2:])


def test_with_again_those_with_fewer_phones_come_first():
    roster = Roster("r", BOUND[:3])
    past = Past({BOUND[0].key: 2, BOUND[1].key: 1})

    assert free_users(roster, past, Rules(again=True)) == [BOUND[2], BOUND[1], BOUND[0]]


USER2 = "sip:user2@contoso.test"


@pytest.mark.parametrize(
    ("whose", "holds", "rules", "outcome"),
    [
        (None, None, Rules(), None),
        (USER2, None, Rules(), Already(USER2)),
        (USER2, USER2, Rules(again=True), Already(USER2)),
        (None, "sip:x@y.test", Rules(), "the phone is provisioned already for sip:x@y.test"),
        (None, "", Rules(again=True), "the phone is provisioned already"),
        (None, "sip:x@y.test", Rules(replace=True), None),
        (USER2, "", Rules(replace=True), None),
    ],
)
def test_a_provisioned_phone_is_left_alone_unless_told(whose, holds, rules, outcome):
    found = admit(whose, holds, rules)

    assert (found.why if isinstance(found, Refuse) else found) == outcome
