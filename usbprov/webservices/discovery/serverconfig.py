"""The options as configuration to be pasted into DHCP servers.

Option 43 always hangs on the vendor class, because its meaning does; option 120 means the same to
every SIP device, and is given to whoever asks for it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from usbprov.webservices.discovery import option43, option120
from usbprov.webservices.discovery.option43 import UC_CLASS, VLAN_CLASS
from usbprov.webservices.discovery.suboptions import LABELS, SubOption


class ServerKind(Enum):
    """For whom configuration is written."""

    HEX = "hex"
    DNSMASQ = "dnsmasq"
    KEA = "kea"
    ISC = "isc"
    WINDOWS = "windows"
    CISCO = "cisco"


@dataclass(frozen=True)
class Options:
    """The options of one pool.

    Attributes:
        values: The sub-options for ``MS-UC-Client``.
        option43: The same, encoded.
        option120: The Registrar, encoded.
        registrar: Its name.
        vlan: The voice VLAN, or None.
        vlan43: Option 43 for ``CPE-OCPHONE``, or empty.
    """

    values: Mapping[SubOption, bytes]
    option43: bytes
    option120: bytes
    registrar: str
    vlan: int | None
    vlan43: bytes


def pool_options(web_services: str, registrar: str, port: int, vlan: int | None) -> Options:
    """Encode the options of a pool.

    Raises:
        OptionInvalid: A name, the port or the VLAN cannot be encoded.
    """
    values = option43.uc_values(web_services, port)
    return Options(
        values,
        option43.encode(values),
        option120.encode(registrar),
        registrar,
        vlan,
        option43.encode_vlan(vlan) if vlan is not None else b"",
    )


def render(kind: ServerKind, options: Options) -> str:
    """Write the configuration, without a line break at the end."""
    return "\n".join(_WRITERS[kind](options))


def _hex(options: Options) -> Iterator[str]:
    yield f"43 {UC_CLASS}  {options.option43.hex()}"
    yield f"120              {options.option120.hex()}"
    if options.vlan43:
        yield f"43 {VLAN_CLASS}   {options.vlan43.hex()}"


def _dnsmasq(options: Options) -> Iterator[str]:
    yield from _comments("#", options)
    yield f"dhcp-vendorclass=set:ms-uc-client,{UC_CLASS}"
    yield f"dhcp-option=tag:ms-uc-client,{option43.CODE},{options.option43.hex(':')}"
    yield f"dhcp-option=option:sip-server,{options.registrar}"
    if options.vlan43:
        yield f"dhcp-vendorclass=set:cpe-ocphone,{VLAN_CLASS}"
        yield f"dhcp-option=tag:cpe-ocphone,{option43.CODE},{options.vlan43.hex(':')}"


def _kea(options: Options) -> Iterator[str]:
    texts = [_kea_value(code, value.decode("ascii")) for code, value in options.values.items()]
    definitions = [_kea_definition(code, UC_CLASS, "string") for code in options.values]
    classes = [_kea_class(UC_CLASS, texts)]
    if options.vlan43:
        definitions.append(_kea_definition(SubOption.VLAN_ID, VLAN_CLASS, "uint16"))
        vlan = _kea_value(SubOption.VLAN_ID, str(options.vlan), VLAN_CLASS)
        classes.append(_kea_class(VLAN_CLASS, [vlan]))
    sip = {"code": option120.CODE, "csv-format": False, "data": options.option120.hex()}
    fragment = {"option-def": definitions, "client-classes": classes, "option-data": [sip]}
    yield from json.dumps(fragment, indent=2).splitlines()


def _kea_definition(code: SubOption, space: str, kind: str) -> dict[str, object]:
    return {"name": LABELS[code], "code": int(code), "space": space, "type": kind}


def _kea_value(code: SubOption, data: str, space: str = UC_CLASS) -> dict[str, object]:
    return {"name": LABELS[code], "code": int(code), "space": space, "data": data}


def _kea_class(name: str, values: list[dict[str, object]]) -> dict[str, object]:
    encapsulated = "vendor-encapsulated-options"
    definition = {"name": encapsulated, "code": 43, "type": "empty", "encapsulate": name}
    return {
        "name": name,
        "test": f"option[60].text == '{name}'",
        "option-def": [definition],
        "option-data": [{"name": encapsulated, "code": option43.CODE}, *values],
    }


def _isc(options: Options) -> Iterator[str]:
    yield from _comments("#", options)
    yield "option space MSUCClient;"
    for code in options.values:
        yield f"option MSUCClient.{LABELS[code]} code {code:d} = text;"
    yield f"option UCSipServer code {option120.CODE} = string;"
    yield f"option UCSipServer {options.option120.hex(':')};"
    texts = {code: f'"{value.decode("ascii")}"' for code, value in options.values.items()}
    yield from _isc_class(UC_CLASS, "MSUCClient", texts)
    if options.vlan43:
        yield "option space CPEOCPHONE;"
        yield f"option CPEOCPHONE.VLANID code {SubOption.VLAN_ID:d} = unsigned integer 16;"
        vlan = {SubOption.VLAN_ID: str(options.vlan)}
        yield from _isc_class(VLAN_CLASS, "CPEOCPHONE", vlan)


def _isc_class(name: str, space: str, values: Mapping[SubOption, str]) -> Iterator[str]:
    yield f'class "{name}" {{'
    yield f'  match if option vendor-class-identifier = "{name}";'
    yield f"  vendor-option-space {space};"
    for code, value in values.items():
        yield f"  option {space}.{LABELS[code]} {value};"
    yield "}"


def _windows(options: Options) -> Iterator[str]:
    server = "netsh dhcp server"
    yield f'{server} add class MSUCClient "UC Vendor Class Id" "{UC_CLASS}" 1'
    yield f'{server} add optiondef {option120.CODE} UCSipServer BINARY 0 comment="Sip Server Fqdn"'
    yield f"{server} set optionvalue {option120.CODE} BINARY {options.option120.hex().upper()}"
    for code, value in options.values.items():
        yield f"{server} add optiondef {code:d} {LABELS[code]} BINARY 0 vendor=MSUCClient"
        yield f"{server} set optionvalue {code:d} BINARY vendor=MSUCClient {value.hex().upper()}"
    if options.vlan43:
        yield f'{server} add class CPEOCPHONE "VLAN Vendor Class Id" "{VLAN_CLASS}" 1'
        code = SubOption.VLAN_ID
        yield f"{server} add optiondef {code:d} {LABELS[code]} WORD 0 vendor=CPEOCPHONE"
        yield f"{server} set optionvalue {code:d} WORD vendor=CPEOCPHONE {options.vlan}"


def _cisco(options: Options) -> Iterator[str]:
    yield from _comments("!", options)
    yield "! It gives option 43 to every vendor class: keep the phones in a pool of their own."
    yield f" option {option43.CODE} hex {_dotted(options.option43)}"
    yield f" option {option120.CODE} hex {_dotted(options.option120)}"
    if options.vlan43:
        yield "! It cannot answer CPE-OCPHONE besides: give the VLAN by LLDP-MED, at the ports:"
        yield f"!  switchport voice vlan {options.vlan}"


def _dotted(data: bytes) -> str:
    """Write hex in groups of four digits, as IOS shows it: ``010c.4d53``."""
    digits = data.hex()
    return ".".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _comments(mark: str, options: Options) -> Iterator[str]:
    shown = ", ".join(f"{LABELS[c]}={v.decode('ascii')}" for c, v in options.values.items())
    yield f"{mark} {UC_CLASS}: {shown}"
    yield f"{mark} Registrar: {options.registrar}"
    if options.vlan is not None:
        yield f"{mark} {VLAN_CLASS}: VLAN {options.vlan}"


_WRITERS: Mapping[ServerKind, Callable[[Options], Iterator[str]]] = {
    ServerKind.HEX: _hex,
    ServerKind.DNSMASQ: _dnsmasq,
    ServerKind.KEA: _kea,
    ServerKind.ISC: _isc,
    ServerKind.WINDOWS: _windows,
    ServerKind.CISCO: _cisco,
}
