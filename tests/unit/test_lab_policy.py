"""Server settings: ranges, types, and the life of certificates."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from usbprov.errors import ConfigInvalid
from usbprov.lab.policy import Policy, make_policy, read_options


@pytest.mark.parametrize("bits", [(512, 2048), (4096, 2048), (2048, 32768)])
def test_key_sizes_beyond_the_limits_of_the_product(bits):
    with pytest.raises(ValueError, match="key_bits"):
        Policy(*bits)


@pytest.mark.parametrize("hours", [7, 8761])
def test_a_validity_beyond_the_limits_of_the_product(hours):
    with pytest.raises(ValueError, match="validity_hours"):
        Policy(validity_hours=hours)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, timedelta(hours=24)),
        (timedelta(hours=30), timedelta(hours=30)),
        (timedelta(hours=1), timedelta(hours=10)),
        (timedelta(hours=-1), timedelta(hours=10)),
        (timedelta(days=400), timedelta(hours=48)),
    ],
)
def test_a_wish_is_honoured_within_the_limits(asked, given):
    policy = Policy(validity_hours=24, min_validity_hours=10, max_validity_hours=48)
    assert policy.life(asked) == given


def test_what_is_not_offered():
    assert Policy().methods_off == frozenset()
    policy = Policy(windows_auth="none", pin_auth=False)
    assert policy.methods_off == {"windows", "pin"}


def test_options_of_the_command_line():
    options = read_options(["min-key-bits=3072", "pin-auth=off", "windows_auth=ntlm"])
    assert options == {"min_key_bits": 3072, "pin_auth": False, "windows_auth": "ntlm"}
    assert make_policy(options, "x").min_key_bits == 3072
    assert make_policy(Policy().row(), "x") == Policy()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"colour": 1}, "no policy 'colour'; there are min_key_bits, "),
        ({"pin_auth": 1}, "policy pin_auth must be of type bool"),
        ({"pin_tries": True}, "policy pin_tries must be of type int"),
        ({"pin_tries": 0}, "pin_tries must be within 1 and 99"),
        ({"windows_auth": "smoke"}, "windows_auth must be negotiate, ntlm or none"),
        ({"validity_hours": 9, "min_validity_hours": 10}, "validity_hours is not between"),
    ],
)
def test_a_setting_that_cannot_be(settings, words):
    with pytest.raises(ConfigInvalid, match=words) as caught:
        make_policy(settings, "users.toml")
    assert caught.value.source == "users.toml"


def test_the_page_has_every_setting_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "lab.md").read_text()
    section = page.partition("| setting |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE))
    words = {"True": "on", "False": "off"}
    assert told == {
        name: words.get(str(value), str(value)) for name, value in Policy().row().items()
    }
