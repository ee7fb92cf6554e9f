"""Parameters in headers: quoted or not, escaped, doubled, unreadable."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import UsageError
from usbprov.registrar.client import RegistrarAddress
from usbprov.registrar.message import NotSip
from usbprov.registrar.parameters import (
    Diagnostic,
    parse_address,
    parse_addresses,
    parse_authentication,
    parse_diagnostic,
    write_authentication,
)
from usbprov.registrar.user import SipUser


def test_a_challenge_is_read() -> None:
    found = parse_authentication(
        'TLS-DSK realm="SIP Communications Service", targetname="fe", version=4,'
        'sts-uri="https://pool:443/a,b=c", opaque="DBF26A4F" , gssapi-data=""'
    )
    assert found.scheme == "TLS-DSK"
    assert found.get("realm") == "SIP Communications Service"
    assert found.get("version") == "4"
    assert found.get("sts-uri") == "https://pool:443/a,b=c"
    assert found.get("gssapi-data") == ""
    assert found.get("cnum") == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "=",
        'NTLM realm="',
        'NTLM realm="a" targetname="b"',
        'NTLM realm="a", realm="b"',
        'NTLM realm="a", Realm="b"',
        "NTLM realm",
        'NTLM realm="a"b',
        'NTLM realm=a"b"',
    ],
)
def test_what_two_readers_might_read_differently_is_refused(value: str) -> None:
    with pytest.raises(NotSip):
        parse_authentication(value)


_PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]))


@given(st.dictionaries(st.sampled_from(["realm", "opaque", "targetname"]), _PRINTABLE))
def test_what_is_written_is_read(parameters: dict[str, str]) -> None:
    text = write_authentication("NTLM", parameters)
    assert parse_authentication(text).parameters == parameters


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_authentication, parse_address):
        try:
            parse(text)
        except NotSip:
            continue
    parse_diagnostic(text)


@pytest.mark.parametrize(
    ("value", "uri", "tag"),
    [
        ("<sip:alice@contoso.com>;tag=1;epid=2", "sip:alice@contoso.com", "1"),
        ('"Al <i> ce" <sip:alice@contoso.com> ; tag=1', "sip:alice@contoso.com", "1"),
        ("Alice <sip:a@b;transport=tls>;tag=x", "sip:a@b;transport=tls", "x"),
        ("sip:alice@contoso.com;tag=9", "sip:alice@contoso.com", "9"),
        ("<sip:alice@contoso.com>", "sip:alice@contoso.com", ""),
    ],
)
def test_an_address_is_read(value: str, uri: str, tag: str) -> None:
    found = parse_address(value)
    assert (found.uri, found.parameters.get("tag", "")) == (uri, tag)


def test_addresses_of_both_forms_may_be_in_one_header() -> None:
    found = parse_addresses('sip:a@b;x=1, "C, D" <sip:c@d>;tag=2 ,Eve <tel:+1>')
    assert [(a.uri, dict(a.parameters)) for a in found] == [
        ("sip:a@b", {"x": "1"}),
        ("sip:c@d", {"tag": "2"}),
        ("tel:+1", {}),
    ]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [" ", "\t ", '"', "<", "a ", "a;", "; ", ";a=", "a=", "\\", ',"'])
@pytest.mark.parametrize("before", ["", "NTLM ", "1", '"', "<sip:a@b>", "<sip:a@b>;a"])
def test_nothing_takes_a_reader_long(before: str, piece: str) -> None:
    """A server may send 64 KiB of anything: no expression may try it over and over."""
    value = before + piece * (64_000 // len(piece))
    for parse in (parse_authentication, parse_address, parse_diagnostic):
        with suppress(NotSip):
            parse(value)
    with suppress(NotSip):
        list(parse_addresses(value))


@pytest.mark.parametrize(
    ("value", "diagnostic"),
    [
        ('1003;reason="No; user";source="fe"', Diagnostic(1003, "No; user", "fe")),
        ('4004; reason="x" ;source="fe.contoso.com"', Diagnostic(4004, "x", "fe.contoso.com")),
        ("1000", Diagnostic(1000, "", "")),
        ('reason="x"', None),
        ("9999999999999999999999", Diagnostic(999999999, "", "")),
        ("٣", None),
    ],
)
def test_a_diagnosis_is_read_if_it_is_one(value: str, diagnostic: Diagnostic | None) -> None:
    assert parse_diagnostic(value) == diagnostic


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("pool.contoso.com", "pool.contoso.com", 5061, "pool.contoso.com"),
        ("pool.contoso.com:443", "pool.contoso.com", 443, "pool.contoso.com:443"),
        (" 10.0.0.1:5061 ", "10.0.0.1", 5061, "10.0.0.1"),
        ("[2001:db8::1]:5062", "2001:db8::1", 5062, "[2001:db8::1]:5062"),
        ("[::1]", "::1", 5061, "[::1]"),
    ],
)
def test_a_registrars_address_is_read(text: str, host: str, port: int, shown: str) -> None:
    address = RegistrarAddress.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, shown)


@pytest.mark.parametrize(
    "text", ["", ":5061", "a:0", "a:65536", "a b", "::1", "a:", "sip:a@b", "a/b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        RegistrarAddress.parse(text)


@pytest.mark.parametrize(
    "text", ["sip:alice@contoso.com", "alice@contoso.com", "SIP:alice@contoso.com"]
)
def test_a_user_is_read(text: str) -> None:
    assert SipUser.parse(text) == SipUser("sip:alice@contoso.com", "contoso.com")


@pytest.mark.parametrize(
    "text", ["", "alice", "a@b\r\nTo: c@d", "<a@b>", "a b@c", "a@b;c", "sip:@b"]
)
def test_what_is_no_user_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        SipUser.parse(text)
