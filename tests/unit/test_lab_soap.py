"""Reading of SOAP messages, times and PIN credentials."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from usbprov.lab.phones import port_paths
from usbprov.lab.pin import read_pin_credential
from usbprov.lab.refusals import Refusal
from usbprov.lab.soap import MAX_MESSAGE, Fault, SoapFault, fault_envelope, read_message
from usbprov.lab.times import read_time, write_time

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
GOOD = (
    f'<s:Envelope xmlns:s="{SOAP}"><s:Header><o:Security xmlns:o="{WSSE}" s:mustUnderstand="1"/>'
    "</s:Header><s:Body><a>te<!-- hidden -->xt<?pi x?></a></s:Body></s:Envelope>"
)


def test_a_message_in_any_encoding_of_xml():
    for encoding in ("utf-8", "utf-16"):
        message = read_message(GOOD.encode(encoding))
        assert message.content.tag == "a"
        assert message.security is not None


def test_comments_cannot_split_a_value():
    assert read_message(GOOD.encode()).content.text == "text"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_any_encoding(encoding):
    text = '<!DOCTYPE s [<!ENTITY e "x">]>' + GOOD.replace("te", "&e;")
    with pytest.raises(SoapFault, match="document type"):
        read_message(text.encode(encoding))


def test_entities_are_not_expanded_in_memory():
    nested = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(SoapFault):
        read_message(f'<!DOCTYPE s [<!ENTITY e0 "x">{nested}]><s>&e11;</s>'.encode())


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("<a>", "<b/><a>"),
        GOOD.replace("</s:Body>", "</s:Body><s:Body><a/></s:Body>"),
        "<a>" * 400,
        "<a>" * 400 + "</a>" * 400,
    ],
)
def test_what_is_no_message(text):
    with pytest.raises(SoapFault):
        read_message(text.encode())


def test_a_message_that_is_too_long():
    with pytest.raises(SoapFault, match="too long"):
        read_message(GOOD.encode() + b" " * MAX_MESSAGE)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_fault(data):
    with pytest.raises(SoapFault):
        read_message(data)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_a_soap_1_1_fault(fault):
    root = etree.fromstring(fault_envelope(fault))
    (found,) = root.findall(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    prefix, _, name = found.findtext("faultcode").partition(":")
    assert found.find("faultcode").nsmap[prefix] == fault.namespace
    assert name == fault.local
    assert (found.find("detail") is not None) == isinstance(fault.says, Refusal)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_read_back_as_written(moment):
    whole = moment.replace(microsecond=0)
    if whole.year >= 1000:  # strftime pads no earlier year
        assert read_time(write_time(whole)) == whole


def test_times_of_other_zones_and_with_fractions():
    berlin = timezone(timedelta(hours=2))
    assert write_time(datetime(2012, 5, 1, 10, tzinfo=berlin)) == "2012-05-01T08:00:00Z"
    expected = datetime(2012, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert read_time("2012-05-01T10:00:00.1234567+02:00") == expected


@pytest.mark.parametrize(
    "text",
    ["", "2012-05-01", "2012-05-01T08:00:00", "20120501T080000Z", "2012-13-01T08:00:00Z",
     "0001-01-01T00:00:00+14:00", "2012-05-01T08:00:00Z\n", "\uff12012-05-01T08:00:00Z"],
)  # fmt: skip
def test_what_is_no_time(text):
    with pytest.raises(ValueError):  # noqa: PT011
        read_time(text)


def token(user, pin):
    return etree.fromstring(
        f'<Security xmlns="{WSSE}"><UsernameToken><Username>{user}</Username>'
        f"<Password>{pin}</Password></UsernameToken></Security>"
    )


@pytest.mark.parametrize(
    ("user", "pin"),
    [("1001", "4711"), (" +14255550123 ", "4711"), ("MTAwMQ==", "NDcxMQ==")],
)
def test_credentials_as_text_and_in_base64(user, pin):
    found = read_pin_credential(token(user, pin))
    assert found.number in {"1001", "+14255550123"}
    assert found.pin == "4711"
    assert "4711" not in repr(found)


@given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True))
def test_base64_of_digits_is_never_taken_for_digits(number):
    import base64

    encoded = base64.b64encode(number.encode()).decode()
    assert read_pin_credential(token(encoded, "NDcxMQ==")).number == number


@pytest.mark.parametrize(("user", "pin"), [("", "4711"), ("alice", "4711"), ("1001", "")])
def test_what_are_no_credentials(user, pin):
    with pytest.raises(SoapFault):
        read_pin_credential(token(user, pin))


def test_port_paths_of_few_and_many_phones():
    assert port_paths(2) == ["1-1", "1-2"]
    assert port_paths(15)[-1] == "1-15"
    assert port_paths(16)[:8] == [*(f"1-1.{n}" for n in range(1, 8)), "1-2.1"]
    assert port_paths(112)[104:106] == ["1-15.7", "2-1.1"]
    assert len(set(port_paths(999))) == 999
