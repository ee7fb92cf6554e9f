"""Option 43, vendor-specific information, for the phones' two vendor classes. No I/O.

``MS-UC-Client`` carries the URL of the certificate service in the sub-options 1 to 5, and
``CPE-OCPHONE`` the voice VLAN in 10; each is code, length, value (RFC 2132, 8.4;
``protocol.md`` 1.1).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery.explanation import (
    Span,
    is_address,
    is_hex_text,
    is_name,
    name_findings,
    quoted,
    spaced,
    without_header,
)
from usbprov.webservices.discovery.findings import Finding, FindingKind
from usbprov.webservices.discovery.suboptions import (
    TEXTS,
    Frame,
    SubOption,
    frames_of,
    name_of,
    printable_run,
)
from usbprov.webservices.urls import SERVICE_PATH

CODE = 43
UC_CLASS = "MS-UC-Client"
"""Option 60 of the query for the certificate service; also the value of sub-option 1."""
VLAN_CLASS = "CPE-OCPHONE"
"""Option 60 of the query for the voice VLAN."""

_MOST = 255
_HTTPS = "https"
_PORT = 443


@dataclass(frozen=True)
class Reading:
    """What an option 43 says, explained byte by byte.

    Attributes:
        data: The value as it was read, without a header of its own.
        spans: Every byte of ``data`` in order, with its meaning.
        findings: What is wrong or odd.
        values: By sub-option; the texts without what does not belong to them.
        url: Of the certificate service, as it was meant, or None if no host can be made out.
        vlan: The voice VLAN, or None.
    """

    data: bytes
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]
    values: Mapping[int, str]
    url: str | None
    vlan: int | None


def uc_values(fqdn: str, port: int = _PORT, path: str = SERVICE_PATH) -> dict[SubOption, bytes]:
    """Return the values of the sub-options for ``MS-UC-Client``.

    Raises:
        OptionInvalid: The name is no host name of a server, or the port no port.
    """
    problem = next(name_findings(fqdn, "the Web Services FQDN"), None)
    if problem is not None:
        raise OptionInvalid("option 43", str(problem))
    if not 0 < port < 1 << 16:
        raise OptionInvalid("option 43", f"{port} is no TCP port")
    texts = (UC_CLASS, _HTTPS, fqdn, str(port), path)
    return {which: text.encode("ascii") for which, text in zip(TEXTS, texts, strict=True)}


def encode(values: Mapping[SubOption, bytes]) -> bytes:
    """Put sub-options together, without an end mark.

    Raises:
        OptionInvalid: They do not fit into one option.
    """
    data = b"".join(bytes((code, len(value))) + value for code, value in values.items())
    if len(data) > _MOST:
        raise OptionInvalid(
            "option 43", f"its {len(data)} bytes exceed {_MOST}; use a shorter name"
        )
    return data


def encode_vlan(vlan: int) -> bytes:
    """Return option 43 for ``CPE-OCPHONE``: the VLAN in two bytes, big-endian.

    The width is the one of a Windows server's WORD; no public text states it.

    Raises:
        OptionInvalid: The number is no VLAN.
    """
    if not _is_vlan(vlan):
        raise OptionInvalid("option 43", f"{vlan} is no VLAN from 1 to 4094")
    return encode({SubOption.VLAN_ID: vlan.to_bytes(2, "big")})


def read(data: bytes, vendor_class: str = UC_CLASS) -> Reading:
    """Explain an option 43 as it was given to a vendor class. Any bytes can be read."""
    data, findings = without_header(data, CODE)
    if is_hex_text(data):
        findings.append(Finding(FindingKind.HEX_AS_TEXT))
        inner = read(bytes.fromhex(data.decode("ascii")), vendor_class)
        whole = (Span(0, data, "hex digits as text"),)
        return Reading(
            data, whole, (*findings, *inner.findings), inner.values, inner.url, inner.vlan
        )
    frames = frames_of(data)
    values: dict[int, str] = {}
    for frame in frames:
        findings += frame.findings
        if frame.code is not None:
            findings += _judge(frame, values)
    findings += _class_findings(vendor_class, {f.code for f in frames if f.code is not None})
    spans = tuple(span for frame in frames for span in frame.spans)
    return Reading(data, spans, tuple(findings), values, _url(values), _vlan(values))


def _judge(frame: Frame, values: dict[int, str]) -> Iterator[Finding]:
    """Judge a sub-option's value, and keep what it says."""
    code = frame.code or 0
    where = name_of(code)
    if code in values:
        yield Finding(FindingKind.REPEATED_SUBOPTION, where)
        return
    if code == SubOption.VLAN_ID:
        values[code] = _vlan_text(frame.value)
        if not _is_vlan(int(values[code] or "0")):
            yield Finding(FindingKind.VLAN_INVALID, where, spaced(frame.value) or "nothing")
    elif code in TEXTS:
        text, findings = _text(frame.value, where)
        values[code] = text
        yield from findings
        if text:
            yield from _CHECKS[SubOption(code)](text, where)
    else:
        yield Finding(FindingKind.UNKNOWN_SUBOPTION, where)


def _text(value: bytes, where: str) -> tuple[str, list[Finding]]:
    """Return a value without what does not belong there, and what that is."""
    findings = []
    if len(value) >= 4 and len(value) % 2 == 0 and not any(value[1::2]):
        findings.append(Finding(FindingKind.UTF16, where))
        value = value[::2]
    for kind, is_there, clean in _BLEMISHES:
        if is_there(value):
            findings.append(Finding(kind, where, quoted(value)))
            value = clean(value)
    if not value:
        findings.append(Finding(FindingKind.EMPTY_VALUE, where))
    if printable_run(value) < len(value):
        findings.append(Finding(FindingKind.NOT_TEXT, where, spaced(value)))
    return value.decode("ascii", "replace"), findings


_BLEMISHES: Sequence[tuple[FindingKind, Callable[[bytes], bool], Callable[[bytes], bytes]]] = (
    (FindingKind.TRAILING_ZERO, lambda v: v.endswith(b"\0"), lambda v: v.rstrip(b"\0")),
    (
        FindingKind.LINE_BREAK,
        lambda v: b"\r" in v or b"\n" in v,
        lambda v: v.replace(b"\r", b"").replace(b"\n", b""),
    ),
    (
        FindingKind.SPACES,
        lambda v: b" " in v or b"\t" in v,
        lambda v: v.replace(b" ", b"").replace(b"\t", b""),
    ),
    (
        FindingKind.QUOTES,
        lambda v: len(v) > 1 and v[:1] == v[-1:] and v[:1] in b"\"'",
        lambda v: v[1:-1],
    ),
)


def _identifier(text: str, where: str) -> Iterator[Finding]:
    if text != UC_CLASS:
        yield Finding(FindingKind.IDENTIFIER, where, text)


def _scheme(text: str, where: str) -> Iterator[Finding]:
    if text != _HTTPS:
        yield Finding(FindingKind.SCHEME, where, text)


def _port(text: str, where: str) -> Iterator[Finding]:
    if _port_number(text) is None:
        yield Finding(FindingKind.PORT_INVALID, where, quoted(text.encode("utf-8")))
    elif text != str(_PORT):
        yield Finding(FindingKind.PORT_UNUSUAL, where, text)


def _path(text: str, where: str) -> Iterator[Finding]:
    if text.lower() != SERVICE_PATH.lower():
        yield Finding(FindingKind.PATH_UNUSUAL, where, text)


_CHECKS: Mapping[SubOption, Callable[[str, str], Iterator[Finding]]] = {
    SubOption.UC_IDENTIFIER: _identifier,
    SubOption.URL_SCHEME: _scheme,
    SubOption.WEB_SERVER_FQDN: name_findings,
    SubOption.WEB_SERVER_PORT: _port,
    SubOption.CERT_PROV_REL_PATH: _path,
}


def _class_findings(vendor_class: str, present: set[int]) -> Iterator[Finding]:
    """Judge the vendor class itself, and whether the right sub-options are there for it."""
    yield from vendor_class_findings(vendor_class)
    wanted: set[int] = {SubOption.VLAN_ID} if _is(vendor_class, VLAN_CLASS) else set(TEXTS)
    for code in sorted(wanted - present):
        yield Finding(FindingKind.MISSING_SUBOPTION, name_of(code))
    if SubOption.VLAN_ID not in wanted and SubOption.VLAN_ID in present:
        yield Finding(FindingKind.MIXED_CLASSES, name_of(SubOption.VLAN_ID), VLAN_CLASS)
    if SubOption.VLAN_ID in wanted and present & set(TEXTS):
        yield Finding(FindingKind.MIXED_CLASSES, "what MS-UC-Client is given", UC_CLASS)


def vendor_class_findings(vendor_class: str) -> Iterator[Finding]:
    """Judge the data of a vendor class to which an option is bound."""
    if vendor_class in {UC_CLASS, VLAN_CLASS}:
        return
    close = _is(vendor_class, UC_CLASS) or _is(vendor_class, VLAN_CLASS)
    kind = FindingKind.VENDOR_CLASS_CASE if close else FindingKind.VENDOR_CLASS
    yield Finding(kind, value=quoted(vendor_class.encode("utf-8")))


def _is(vendor_class: str, which: str) -> bool:
    """Compare as a human would."""
    return "".join(vendor_class.split()).strip("\0").lower() == which.lower()


def _url(values: Mapping[int, str]) -> str | None:
    host = values.get(SubOption.WEB_SERVER_FQDN, "").removesuffix(".")
    if not (is_name(host) or is_address(host)):
        return None
    port = _port_number(values.get(SubOption.WEB_SERVER_PORT, "")) or _PORT
    path = values.get(SubOption.CERT_PROV_REL_PATH, "")
    if not (path.startswith("/") and path.isascii() and path.isprintable()) or set(path) & set(
        "?#"
    ):
        path = SERVICE_PATH
    in_url = f"[{host}]" if ":" in host else host
    return f"{_HTTPS}://{in_url}:{port}{path}"


def _port_number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if 0 < int(text) < 1 << 16 else None


def _vlan_text(value: bytes) -> str:
    """Read a VLAN in decimal digits, or as a number of one, two or four bytes."""
    text = value.rstrip(b"\0 ")
    if text.isdigit():
        return str(int(text[:6]))
    return str(int.from_bytes(value, "big")) if len(value) in {1, 2, 4} else "0"


def _vlan(values: Mapping[int, str]) -> int | None:
    number = int(values.get(SubOption.VLAN_ID, "0"))
    return number if _is_vlan(number) else None


def _is_vlan(number: int) -> bool:
    return 1 <= number <= 4094
