"""An option's value that somebody pasted: which option it is, and what it says."""

from dataclasses import dataclass

from usbprov.webservices.discovery import option43, option120
from usbprov.webservices.discovery.explanation import Span, parse_hex
from usbprov.webservices.discovery.findings import Finding
from usbprov.webservices.discovery.suboptions import SubOption


@dataclass(frozen=True)
class Explained:
    """An option 43 or 120, explained.

    Attributes:
        code: 43 or 120.
        vendor_class: For which option 43 is meant; None for option 120.
        spans: Every byte in order, with its meaning.
        findings: What is wrong or odd.
        url: Of the certificate service, or None.
        vlan: Voice VLAN, or None.
        names: Of Registrars.
    """

    code: int
    vendor_class: str | None
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]
    url: str | None = None
    vlan: int | None = None
    names: tuple[str, ...] = ()


def explain(text: str, code: int | None = None, vendor_class: str | None = None) -> Explained:
    """Explain a value written in hex.

    Args:
        text: The value, with or without separators.
        code: 43 or 120, or None to tell by the bytes.
        vendor_class: The data of the class to which option 43 is bound, or None to tell by the
            bytes.

    Raises:
        OptionInvalid: It is not hex.
    """
    data = parse_hex(text)
    if code is None:
        code = option43.CODE if vendor_class is not None else _option_of(data)
    if code == option120.CODE:
        sip = option120.read(data)
        return Explained(code, None, sip.spans, sip.findings, names=sip.names)
    if vendor_class is None:
        is_vlan = data[:1] == bytes((SubOption.VLAN_ID,))
        vendor_class = option43.VLAN_CLASS if is_vlan else option43.UC_CLASS
    uc = option43.read(data, vendor_class)
    return Explained(code, vendor_class, uc.spans, uc.findings, uc.url, uc.vlan)


def _option_of(data: bytes) -> int:
    """Tell the option by its own header, or by what fits it with fewer faults."""
    for code in (option43.CODE, option120.CODE):
        if data[:1] == bytes((code,)) and data[1:2] == bytes((max(len(data) - 2, 0) & 0xFF,)):
            return code
    looks_like_43 = len(option43.read(data).values) > 1 or data[:1] in (b"\x02", b"\x0a")
    sip = option120.read(data)
    is_120 = bool(sip.names or sip.addresses) and not looks_like_43
    return option120.CODE if is_120 or data[:1] == b"\0" else option43.CODE
