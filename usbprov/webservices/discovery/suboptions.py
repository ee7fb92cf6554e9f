"""The sub-options of option 43: their names, and how an option is cut into them. No I/O.

Each is code, length, value (RFC 2132, 8.4). Where the length bytes make no sense, the texts tell
where sub-options begin and end: a value put together by hand is explained, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from usbprov.webservices.discovery.explanation import Span, quoted, spaced
from usbprov.webservices.discovery.findings import Finding, FindingKind

_PAD, _END = 0, 255
_JUNK = b"\0\r\n\t"
"""What editors leave around a text."""


class SubOption(IntEnum):
    """The sub-options, under the names that the servers' own tool gives them."""

    UC_IDENTIFIER = 1
    URL_SCHEME = 2
    WEB_SERVER_FQDN = 3
    WEB_SERVER_PORT = 4
    CERT_PROV_REL_PATH = 5
    VLAN_ID = 10


LABELS: Mapping[SubOption, str] = {
    SubOption.UC_IDENTIFIER: "UCIdentifier",
    SubOption.URL_SCHEME: "URLScheme",
    SubOption.WEB_SERVER_FQDN: "WebServerFqdn",
    SubOption.WEB_SERVER_PORT: "WebServerPort",
    SubOption.CERT_PROV_REL_PATH: "CertProvRelPath",
    SubOption.VLAN_ID: "VLANID",
}
TEXTS = tuple(found for found in SubOption if found is not SubOption.VLAN_ID)
"""The sub-options of ``MS-UC-Client``: text, in ASCII, without a terminator."""


def name_of(code: int) -> str:
    """Name a sub-option in words: ``sub-option 3 (WebServerFqdn)``."""
    try:
        return f"sub-option {code} ({LABELS[SubOption(code)]})"
    except ValueError:
        return f"sub-option {code}"


@dataclass(frozen=True)
class Frame:
    """A piece of the option: a sub-option, or (without a code) what stands between them.

    Attributes:
        spans: Its bytes, with their meaning.
        code: Of the sub-option, or None.
        value: Of the sub-option.
        findings: What is wrong with the cut itself.
    """

    spans: tuple[Span, ...]
    code: int | None = None
    value: bytes = b""
    findings: tuple[Finding, ...] = ()


def frames_of(data: bytes) -> list[Frame]:
    """Cut the option into pieces: by its length bytes, or by its texts if those make more sense."""
    return min(_cut(data, _strict_length), _cut(data, _text_length), key=_nonsense)


def _nonsense(frames: Sequence[Frame]) -> int:
    """Count what speaks against a cut; what is wrong in one place counts little."""
    codes = [frame.code for frame in frames if frame.code is not None]
    kinds = [finding.kind for frame in frames for finding in frame.findings]
    return (
        3 * kinds.count(FindingKind.TRUNCATED)
        + kinds.count(FindingKind.WRONG_LENGTH)
        + 3 * sum(not _is_text(frame) for frame in frames if frame.code in TEXTS)
        + 2 * sum(code not in set(SubOption) for code in codes)
        + 2 * (len(codes) - len(set(codes)))
    )


def _is_text(frame: Frame) -> bool:
    text = frame.value.strip(_JUNK)
    return printable_run(text) == len(text)


_Length = Callable[[bytes, int], int]


def _cut(data: bytes, length_of: _Length) -> list[Frame]:
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        if data[at] == _PAD:
            frame = _zeros(data, at)
        elif data[at] == _END:
            frames.append(_end(data, at))
            break
        else:
            frame = _sub_option(data, at, length_of)
        frames.append(frame)
        at += sum(len(span.data) for span in frame.spans)
    return frames


def _strict_length(data: bytes, at: int) -> int:
    return data[at + 1]


def _text_length(data: bytes, at: int) -> int:
    """Take the length byte where a text is as long as it says, else the length of the text."""
    stated, rest = data[at + 1], data[at + 2 :]
    run = printable_run(rest)
    if not run:
        return stated
    if stated > run and not rest[run:stated].strip(_JUNK):
        return stated
    line_break = len(rest[run:]) - len(rest[run:].lstrip(b"\r"))
    return run + line_break


def printable_run(data: bytes) -> int:
    """Count the printable ASCII characters at the beginning."""
    return next((n for n, b in enumerate(data) if not 0x20 <= b < 0x7F), len(data))


def _zeros(data: bytes, at: int) -> Frame:
    rest = data[at:]
    zeros = rest[: len(rest) - len(rest.lstrip(b"\0"))]
    where = "the value before" if at else "nothing"
    finding = Finding(FindingKind.TRAILING_ZERO, where)
    return Frame((Span(at, zeros, "zero outside any sub-option"),), findings=(finding,))


def _end(data: bytes, at: int) -> Frame:
    spans = [Span(at, data[at : at + 1], "end mark")]
    findings = [Finding(FindingKind.END_MARK)]
    rest = data[at + 1 :]
    if rest:
        spans.append(Span(at + 1, rest, "ignored: after the end mark"))
        if rest.strip(b"\0"):
            findings.append(Finding(FindingKind.AFTER_END, value=spaced(rest)))
    return Frame(tuple(spans), findings=tuple(findings))


def _sub_option(data: bytes, at: int, length_of: _Length) -> Frame:
    code = data[at]
    where = name_of(code)
    spans = [Span(at, data[at : at + 1], where)]
    if at + 1 == len(data):
        finding = Finding(FindingKind.TRUNCATED, where, "it has no length byte")
        return Frame(tuple(spans), findings=(finding,))
    stated, length = data[at + 1], length_of(data, at)
    value = data[at + 2 : at + 2 + length]
    spans.append(Span(at + 1, data[at + 1 : at + 2], f"length {stated}"))
    if value:
        spans.append(Span(at + 2, value, _shown(code, value)))
    findings = []
    if length != stated:
        told = f"it says {stated}, the text has {length} bytes"
        findings.append(Finding(FindingKind.WRONG_LENGTH, where, told))
    elif len(value) < length:
        told = f"{length} bytes are announced and {len(value)} are there"
        findings.append(Finding(FindingKind.TRUNCATED, where, told))
    return Frame(tuple(spans), code, value, tuple(findings))


def _shown(code: int, value: bytes) -> str:
    if code == SubOption.VLAN_ID and printable_run(value) < len(value):
        return f"VLAN {int.from_bytes(value, 'big')}" if len(value) <= 4 else "no VLAN"
    return quoted(value)
