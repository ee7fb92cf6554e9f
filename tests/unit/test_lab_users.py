"""The lab's users: defaults, synthetic ones, and users files."""

import pytest

from usbprov.errors import ConfigInvalid
from usbprov.lab.users import (
    DEFAULT_USERS,
    combine_users,
    parse_users,
    read_policy,
    read_users,
    synthetic_users,
    write_users,
)

ALICE = {
    "sip_uri": "sip:alice@contoso.test",
    "extension": "1001",
    "pin": "4711",
    "password": "secret words",
}


def parse(*tables):
    return parse_users({"users": list(tables)}, "users.toml")


def test_the_default_users():
    assert [(user.sip_uri, user.extension) for user in DEFAULT_USERS] == [
        ("sip:alice@contoso.test", "1001"),
        ("sip:bob@contoso.test", "1002"),
        ("sip:carol@contoso.test", "1003"),
    ]
    assert parse(*(user.row() for user in DEFAULT_USERS)) == DEFAULT_USERS


def test_what_is_left_out_follows_from_the_sip_uri():
    (alice,) = parse(ALICE)
    assert (alice.user_name, alice.domain, alice.home_pool) == (
        "alice", "CONTOSO", "pool01.contoso.test",
    )  # fmt: skip
    assert alice.entity == "alice@contoso.test"


def test_synthetic_users_are_good_users_and_the_same_every_time():
    users = synthetic_users(999)
    assert users[0].sip_uri == "sip:user0001@contoso.test"
    assert users[0].extension == "2001"
    assert parse(*(user.row() for user in users)) == users == synthetic_users(999)
    assert combine_users(DEFAULT_USERS, users, "x") == (*DEFAULT_USERS, *users)


def test_combining_keeps_who_is_there_and_refuses_a_clash():
    (alice,) = parse(ALICE)
    assert combine_users(DEFAULT_USERS, [alice], "x") == DEFAULT_USERS
    (clash,) = parse(ALICE | {"sip_uri": "sip:dora@contoso.test"})
    with pytest.raises(ConfigInvalid, match="2 users have the extension 1001"):
        combine_users(DEFAULT_USERS, [clash], "x")


def test_pin_and_password_are_not_in_the_repr():
    (alice,) = parse(ALICE)
    assert "4711" not in repr(alice)
    assert "secret words" not in repr(alice)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sip_uri": "alice@contoso.test"}, "user 1: sip_uri must be a string, sip:user@domain"),
        ({"sip_uri": "sip:Alice@contoso.test"}, "lower case"),
        ({"extension": 1001}, "extension must be a string"),
        ({"extension": "12a"}, "extension"),
        ({"pin": "12"}, "4 to 24 digits"),
        ({"pin": "١٢٣٤"}, "4 to 24 digits"),
        ({"password": ""}, "password"),
        ({"home_pool": "../elsewhere"}, "home_pool"),
        ({"user_name": "CONTOSO\\alice"}, "user_name"),
        ({"user_name": "a:b"}, "user_name"),
        ({"password": "a:b"}, "no colon"),
        ({"phone_number": "none"}, "phone_number"),
        ({"pin_state": "lost"}, "set, unset or expired"),
        ({"pin": ""}, "4 to 24 digits"),
        ({"color": "red"}, "unknown key 'color'"),
    ],
)
def test_a_wrong_value_is_named(change, words):
    with pytest.raises(ConfigInvalid, match=words):
        parse(ALICE | change)


@pytest.mark.parametrize("missing", ALICE)
def test_a_missing_value_is_named(missing):
    with pytest.raises(ConfigInvalid, match=f"user 1 has no {missing}"):
        parse({name: value for name, value in ALICE.items() if name != missing})


@pytest.mark.parametrize("same", ["sip_uri", "extension", "account"])
def test_two_users_may_not_share(same):
    other = ALICE | {"sip_uri": "sip:bob@contoso.test", "extension": "1002"}
    shared = (
        {"user_name": "alice", "domain": "contoso"} if same == "account" else {same: ALICE[same]}
    )
    with pytest.raises(ConfigInvalid, match="2 users have the"):
        parse(ALICE, other | shared)


def test_users_of_other_numbers_may_share_an_extension():
    other = ALICE | {"sip_uri": "sip:bob@contoso.test", "phone_number": "+14255550100"}
    assert len(parse(ALICE, other)) == 2
    with pytest.raises(ConfigInvalid, match=r"2 users have the extension \+14255550100 1001"):
        parse(other, other | {"sip_uri": "sip:carol@contoso.test", "user_name": "carol"})


def test_without_a_pin():
    without = {name: value for name, value in ALICE.items() if name != "pin"}
    (alice,) = parse(without | {"pin_state": "unset"})
    assert alice.pin == ""


def test_a_policy_is_written_beside_the_users(tmp_path):
    path = tmp_path / "users.toml"
    write_users(path, DEFAULT_USERS, {"pin_tries": 3, "pin_auth": False, "windows_auth": "ntlm"})
    assert read_policy(path) == {"pin_tries": 3, "pin_auth": False, "windows_auth": "ntlm"}
    assert read_users(path) == DEFAULT_USERS
    path.write_text("policy = 1\n")
    with pytest.raises(ConfigInvalid, match="policy is not a table"):
        read_policy(path)


@pytest.mark.parametrize("content", [{}, {"users": []}, {"users": 1}, {"users": [1]}, {"user": []}])
def test_content_without_users(content):
    with pytest.raises(ConfigInvalid):
        parse_users(content, "users.toml")


def test_a_file_is_read_back_as_written(tmp_path):
    (odd,) = parse(ALICE | {"password": 'quote " back\\slash ünï 🙂'})
    write_users(tmp_path / "users.toml", [*DEFAULT_USERS[1:], odd])
    assert read_users(tmp_path / "users.toml") == (*DEFAULT_USERS[1:], odd)


@pytest.mark.parametrize("text", [b"users = [", b"\xff\xfe", b'[[users]]\npin = "4711\n'])
def test_a_file_that_is_not_toml_is_refused_without_its_text(tmp_path, text):
    path = tmp_path / "users.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigInvalid, match="not TOML") as caught:
        read_users(path)
    assert "4711" not in str(caught.value)
    assert caught.value.source == str(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_users(tmp_path / "users.toml")
