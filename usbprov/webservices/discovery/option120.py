"""Option 120, SIP servers (RFC 3361): the name of the Registrar. No I/O."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery.explanation import (
    Span,
    is_hex_text,
    is_name,
    name_findings,
    quoted,
    spaced,
    without_header,
)
from usbprov.webservices.discovery.findings import Finding, FindingKind

CODE = 120
_NAMES, _ADDRESSES = 0, 1
_MOST_LABEL = 63
_MOST_LABELS = 127
_POINTER = 0xC0
_MOST_NAMES = 16
_WHERE = "option 120"


@dataclass(frozen=True)
class Reading:
    """What an option 120 says, explained byte by byte.

    Attributes:
        data: The value as it was read, without a header of its own.
        spans: Every byte of ``data`` in order, with its meaning.
        findings: What is wrong or odd.
        names: Of the servers, as they were meant.
        addresses: Where it gives addresses.
    """

    data: bytes
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def registrar(self) -> str | None:
        """The server that a phone would take, or None."""
        return next(iter(self.names), None)


def encode(fqdn: str) -> bytes:
    """Return the option for one server.

    Raises:
        OptionInvalid: The name is no host name of a server.
    """
    problem = next(name_findings(fqdn, "the Registrar's FQDN"), None)
    if problem is not None:
        raise OptionInvalid(_WHERE, str(problem))
    labels = (label.encode("ascii") for label in fqdn.split("."))
    return bytes((_NAMES,)) + b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def read(data: bytes) -> Reading:
    """Explain an option 120. Any bytes can be read."""
    data, findings = without_header(data, CODE)
    if not data:
        return Reading(data, (), (*findings, Finding(FindingKind.EMPTY_VALUE, _WHERE)))
    if is_hex_text(data):
        inner = read(bytes.fromhex(data.decode("ascii")))
        found = (*findings, Finding(FindingKind.HEX_AS_TEXT), *inner.findings)
        return Reading(data, (Span(0, data, "hex digits as text"),), found, inner.names)
    reading = _READERS.get(data[0], _read_unknown)(data)
    judged = [f for name in reading.names for f in name_findings(name, "the name in option 120")]
    return Reading(
        data,
        reading.spans,
        (*findings, *reading.findings, *judged),
        reading.names,
        reading.addresses,
    )


def _read_names(data: bytes) -> Reading:
    text = _plain(data[1:])
    if text is not None:
        spans = (Span(0, data[:1], "encoding 0: names"), Span(1, data[1:], f"plain text {text!r}"))
        return Reading(data, spans, (Finding(FindingKind.TEXT_IN_120, value=text),), (text,))
    walk = _Walk(data, 1)
    walk.run()
    read_spans = (Span(0, data[:1], "encoding 0: names"), *walk.spans)
    return Reading(data, read_spans, tuple(_name_list_findings(walk)), tuple(walk.names))


def _name_list_findings(walk: "_Walk") -> Iterator[Finding]:
    yield from walk.findings
    if len(walk.names) > 1:
        yield Finding(FindingKind.SEVERAL_NAMES, value=", ".join(walk.names))
    if not walk.names and not walk.findings:
        yield Finding(FindingKind.EMPTY_VALUE, _WHERE)


def _read_addresses(data: bytes) -> Reading:
    whole = (len(data) - 1) // 4
    addresses = [str(ipaddress.IPv4Address(data[1 + 4 * n : 5 + 4 * n])) for n in range(whole)]
    spans = [Span(0, data[:1], "encoding 1: addresses")]
    spans += [Span(1 + 4 * n, data[1 + 4 * n : 5 + 4 * n], a) for n, a in enumerate(addresses)]
    findings = [Finding(FindingKind.ADDRESS_IN_120, value=", ".join(addresses) or "none")]
    rest = data[1 + 4 * whole :]
    if rest:
        spans.append(Span(1 + 4 * whole, rest, "no whole address"))
        findings.append(Finding(FindingKind.TRUNCATED, "the last address", spaced(rest)))
    return Reading(data, tuple(spans), tuple(findings), addresses=tuple(addresses))


def _read_unknown(data: bytes) -> Reading:
    text = _plain(data)
    if text is not None:
        spans = (Span(0, data, f"plain text {text!r}"),)
        return Reading(data, spans, (Finding(FindingKind.TEXT_IN_120, value=text),), (text,))
    walk = _Walk(data, 0)
    walk.run()
    if walk.names and not walk.findings:
        finding = Finding(FindingKind.ENCODING_MISSING)
        return Reading(data, tuple(walk.spans), (finding,), tuple(walk.names))
    spans = (Span(0, data[:1], f"unknown encoding {data[0]}"),)
    rest = (Span(1, data[1:], "not read"),) if data[1:] else ()
    finding = Finding(FindingKind.ENCODING_UNKNOWN, value=str(data[0]))
    return Reading(data, spans + rest, (finding,))


def _plain(data: bytes) -> str | None:
    """Return the text, if the bytes are a host name written as plain text."""
    text = data.rstrip(b"\0").decode("latin-1")
    return text if len(text) > 3 and "." in text and is_name(text) else None


class _Walk:
    """Reads names in the form of DNS (RFC 1035, 3.1), with pointers back (4.1.4)."""

    def __init__(self, data: bytes, base: int) -> None:
        self._data = data
        self._base = base
        self._at = base
        self.names: list[str] = []
        self.spans: list[Span] = []
        self.findings: list[Finding] = []

    def run(self) -> None:
        """Read to the end, or to what cannot be read."""
        while self._at < len(self._data) and not self.findings:
            if self._data[self._at] == 0:
                self._stray_zeros()
            else:
                self._name()

    def _take(self, length: int, meaning: str) -> bytes:
        taken = self._data[self._at : self._at + length]
        if taken:
            self.spans.append(Span(self._at, taken, meaning))
        self._at += len(taken)
        return taken

    def _stray_zeros(self) -> None:
        rest = self._data[self._at :]
        self._take(len(rest) - len(rest.lstrip(b"\0")), "zero outside any name")
        self.findings.append(Finding(FindingKind.TRAILING_ZERO, _WHERE))
        self._give_up()

    def _name(self) -> None:
        labels: list[str] = []
        while not self.findings:
            if self._at == len(self._data):
                self._fail("the zero at its end is missing")
            elif self._data[self._at] == 0:
                self._take(1, "end of the name")
                break
            elif self._data[self._at] >= _POINTER:
                self._follow(labels)
                break
            else:
                self._label(labels)
        self._keep(labels)

    def _label(self, labels: list[str]) -> None:
        length = self._data[self._at]
        if length > _MOST_LABEL:
            self._fail(f"a label of {length} bytes, where {_MOST_LABEL} is the most")
            return
        self._take(1, f"length {length}")
        label = self._take(length, quoted(self._data[self._at : self._at + length]))
        labels.append(label.decode("latin-1"))
        if len(label) < length:
            self._fail(f"a label of {length} bytes is cut off after {len(label)}")

    def _follow(self, labels: list[str]) -> None:
        """Add the labels that a pointer names; it may point back only, so there is no loop."""
        at, limit = self._at, self._at
        self._take(2, "pointer to a name before")
        while len(labels) < _MOST_LABELS:
            pair = self._data[at : at + 2]
            if len(pair) == 2 and pair[0] >= _POINTER:
                at = self._base + (int.from_bytes(pair, "big") & 0x3FFF)
                if at >= limit:
                    self._fail("a pointer does not point back")
                    return
                limit = at
            elif not pair or pair[0] > _MOST_LABEL:
                self._fail("a pointer leads to no name")
                return
            elif pair[0] == 0:
                return
            else:
                labels.append(self._data[at + 1 : at + 1 + pair[0]].decode("latin-1"))
                at += 1 + pair[0]
        self._fail("too many labels")

    def _keep(self, labels: Sequence[str]) -> None:
        if labels and is_name(".".join(labels)) and len(self.names) < _MOST_NAMES:
            self.names.append(".".join(labels))
        elif labels and not self.findings:
            self._fail(quoted(".".join(labels).encode("latin-1")))

    def _fail(self, problem: str) -> None:
        self.findings.append(Finding(FindingKind.LABEL_INVALID, _WHERE, problem))
        self._give_up()

    def _give_up(self) -> None:
        self._take(len(self._data), "not read")


_READERS: Mapping[int, Callable[[bytes], Reading]] = {
    _NAMES: _read_names,
    _ADDRESSES: _read_addresses,
}
