"""A site's own settings: older TLS for one server, and its own form of the PIN."""

from pathlib import Path

import pytest
from lxml import etree

from usbprov.errors import ConfigInvalid, UsageError
from usbprov.net.credentials import PinCredential
from usbprov.net.site import DEFAULT_TLS, Site, TlsVersion, read_site
from usbprov.webservices.adapters import load_pin_form

SOURCE = Path("/etc/usbprov/config.toml")
CREDENTIAL = PinCredential("1001", "7205é")
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


def test_without_settings_nothing_is_excepted() -> None:
    site = read_site({"provision": {"user": "x"}}, SOURCE)
    assert site == Site()
    assert site.least_tls("pool.test") is DEFAULT_TLS
    assert site.old_tls() == ()


def test_one_server_may_speak_an_older_tls() -> None:
    site = read_site({"servers": {"Old.contoso.test": {"min_tls": "1.0"}}}, SOURCE)
    assert site.least_tls("OLD.contoso.test") is TlsVersion.V1_0
    assert site.least_tls("old.contoso.test.evil.test") is DEFAULT_TLS
    assert site.old_tls() == ("old.contoso.test (TLS 1.0 or newer)",)


def test_a_newer_tls_may_be_asked_for_and_is_no_exception_to_be_told() -> None:
    site = read_site({"servers": {"new.contoso.test": {"min_tls": "1.3"}}}, SOURCE)
    assert site.least_tls("new.contoso.test") is TlsVersion.V1_3
    assert site.old_tls() == ()


def test_a_number_will_do_for_a_version() -> None:
    assert read_site({"servers": {"a": {"min_tls": 1.1}}}, SOURCE).least_tls("a") == "1.1"


def test_the_command_line_adds_to_the_settings() -> None:
    site = read_site({"servers": {"a": {"min_tls": "1.1"}}}, SOURCE)
    both = site.allowing_old_tls(["B.test", "[::1]"])
    assert both.old_tls() == (
        "::1 (TLS 1.0 or newer)",
        "a (TLS 1.1 or newer)",
        "b.test (TLS 1.0 or newer)",
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"servers": 3}, "servers must be a table"),
        ({"servers": {"a": 3}}, "servers.a must be a table"),
        ({"servers": {"a": {"max_tls": "1.0"}}}, "unknown key 'max_tls'"),
        ({"servers": {"a": {"min_tls": "0.9"}}}, "min_tls must be one of"),
        ({"servers": {"a": {"min_tls": []}}}, "min_tls must be one of"),
        ({"adapters": {"pni": "x"}}, "unknown key 'pni' in [adapters]"),
        ({"adapters": {"pin": 3}}, "must name a file"),
        ({"adapters": {"pin": ""}}, "must name a file"),
    ],
)
def test_settings_that_cannot_be_used(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_site(values, SOURCE)
    assert words in caught.value.problem
    assert caught.value.source == str(SOURCE)


def test_files_are_looked_for_beside_the_settings() -> None:
    assert (
        read_site({"adapters": {"pin": "pin.toml"}}, SOURCE).pin_form == SOURCE.parent / "pin.toml"
    )
    assert read_site({"adapters": {"pin": "/a/b"}}, SOURCE).pin_form == Path("/a/b")


# --- the form of a PIN -------------------------------------------------------------------------

TRACE = """
[namespaces]
af = "urn:component:Microsoft.Rtc.WebAuthentication.2010"
s = "http://schemas.xmlsoap.org/soap/envelope/"
[[element]]
path = "af:Pin"
attributes = { "s:mustUnderstand" = "1" }
[[element]]
path = "af:Pin/af:Phone/af:Number"
value = "extension"
encoding = "base64"
[[element]]
path = "af:Pin/af:Phone/af:Kind"
text = "extension"
[[element]]
path = "af:Pin/Secret"
value = "pin"
encoding = "base64"
"""


def header(text: str, tmp_path: Path) -> etree._Element:
    file = tmp_path / "pin.toml"
    file.write_text(text)
    return load_pin_form(file).header(CREDENTIAL)


def test_our_guess_is_a_username_token() -> None:
    made = load_pin_form().header(CREDENTIAL)
    texts = {etree.QName(found).localname: found.text for found in made.iter()}
    assert made.tag == f"{{{WSSE}}}Security"
    assert (texts["Username"], texts["Password"]) == ("1001", "7205é")


def test_a_site_writes_its_own(tmp_path: Path) -> None:
    made = header(TRACE, tmp_path)
    assert etree.tostring(made, method="c14n").decode() == (
        '<af:Pin xmlns:af="urn:component:Microsoft.Rtc.WebAuthentication.2010"'
        ' xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:mustUnderstand="1">'
        "<af:Phone><af:Number>MTAwMQ==</af:Number><af:Kind>extension</af:Kind></af:Phone>"
        "<Secret>NzIwNcOp</Secret></af:Pin>"
    )


GOOD = """
[[element]]
path = "a/b"
value = "extension"
[[element]]
path = "a/c"
value = "pin"
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no [[element]]"),
        ("element = 3", "no [[element]]"),
        ("element = [3]", "must be a table"),
        ("[[element", "pin.toml"),
        (GOOD.replace("a/c", "x/c"), "begin with the same header"),
        (GOOD.replace('"pin"', '"extension"'), "no element has the value 'pin'"),
        (GOOD.replace('"pin"', '"password"'), "'password' is none of extension, pin"),
        (GOOD + 'encoding = "hex"', "'hex' is none of base64, text"),
        (GOOD + "colour = 'red'", "unknown key 'colour'"),
        (GOOD + "colour = 3", "unknown key 'colour'"),
        (GOOD + "text = 3", "every value must be text"),
        (GOOD + "attributes = 3", "every value must be text"),
        (GOOD.replace("a/c", "a/q:c"), "is not among the namespaces"),
        (GOOD.replace("a/c", "a/<c>"), "Invalid"),
        (GOOD.replace("a/c", "a//c"), ""),
        (GOOD.replace("a/c", "a" + "/c" * 99), "more than 20"),
        ("[name]\n" + GOOD, "unknown key 'name'"),
        ("# " + "x" * 70_000 + GOOD, "larger than"),
    ],
)
def test_a_form_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        header(text, tmp_path)
    assert words in str(caught.value)
    assert "pin.toml" in caught.value.source


def test_a_form_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        load_pin_form(tmp_path / "none.toml")
    (tmp_path / "pin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="utf-8"):
        load_pin_form(tmp_path / "pin.toml")


def test_a_pin_that_xml_cannot_carry_is_not_told() -> None:
    with pytest.raises(UsageError) as caught:
        load_pin_form().header(PinCredential("1001", "72\x0005"))
    assert "72" not in str(caught.value)
    assert caught.value.__context__ is None
