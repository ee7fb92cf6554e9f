"""A small network made for a test: two network namespaces and a cable between them.

One end has DHCP and DNS servers, the other a lab on its own loopback and the program. Nothing of
it can be reached from outside, and nothing outside from it.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE, STARTED, wait_for

_NUMBERS = itertools.count(1)
SERVER, CLIENT = "192.0.2.1", "192.0.2.10"
CLIENT_INTERFACE, SERVER_INTERFACE = "eth0", "eth1"
_BIND = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def need(*programs: str) -> None:
    """Skip, loudly, where there is no root or no such program; in CI that is a failure."""
    if os.geteuid() != 0:
        _do_without("network namespaces need root")
    for program in programs:
        need_program(program)


def need_program(program: str) -> None:
    if shutil.which(program, path=_PATH) is None:
        _do_without(f"{program} is not installed; see scripts/bootstrap --dev")


def need_file(path: Path, package: str) -> None:
    if not path.exists():
        _do_without(f"{package} is not installed; see scripts/bootstrap --dev")


def _do_without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"NOT TESTED: {reason}")
    pytest.skip(f"NOT TESTED: {reason}")


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass
class Network:
    """The two ends, by the names of their namespaces."""

    server: str
    client: str
    folder: Path

    def at_server(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.server, *command]

    def at_client(self, *command: str) -> list[str]:
        """Run with this network's DNS server and hosts file, whatever the machine's own are."""
        files = [str(self.folder / "resolv.conf"), str(self.folder / "hosts")]
        inside = ["ip", "netns", "exec", self.client, "unshare", "--mount"]
        return [*inside, "sh", "-c", _BIND, "sh", *files, *command]


@contextmanager
def network(folder: Path, hosts: Sequence[str] = ()) -> Iterator[Network]:
    """Make a network; ``hosts`` are names of the client's own loopback."""
    made = Network(*(f"usbprov-{end}-{os.getpid()}-{next(_NUMBERS)}" for end in "sc"), folder)
    lines = [f"127.0.0.1 {name}\n" for name in ("localhost", *hosts)]
    (folder / "hosts").write_text("".join(lines))
    (folder / "resolv.conf").write_text(f"nameserver {SERVER}\noptions timeout:1 attempts:1\n")
    try:
        for name in (made.server, made.client):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ends = ["type", "veth", "peer", "name", CLIENT_INTERFACE, "netns", made.client]
        ip("link", "add", SERVER_INTERFACE, "netns", made.server, *ends)
        for name, interface, address in (
            (made.server, SERVER_INTERFACE, SERVER),
            (made.client, CLIENT_INTERFACE, CLIENT),
        ):
            ip("-n", name, "address", "add", f"{address}/24", "dev", interface)
            ip("-n", name, "link", "set", interface, "up")
            ip("-n", name, "route", "add", "default", "dev", interface)
        yield made
    finally:
        for name in (made.server, made.client):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextmanager
def daemon(command: Sequence[str], ready: str, **environment: str) -> Iterator[None]:
    """Run a server until the end of the block; it is ready when it writes so."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        try:
            wait_for(lambda: process.poll() is not None or ready in _read(log), ready)
            assert process.poll() is None, _read(log)
            yield
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _read(log) -> str:
    log.flush()
    return os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")


@contextmanager
def dnsmasq(net: Network, configuration: str) -> Iterator[None]:
    """Run a real dnsmasq with DHCP and DNS at the server's end."""
    file = net.folder / "dnsmasq.conf"
    file.write_text(
        f"interface={SERVER_INTERFACE}\nbind-interfaces\nno-resolv\nno-hosts\nno-ping\nuser=root\n"
        "dhcp-range=192.0.2.100,192.0.2.150,1h\ndhcp-authoritative\nlog-facility=-\n"
        f"dhcp-leasefile={net.folder / 'dnsmasq.leases'}\npid-file=\n{configuration}\n"
    )
    command = net.at_server("dnsmasq", "--keep-in-foreground", f"--conf-file={file}")
    with daemon(command, "started, version"):
        yield


HOST = "web.contoso.test"
"""The name of the lab's Web Services within a network."""


@dataclass
class Site:
    """A network with a lab in it, at the ports of real Web Services."""

    net: Network
    ca_file: str

    def discover(self, *arguments: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
        """Run ``usbprov discover --json`` at the client's end."""
        asked = [*STARTED, "discover", "--json", "--ca-file", self.ca_file, *arguments]
        ended = subprocess.run(
            self.net.at_client(*prefix, *asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return json.loads(ended.stdout) | {"exit_code": ended.returncode}


@contextmanager
def site_network(folder: Path, names: Sequence[str] = ()) -> Iterator[Site]:
    """Make a network with a lab on the client's loopback, which has further ``names``."""
    lab = folder / "lab"
    arguments = ("--dir", str(lab), "--host", HOST, "--https-port", "443", "--http-port", "80")
    with network(folder, (HOST, *names)) as net:
        command = net.at_client(*STARTED, "lab", "up", *arguments)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            facts = lab / "lab.json"
            wait_for(lambda: process.poll() is not None or facts.exists(), "the lab")
            assert process.poll() is None, "the lab has ended"
            yield Site(net, json.loads(facts.read_text())["ca_file"])
        finally:
            process.terminate()
            process.wait(PATIENCE)
