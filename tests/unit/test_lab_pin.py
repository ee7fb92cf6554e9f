"""Who is meant by a number and a PIN, and when a PIN is not taken."""

import stat
from dataclasses import replace

import pytest

from usbprov.lab.accounts import Accounts
from usbprov.lab.faults import Faults
from usbprov.lab.pin import PinAuthentication, PinCredential
from usbprov.lab.policy import Policy
from usbprov.lab.refusals import Refusal
from usbprov.lab.soap import SoapFault
from usbprov.lab.store import PoolStores
from usbprov.lab.users import DEFAULT_USERS, LabUser

NUMBER = "+14255550100"
ALICE, BOB, CAROL = (replace(user, phone_number=NUMBER) for user in DEFAULT_USERS)


@pytest.fixture
def office(tmp_path):
    """Make an authentication of these users, with stores of its own."""

    def make(*users: LabUser, **policy: int) -> PinAuthentication:
        stores = PoolStores(tmp_path / "stores")
        stores.create(users)
        return PinAuthentication(users, stores, Faults(), Policy(**policy))

    return make


def refusal(office: PinAuthentication, number: str, pin: str) -> Refusal:
    with pytest.raises(SoapFault) as caught:
        office.authenticate(PinCredential(number, pin))
    return caught.value.says


def ask(office: PinAuthentication, number: str, pin: str) -> str:
    return office.authenticate(PinCredential(number, pin)).sip_uri


def test_the_pin_tells_users_of_one_number_apart(office):
    pins = office(ALICE, BOB, CAROL)
    for user in (ALICE, BOB, CAROL):
        assert ask(pins, NUMBER, user.pin) == user.sip_uri
        assert ask(pins, user.extension, user.pin) == user.sip_uri


def test_one_number_and_one_pin_need_the_extension(office):
    twin = replace(BOB, pin=ALICE.pin)
    pins = office(ALICE, twin, CAROL)
    assert refusal(pins, NUMBER, ALICE.pin) is Refusal.NUMBER_SHARED
    assert ask(pins, NUMBER, CAROL.pin) == CAROL.sip_uri
    for user in (ALICE, twin):
        for form in (f"{NUMBER};ext={user.extension}", f"{NUMBER}x{user.extension}"):
            assert ask(pins, form, ALICE.pin) == user.sip_uri


def test_a_shared_number_costs_no_try(office):
    pins = office(ALICE, replace(BOB, pin=ALICE.pin))
    for _ in range(6):
        assert refusal(pins, NUMBER, ALICE.pin) is Refusal.NUMBER_SHARED
    assert ask(pins, ALICE.extension, ALICE.pin) == ALICE.sip_uri


def test_a_wrong_pin_counts_for_all_who_may_be_meant(office):
    pins = office(ALICE, BOB)
    for _ in range(5):
        assert refusal(pins, NUMBER, "0000") is Refusal.TOKEN
    assert refusal(pins, NUMBER, "0000") is Refusal.PIN_LOCKED
    for user in (ALICE, BOB):
        assert refusal(pins, user.extension, user.pin) is Refusal.PIN_LOCKED


def test_a_right_pin_does_not_count_for_the_others(office):
    pins = office(ALICE, BOB)
    for _ in range(9):
        ask(pins, NUMBER, ALICE.pin)
    assert ask(pins, NUMBER, BOB.pin) == BOB.sip_uri


def test_the_number_of_tries_is_a_setting(office):
    pins = office(ALICE, pin_tries=1)
    assert refusal(pins, "1001", "0000") is Refusal.TOKEN
    assert refusal(pins, "1001", ALICE.pin) is Refusal.PIN_LOCKED


def test_a_pin_that_is_not_set(office):
    pins = office(replace(ALICE, pin="", pin_state="unset"), BOB)
    assert refusal(pins, "1001", "0000") is Refusal.PIN_UNSET
    assert refusal(pins, "1001", "") is Refusal.PIN_UNSET
    assert ask(pins, NUMBER, BOB.pin) == BOB.sip_uri
    assert refusal(pins, NUMBER, "") is Refusal.TOKEN


def test_a_pin_shorter_than_the_policy_is_none(office):
    assert refusal(office(ALICE, pin_digits=7), "1001", ALICE.pin) is Refusal.PIN_UNSET


def test_an_expired_pin_is_told_to_who_knows_it_only(office):
    pins = office(replace(ALICE, pin_state="expired"))
    assert refusal(pins, "1001", ALICE.pin) is Refusal.PIN_EXPIRED
    assert refusal(pins, "1001", "0000") is Refusal.TOKEN


@pytest.mark.parametrize("number", ["9999", NUMBER, f"{NUMBER}x1001", "1001x1001"])
def test_a_number_that_nobody_has(office, number):
    assert refusal(office(*DEFAULT_USERS), number, ALICE.pin) is Refusal.TOKEN


# --- Windows accounts ---

FORMS = [
    "CONTOSO\\alice",
    "contoso\\ALICE",
    "contoso.test\\alice",
    "alice@contoso.test",
    "alice@CONTOSO.TEST",
    "alice@contoso",
    "alice",
]


@pytest.mark.parametrize("name", FORMS)
def test_the_forms_of_an_account(name):
    accounts = Accounts(DEFAULT_USERS)
    assert accounts.find(name) == DEFAULT_USERS[0]
    assert accounts.check(name, "Lab-Alice-1") == DEFAULT_USERS[0]
    assert accounts.check(name, "lab-alice-1") is None


@pytest.mark.parametrize("name", ["", "alice@", "\\alice", "OTHER\\alice", "alice@other.test"])
@pytest.mark.parametrize("password", ["", "Lab-Alice-1"])
def test_what_is_no_account(name, password):
    assert Accounts(DEFAULT_USERS).check(name, password) is None


def test_a_bare_name_that_two_have_is_nobodys():
    other = replace(
        DEFAULT_USERS[1], user_name="alice", domain="FABRIKAM", sip_uri="sip:alice@fabrikam.test"
    )
    accounts = Accounts([DEFAULT_USERS[0], other])
    assert accounts.find("alice") is None
    assert accounts.find("FABRIKAM\\alice") == other
    assert accounts.find("CONTOSO\\alice") == DEFAULT_USERS[0]


def test_the_file_of_the_acceptor(tmp_path):
    path = tmp_path / "accounts"
    Accounts(DEFAULT_USERS[:1]).write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(path.read_text().splitlines()) == {
        "contoso:alice:Lab-Alice-1",
        "contoso.test:alice:Lab-Alice-1",
        ":alice@contoso.test:Lab-Alice-1",
        ":alice@contoso:Lab-Alice-1",
        ":alice:Lab-Alice-1",
    }
