"""What ``usbprov dhcp encode`` writes is taken and served by real DHCP servers, and found by
``usbprov discover``; what administrators get wrong is explained.

dnsmasq and Kea run in a network namespace of the test's own; the program and a lab run
in another one.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache

import pytest
from networks import (
    CLIENT_INTERFACE,
    HOST,
    SERVER_INTERFACE,
    Network,
    Site,
    daemon,
    dnsmasq,
    need,
    site_network,
)
from processes import PROGRAM

URL = f"https://{HOST}:443/CertProv/CertProvisioningService.svc"
POOL = "pool.contoso.test"
NOWHERE = "nowhere.contoso.test"
NAMES = ("--web-services", HOST, "--registrar", POOL, "--vlan", "100")
ONLY_DHCP = ("--no-dns", "--no-autodiscover")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need("ip", "unshare", "dnsmasq", "kea-dhcp4")
    with site_network(
        tmp_path_factory.mktemp("network"), ("alias.contoso.test", POOL, "other.contoso.test")
    ) as made:
        yield made


@cache
def encoded(server: str) -> str:
    """Write configuration, once for each server."""
    command = [*PROGRAM, "dhcp", "encode", *NAMES, "--for", server]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kea(net: Network, written: str) -> AbstractContextManager[None]:
    base = {
        "interfaces-config": {"interfaces": [SERVER_INTERFACE]},
        "lease-database": {"type": "memfile", "persist": False},
        "subnet4": [{"subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.100-192.0.2.150"}]}],
        "loggers": [
            {"name": "kea-dhcp4", "output_options": [{"output": "stdout"}], "severity": "INFO"}
        ],
    }
    file = net.folder / "kea.json"
    file.write_text(json.dumps({"Dhcp4": base | json.loads(written)}))
    folders = {"KEA_PIDFILE_DIR": str(net.folder), "KEA_LOCKFILE_DIR": str(net.folder)}
    return daemon(net.at_server("kea-dhcp4", "-c", str(file)), "DHCP4_STARTED", **folders)


SERVERS: dict[str, Callable[[Network, str], AbstractContextManager[None]]] = {
    "dnsmasq": dnsmasq,
    "kea": kea,
}


@pytest.mark.parametrize("server", SERVERS)
def test_what_is_written_is_served_and_found(site: Site, server: str) -> None:
    with SERVERS[server](site.net, encoded(server)):
        found = site.discover(*ONLY_DHCP)
    assert (found["web_services_url"], found["source"]) == (URL, "dhcp")
    assert found["usable"], found["checks"]
    assert (found["registrar"], found["vlan"]) == (f"{POOL}:5061", 100)
    assert found["findings"] == []
    assert found["exit_code"] == 0


def hexed(*parts: tuple[int, bytes]) -> str:
    return b"".join(bytes((code, len(value))) + value for code, value in parts).hex(":")


def uc(**changed: bytes) -> list[tuple[int, bytes]]:
    values = {
        "identifier": b"MS-UC-Client",
        "scheme": b"https",
        "host": HOST.encode(),
        "port": b"443",
        "path": b"/CertProv/CertProvisioningService.svc",
    } | changed
    return [(code, value) for code, value in enumerate(values.values(), 1)]


def config(
    *lines: str, option43: str = "", vendor_class: str = "MS-UC-Client", sip: str = POOL
) -> str:
    """Write a configuration for dnsmasq, right where nothing else is said."""
    written = [
        f"dhcp-vendorclass=set:uc,{vendor_class}",
        f"dhcp-option=tag:uc,43,{option43 or hexed(*uc())}",
        *([f"dhcp-option=option:sip-server,{sip}"] if sip else []),
    ]
    return "\n".join([*written, *lines])


RIGHT = hexed(*uc())
BROKEN: dict[str, tuple[str, set[str]]] = {
    "43 without 120": (config(sip=""), {"no-120"}),
    "120 without 43": (f"dhcp-option=option:sip-server,{POOL}", {"no-43"}),
    "an address in 120": (config(sip="192.0.2.7"), {"address-in-120"}),
    "plain text in 120": (
        config("dhcp-option-force=120," + POOL.encode().hex(":"), sip=""),
        {"text-in-120"},
    ),
    "two names in 120": (config(sip=f"{POOL},other.contoso.test"), {"several-names"}),
    "vendor class in lower case": (
        config(vendor_class="ms-uc-client"),
        {"no-43", "vendor-class-case"},
    ),
    "display name as vendor class": (config(vendor_class="MSUCClient"), {"no-43", "vendor-class"}),
    "43 for everybody": (
        f"dhcp-option=43,{RIGHT}\ndhcp-option=option:sip-server,{POOL}",
        {"mixed-classes"},
    ),
    "a length byte too small": (
        config(option43=RIGHT.replace(":03:10:", ":03:0f:")),
        {"wrong-length"},
    ),
    "a zero at the end": (
        config(option43=hexed(*uc(host=HOST.encode() + b"\0"))),
        {"trailing-zero"},
    ),
    "a binary port": (config(option43=hexed(*uc(port=b"\x01\xbb"))), {"not-text", "port-invalid"}),
    "the external port": (
        config(option43=hexed(*uc(port=b"4443"))),
        {"port-unusual", "unreachable"},
    ),
    "another path": (
        config(option43=hexed(*uc(path=b"/WebTicket/CertProvisioningService.svc"))),
        {"path-unusual", "not-the-service"},
    ),
    "an address for the web server": (
        config(option43=hexed(*uc(host=b"192.0.2.10"))),
        {"name-is-address", "unreachable"},
    ),
    "a name not in the certificate": (
        config(option43=hexed(*uc(host=b"alias.contoso.test"))),
        {"wrong-name"},
    ),
    "a Registrar that is not known": (config(sip=NOWHERE), {"not-resolvable"}),
    "the pool's name for the web server": (
        config(option43=hexed(*uc(host=NOWHERE.encode())), sip=NOWHERE),
        {"not-resolvable", "pool-name"},
    ),
    "the option's header too": (
        config(option43=f"2b:{len(uc()) * 2 + sum(len(v) for _, v in uc()):02x}:{RIGHT}"),
        {"option-header"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_explained(site: Site, name: str) -> None:
    written, expected = BROKEN[name]
    with dnsmasq(site.net, written):
        found = site.discover(*ONLY_DHCP)
    assert {f["kind"] for f in found["findings"]} == expected
    assert all(f["cause"] and f["remedy"] for f in found["findings"])
    assert found["exit_code"] == (0 if found["web_services_url"] else 5)


def test_a_kea_class_of_the_wrong_case_is_explained(site: Site) -> None:
    written = encoded("kea").replace("text == 'MS-UC-Client'", "text == 'ms-uc-client'")
    with kea(site.net, written):
        found = site.discover(*ONLY_DHCP)
    assert {f["kind"] for f in found["findings"]} == {"no-43", "vendor-class-case"}


def test_dhcp_and_dns_are_compared(site: Site) -> None:
    records = (
        "local=/contoso.test/\naddress=/old.contoso.test/192.0.2.9\n"
        "srv-host=_sipinternaltls._tcp.contoso.test,old.contoso.test,5061"
    )
    with dnsmasq(site.net, encoded("dnsmasq") + records):
        found = site.discover("--domain", "contoso.test", "--no-autodiscover")
    assert (found["web_services_url"], found["usable"]) == (URL, True)
    assert [f["kind"] for f in found["findings"]] == ["sources-disagree"]
    assert "old.contoso.test" in found["findings"][0]["message"]


def test_without_the_right_to_the_port_the_rest_still_works(site: Site) -> None:
    records = (
        f"local=/contoso.test/\naddress=/{HOST}/127.0.0.1\n"
        f"srv-host=_sipinternaltls._tcp.contoso.test,{HOST},5061"
    )
    drop = ("setpriv", "--bounding-set", "-net_bind_service")
    with dnsmasq(site.net, records):
        found = site.discover("--user", "sip:alice@contoso.test", prefix=drop)
    dhcp = found["sources"][1]
    assert (dhcp["outcome"], dhcp["error_code"]) == ("skipped", "DIS-02")
    assert "sudo setcap cap_net_bind_service=+ep" in dhcp["said"][0]
    assert (found["source"], found["usable"]) == ("dns", True)
    assert found["web_services_url"] == URL.replace(":443", "")


def test_only_dhcp_and_no_right_to_it(site: Site) -> None:
    drop = ("setpriv", "--bounding-set", "-net_bind_service")
    found = site.discover(*ONLY_DHCP, prefix=drop)
    assert (found["exit_code"], found["error"]["code"]) == (2, "DIS-02")


def test_nobody_answers(site: Site) -> None:
    found = site.discover("--interface", CLIENT_INTERFACE, *ONLY_DHCP)
    assert (found["exit_code"], found["error"]["code"]) == (5, "DIS-01")
    assert found["sources"][1]["outcome"] == "silent"
