"""Option 43 is written as the servers' own tool writes it, and any bytes are explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery import option43
from usbprov.webservices.discovery.findings import FindingKind, Severity
from usbprov.webservices.discovery.suboptions import SubOption

VECTOR = bytes.fromhex(
    "010c4d532d55432d436c69656e74"
    "02056874747073"
    "03146c796e63706f6f6c2e636f6e746f736f2e636f6d"
    "0403343433"
    "05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
)
URL = "https://lyncpool.contoso.com:443/CertProv/CertProvisioningService.svc"
LENGTHS = (1, 15, 22, 44, 49)
"""Where the length bytes stand."""

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
fqdns = st.lists(labels, min_size=2, max_size=5).map(".".join).filter(lambda n: not n[-1].isdigit())


def tlv(code: int, value: bytes, length: int | None = None) -> bytes:
    return bytes((code, len(value) if length is None else length)) + value


def with_value(code: int, value: bytes) -> bytes:
    values = dict(option43.uc_values("lyncpool.contoso.com")) | {SubOption(code): value}
    return option43.encode(values)


def kinds(data: bytes, vendor_class: str = option43.UC_CLASS) -> set[FindingKind]:
    return {finding.kind for finding in option43.read(data, vendor_class).findings}


def test_the_vector_is_written() -> None:
    assert len(VECTOR) == 87
    assert option43.encode(option43.uc_values("lyncpool.contoso.com")) == VECTOR


def test_the_vector_is_read() -> None:
    reading = option43.read(VECTOR)
    assert reading.url == URL
    assert reading.findings == ()
    assert [span.offset for span in reading.spans][:3] == [0, 1, 2]
    assert reading.spans[2].meaning == '"MS-UC-Client"'


@given(fqdns, st.integers(1, 65535))
def test_what_is_written_is_read(fqdn: str, port: int) -> None:
    reading = option43.read(option43.encode(option43.uc_values(fqdn, port)))
    assert reading.url == f"https://{fqdn}:{port}/CertProv/CertProvisioningService.svc"
    assert {f.severity for f in reading.findings} <= {Severity.WARNING}


@given(st.integers(1, 4094))
def test_a_vlan_is_written_and_read(vlan: int) -> None:
    reading = option43.read(option43.encode_vlan(vlan), option43.VLAN_CLASS)
    assert (reading.vlan, reading.findings) == (vlan, ())


@pytest.mark.parametrize(
    ("value", "vlan"), [(b"\x64", 100), (b"100", 100), (b"\0\0\0\x64", 100), (b"100\0", 100)]
)
def test_other_forms_of_a_vlan(value: bytes, vlan: int) -> None:
    assert option43.read(tlv(10, value), option43.VLAN_CLASS).vlan == vlan


@pytest.mark.parametrize("value", [b"", b"\0\0", b"\x0f\xff", b"4095", b"abc", b"\0" * 9])
def test_no_vlan(value: bytes) -> None:
    reading = option43.read(tlv(10, value), option43.VLAN_CLASS)
    assert reading.vlan is None
    assert FindingKind.VLAN_INVALID in {f.kind for f in reading.findings}


@pytest.mark.parametrize("at", LENGTHS)
@pytest.mark.parametrize("by", [-2, -1, 1, 2, 7, 100])
def test_a_wrong_length_byte_is_named_and_its_meaning_kept(at: int, by: int) -> None:
    length = VECTOR[at] + by
    data = VECTOR[:at] + bytes((max(length, 0),)) + VECTOR[at + 1 :]
    reading = option43.read(data)
    told = FindingKind.TRUNCATED if at == LENGTHS[-1] and by > 0 else FindingKind.WRONG_LENGTH
    named = [f for f in reading.findings if f.kind is told]
    assert [f.where for f in named] == [reading.spans[3 * LENGTHS.index(at)].meaning]
    assert reading.url == URL


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x2b\x57" + VECTOR, FindingKind.OPTION_HEADER),
        (VECTOR.hex().encode(), FindingKind.HEX_AS_TEXT),
        (VECTOR.hex().upper().encode(), FindingKind.HEX_AS_TEXT),
        (VECTOR[:-4], FindingKind.TRUNCATED),
        (VECTOR + b"\x06", FindingKind.TRUNCATED),
        (VECTOR + b"\0", FindingKind.TRAILING_ZERO),
        (with_value(3, b"lyncpool.contoso.com\0"), FindingKind.TRAILING_ZERO),
        (VECTOR.replace(b".com\x04", b".com\0\x04"), FindingKind.TRAILING_ZERO),
        (with_value(3, b"lyncpool.contoso.com\r\n"), FindingKind.LINE_BREAK),
        (with_value(2, b"https\r"), FindingKind.LINE_BREAK),
        (VECTOR.replace(b".com\x04", b".com\r\x04"), FindingKind.WRONG_LENGTH),
        (with_value(3, b" lyncpool.contoso.com"), FindingKind.SPACES),
        (with_value(3, b"lyncpool .contoso.com"), FindingKind.SPACES),
        (with_value(3, b'"lyncpool.contoso.com"'), FindingKind.QUOTES),
        (with_value(3, "lyncpool.contoso.com".encode("utf-16-le")), FindingKind.UTF16),
        (with_value(3, b"lync\xe9.contoso.com"), FindingKind.NOT_TEXT),
        (with_value(4, b"\x01\xbb"), FindingKind.PORT_INVALID),
        (with_value(4, b"0"), FindingKind.PORT_INVALID),
        (with_value(4, b"70000"), FindingKind.PORT_INVALID),
        (with_value(4, b"4443"), FindingKind.PORT_UNUSUAL),
        (with_value(3, b""), FindingKind.EMPTY_VALUE),
        (with_value(1, b"ms-uc-client"), FindingKind.IDENTIFIER),
        (with_value(2, b"http"), FindingKind.SCHEME),
        (with_value(2, b"HTTPS"), FindingKind.SCHEME),
        (with_value(2, b"https://"), FindingKind.SCHEME),
        (with_value(5, b"CertProv/CertProvisioningService.svc"), FindingKind.PATH_UNUSUAL),
        (with_value(5, b"/WebTicket/WebTicketService.svc"), FindingKind.PATH_UNUSUAL),
        (with_value(3, b"10.1.2.3"), FindingKind.NAME_IS_ADDRESS),
        (with_value(3, b"https://lyncpool.contoso.com"), FindingKind.NAME_INVALID),
        (with_value(3, b"lyncpool.contoso.com:443"), FindingKind.NAME_INVALID),
        (with_value(3, b"lyncpool"), FindingKind.NAME_NOT_QUALIFIED),
        (with_value(3, b"lyncpool.contoso.com."), FindingKind.NAME_NOT_QUALIFIED),
        (VECTOR + b"\xff", FindingKind.END_MARK),
        (VECTOR + b"\xff\x01\x02", FindingKind.AFTER_END),
        (VECTOR + tlv(6, b"x"), FindingKind.UNKNOWN_SUBOPTION),
        (VECTOR + tlv(2, b"https"), FindingKind.REPEATED_SUBOPTION),
        (VECTOR[:44], FindingKind.TRUNCATED),
        (VECTOR[:43], FindingKind.MISSING_SUBOPTION),
        (b"", FindingKind.MISSING_SUBOPTION),
        (VECTOR + tlv(10, b"\0\x64"), FindingKind.MIXED_CLASSES),
    ],
    ids=lambda value: value.value if isinstance(value, FindingKind) else "",
)
def test_each_fault_is_named(data: bytes, kind: FindingKind) -> None:
    assert kind in kinds(data)


@pytest.mark.parametrize(
    "value", [b"lyncpool.contoso.com\0", b" lyncpool.contoso.com\r\n", b'"lyncpool.contoso.com"']
)
def test_what_was_meant_is_told_in_spite_of_the_fault(value: bytes) -> None:
    assert option43.read(with_value(3, value)).url == URL


def test_bytes_after_the_end_mark_are_no_sub_options() -> None:
    assert option43.read(VECTOR + b"\xff" + tlv(10, b"\0\x64")).vlan is None


@pytest.mark.parametrize(
    ("vendor_class", "kind"),
    [
        ("ms-uc-client", FindingKind.VENDOR_CLASS_CASE),
        ("MS-UC-Client ", FindingKind.VENDOR_CLASS_CASE),
        ("CPE-OCPhone", FindingKind.VENDOR_CLASS_CASE),
        ("MSUCClient", FindingKind.VENDOR_CLASS),
        ("", FindingKind.VENDOR_CLASS),
        ("CPE-OCPHONE", FindingKind.MIXED_CLASSES),
    ],
)
def test_the_vendor_class_is_judged(vendor_class: str, kind: FindingKind) -> None:
    assert kind in kinds(VECTOR, vendor_class)


@pytest.mark.parametrize(
    "name", ["10.0.0.1", "https://x.y", "a b.c", "x" * 64 + ".com", "pool", ""]
)
def test_what_cannot_be_written(name: str) -> None:
    with pytest.raises(OptionInvalid):
        option43.encode(option43.uc_values(name))


def test_a_name_too_long_for_one_option() -> None:
    with pytest.raises(OptionInvalid, match="255"):
        option43.encode(option43.uc_values(".".join(["x" * 60] * 4)))


@pytest.mark.parametrize("vlan", [0, 4095, -1])
def test_a_vlan_that_cannot_be_written(vlan: int) -> None:
    with pytest.raises(OptionInvalid):
        option43.encode_vlan(vlan)


@given(st.binary(max_size=300), st.sampled_from(["MS-UC-Client", "CPE-OCPHONE", "é\0"]))
def test_any_bytes_are_explained_to_the_last(data: bytes, vendor_class: str) -> None:
    reading = option43.read(data, vendor_class)
    assert b"".join(span.data for span in reading.spans) == reading.data
    assert [s.offset for s in reading.spans] == sorted({s.offset for s in reading.spans})
    for finding in reading.findings:
        assert str(finding)


@given(st.integers(0, 86), st.integers(0, 255))
def test_one_changed_byte_never_goes_unnoticed_and_unread(at: int, byte: int) -> None:
    data = VECTOR[:at] + bytes((byte,)) + VECTOR[at + 1 :]
    reading = option43.read(data)
    assert b"".join(span.data for span in reading.spans) == data
    same_path = at >= 50 and data.lower() == VECTOR.lower()  # IIS takes either case
    if data != VECTOR and not 23 <= at <= 42 and not same_path:  # the name may be another one
        assert reading.findings
