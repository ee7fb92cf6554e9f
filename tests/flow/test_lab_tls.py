"""The lab's TLS: who can reach it, and what `openssl` says of its chain."""

import contextlib
import gc
import socket
import ssl
import subprocess
from urllib.request import urlopen

import pytest
from lab_client import Client, running_lab, seed

from usbprov.errors import LabUnusable
from usbprov.lab.up import Lab, LabOptions

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def port_of(lab):
    return int(lab.facts.web_services_url.split(":")[2].partition("/")[0])


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], check=False, capture_output=True, input=b""
    )
    return done.stdout.decode() + done.stderr.decode()


def test_openssl_verifies_the_served_chain_strictly(lab):
    said = openssl(
        "s_client", "-connect", f"localhost:{port_of(lab)}", "-CAfile", lab.facts.ca_file,
        "-verify_hostname", "localhost", "-verify_return_error", "-x509_strict", "-showcerts",
    )  # fmt: skip
    assert "Verify return code: 0 (ok)" in said
    assert said.count("BEGIN CERTIFICATE") == 2


def test_openssl_verifies_the_stored_chain_strictly(lab, tmp_path):
    authority = lab.facts.ca_file.parent
    said = openssl(
        "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost",
        "-CAfile", authority / "root-ca.pem", "-untrusted", authority / "intermediate.pem",
        authority / "server.pem",
    )  # fmt: skip
    assert said.endswith("server.pem: OK\n")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_every_loopback_name_is_in_the_certificate(lab, name):
    context = ssl.create_default_context(cafile=lab.facts.ca_file)
    with (
        socket.create_connection(("127.0.0.1", port_of(lab)), 5) as raw,
        context.wrap_socket(raw, server_hostname=name) as tls,
    ):
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_another_name_and_another_ca_are_not_trusted(lab):
    for context, name in (
        (ssl.create_default_context(cafile=lab.facts.ca_file), "elsewhere.test"),
        (ssl.create_default_context(), "localhost"),
    ):
        with (
            socket.create_connection(("127.0.0.1", port_of(lab)), 5) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(raw, server_hostname=name)


def test_tls_below_1_2_is_refused(lab):
    for version, cipher in (
        ("-tls1_1", "Cipher is (NONE)"),
        ("-tls1_2", "New, TLSv1.2, Cipher is"),
    ):
        said = openssl(
            "s_client", "-connect", f"localhost:{port_of(lab)}", version,
            "-cipher", "ALL:@SECLEVEL=0",
        )  # fmt: skip
        assert cipher in said


def test_nothing_but_loopback_is_bound(lab):
    """A connection to this computer's own outward address must find nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; chooses the outward address
        except OSError:
            pytest.skip("this computer has no address but loopback")
        outward = probe.getsockname()[0]
    with pytest.raises(OSError):  # noqa: PT011 - refused, or not reachable
        socket.create_connection((outward, port_of(lab)), 1).close()


@pytest.mark.parametrize("host", ["192.0.2.7", "0.0.0.0", "::"])  # noqa: S104 - refused
def test_a_host_that_is_not_loopback_is_refused(tmp_path, host):
    with pytest.raises(LabUnusable, match="loopback only"):
        Lab(LabOptions(seed(tmp_path), host=host)).start()


def test_a_host_that_does_not_resolve_is_refused(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(LabUnusable, match="does not resolve"):
        Lab(LabOptions(seed(tmp_path), host="lyncpool.contoso.test")).start()


def test_a_host_name_of_ones_own(tmp_path, monkeypatch):
    """As with an entry in the hosts file: the name is in the URLs and in the certificate."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: real("127.0.0.1" if host == "pool.contoso.test" else host, *a, **k),
    )
    with running_lab(tmp_path, host="pool.contoso.test") as lab, Client(lab) as client:
        assert lab.facts.web_services_url.startswith("https://pool.contoso.test:")
        answer = client.ask("GET", lab.facts.web_services_url + "/mex")
        assert answer.status == 200
        assert answer.headers["X-MS-Server-Fqdn"] == "pool.contoso.test"
        assert client.ticket(lab.facts.users[0])


def test_an_address_literal_as_host(tmp_path):
    with running_lab(tmp_path, host="127.0.0.1") as lab, Client(lab) as client:
        assert client.ticket(lab.facts.users[0])


def test_a_port_that_is_taken_is_named(tmp_path, lab):
    with pytest.raises(LabUnusable, match=f"port {port_of(lab)} is taken"):
        Lab(LabOptions(seed(tmp_path), https_port=port_of(lab))).start()


def test_clients_in_the_middle_of_a_handshake_are_let_go_when_the_lab_stops(tmp_path):
    with running_lab(tmp_path / "lab") as lab, contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(lab)), timeout=20))
            for _ in range(8)
        ]
        for client in clients[::2]:
            client.sendall(b"\x16\x03\x01")
        with contextlib.suppress(OSError):
            urlopen(f"https://127.0.0.1:{port_of(lab)}/", context=ssl.create_default_context())
        lab.stop()
        for client in clients:
            with contextlib.suppress(ConnectionError):
                assert client.recv(100) == b""
    gc.collect()
