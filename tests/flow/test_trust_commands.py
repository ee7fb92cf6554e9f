"""``usbprov trust``: an old phone learns to verify the lab, by each source; openssl agrees."""

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from doubles.certificates import Party, issue, server
from processes import Station, station

from usbprov.cli.main import run
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.selection import select
from usbprov.pki.certificates import load_certificate, thumbprint, to_der, to_pem
from usbprov.usb.buses import open_bus


@dataclass
class Desk:
    """A phone with old roots, a lab that it does not trust, and the program in this process."""

    at: Station
    numbers: Iterator[int]
    capture: pytest.CaptureFixture[str]

    @cached_property
    def port(self) -> str:
        """Where a phone is attached that nobody has touched."""
        return f"1-{next(self.numbers)}"

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        code = run(["--bus", self.at.bus, *arguments])
        said = self.capture.readouterr()
        return code, said.out, said.err

    def trust(self, command: str, *options: str) -> tuple[int, Any]:
        url = ("--web-services-url", self.at.facts["web_services_url"])
        code, out, _ = self.run("trust", command, self.port, "--json", *url, *options)
        return code, json.loads(out)

    @property
    def lab_root(self) -> x509.Certificate:
        pem = Path(self.at.facts["ca_file"]).read_bytes()
        return x509.load_pem_x509_certificate(pem)

    def roots_of_the_phone(self) -> list[x509.Certificate]:
        found = select(candidates([open_bus(self.at.bus)], Reach()), self.port, [])
        with contextlib.closing(found.open()) as phone:
            return [load_certificate(phone.read_root(root)) for root in phone.info().roots]

    def phone_verifies(self, url: str = "") -> bool:
        """Ask openssl, with the roots that are read out of the phone and nothing else."""
        roots = self.at.folder / "phone-roots.pem"
        roots.write_bytes(to_pem(self.roots_of_the_phone()))
        address = (url or self.at.facts["web_services_url"]).split("/")[2]
        host, _, port = address.rpartition(":")
        said = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host),
                *("-verify_hostname", host, "-verify_return_error", "-verify_quiet"),
                *("-no-CApath", "-no-CAstore", "-CAfile", str(roots)),
            ],
            input=b"",
            capture_output=True,
            check=False,
        )
        return said.returncode == 0


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Station, Iterator[int]]]:
    folder = tmp_path_factory.mktemp("bench")
    with station(folder, phones=10, options=("--personality", "old-roots")) as running:
        yield running, count(1)


@pytest.fixture
def desk(
    bench: tuple[Station, Iterator[int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    at, numbers = bench
    monkeypatch.setenv("XDG_CONFIG_HOME", str(at.folder / "home"))
    return Desk(at, numbers, capsys)


def files(root: x509.Certificate) -> dict[str, bytes]:
    return {
        "root.pem": to_pem([root]),
        "root.cer": to_der(root),
        "root.p7b": pkcs7.serialize_certificates([root], Encoding.DER),
    }


@pytest.mark.parametrize("name", ["root.pem", "root.cer", "root.p7b"])
def test_from_a_file(desk: Desk, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(files(desk.lab_root)[name])
    assert not desk.phone_verifies()
    ca = ("--ca-file", str(tmp_path / name))
    code, planned = desk.trust("plan", *ca)
    assert code == 0
    assert [one["source"] for one in planned["install"]] == ["file"]
    assert not planned["servers"][0]["trusted"]
    assert not desk.phone_verifies()  # a plan writes nothing
    code, done = desk.trust("install", *ca, "--source", "file")
    assert (code, done["outcome"]) == (0, "installed")
    assert done["servers"][0]["trusted"]
    assert desk.phone_verifies()
    code, again = desk.trust("install", *ca)
    assert (code, again["outcome"], again["install"]) == (0, "already-trusted", [])


def test_from_the_download_if_somebody_vouches(desk: Desk) -> None:
    download = ("--source", "download", "--chain-download-url", desk.at.facts["chain_url"])
    code, refused = desk.trust("install", *download)
    assert (code, refused["error"]["code"]) == (6, "TLS-07")
    digest = thumbprint(desk.lab_root)
    assert digest in "".join(refused["error"]["facts"]["certificates"])
    assert not desk.phone_verifies()
    code, wrong = desk.trust("install", *download, "--fingerprint", digest[::-1])
    assert (code, wrong["error"]["code"]) == (6, "TLS-07")
    written = ":".join(digest[i : i + 2] for i in range(0, 64, 2)).upper()
    code, done = desk.trust("install", *download, "--fingerprint", written)
    assert (code, done["outcome"]) == (0, "installed"), done
    assert [one["source"] for one in done["install"]] == ["download"]
    assert desk.phone_verifies()


def test_the_download_is_the_spare_source_for_an_intermediate(desk: Desk) -> None:
    download = ("--chain-download-url", desk.at.facts["chain_url"])
    with fault(desk, "incomplete-chain"):
        code, done = desk.trust("install", "--ca-file", desk.at.facts["ca_file"], *download)
        assert code == 0, done
        assert desk.phone_verifies()
    assert [(one["subject"], one["source"]) for one in done["install"]] == [
        ("CN=usbprov lab root CA", "file"),
        ("CN=usbprov lab issuing CA", "download"),
    ]


def test_an_order_that_phones_may_insist_on_is_told(desk: Desk) -> None:
    with fault(desk, "wrong-order"):
        code, done = desk.trust("install", "--ca-file", desk.at.facts["ca_file"])
    assert code == 0, done
    findings = done["servers"][0]["findings"]
    assert [(f["trouble"], f["blocks"]) for f in findings] == [("wrong-order", False)]


@contextmanager
def fault(desk: Desk, name: str) -> Iterator[None]:
    folder = ("--dir", str(desk.at.folder / "lab"))
    assert desk.run("lab", "fault", name, "on", *folder)[0] == 0
    try:
        yield
    finally:
        assert desk.run("lab", "fault", name, "off", *folder)[0] == 0


def test_a_recorded_form_of_the_download(desk: Desk, tmp_path: Path) -> None:
    namespace = "http://schemas.microsoft.com/OCS/AuthWebServices/"
    form = {
        "method": "POST",
        "element": "CertChain",
        "body": "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>"
        f"<GetCertChain xmlns='{namespace}'/></s:Body></s:Envelope>",
    }
    headers = {"Content-Type": "text/xml", "SOAPAction": f'"{namespace}GetCertChain"'}
    lines = [f"{name} = {json.dumps(value)}" for name, value in form.items()]
    lines += ["[headers]", *(f"{name} = {json.dumps(value)}" for name, value in headers.items())]
    (tmp_path / "chain.toml").write_text("\n".join(lines))
    config = tmp_path / "config.toml"
    config.write_text('[adapters]\nchain_download = "chain.toml"\n')
    code, out, err = desk.run(
        *("--config", str(config), "trust", "install", desk.port, "--source", "download"),
        *("--web-services-url", desk.at.facts["web_services_url"]),
        *(
            "--chain-download-url",
            desk.at.facts["chain_url"],
            "--ca-file",
            desk.at.facts["ca_file"],
        ),
    )
    assert code == 0, err
    assert "installed: CN=usbprov lab root CA from download" in out
    assert desk.phone_verifies()


@contextmanager
def registrar(folder: Path, *chain: Party) -> Iterator[str]:
    """A TLS server that presents a chain and says nothing."""
    leaf = chain[0]
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "registrar.pem").write_bytes(key + to_pem(party.certificate for party in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "registrar.pem")
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            with suppress(OSError):
                plain, _ = listening.accept()
                with plain, context.wrap_socket(plain, server_side=True) as secured:
                    secured.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"localhost:{listening.getsockname()[1]}"
        stop.set()
        thread.join()


def test_from_the_server_s_own_chain_and_the_registrar_too(desk: Desk, tmp_path: Path) -> None:
    root = issue("Public Root")
    middle = issue("Public Middle", root)
    chain = (server("fe", middle, "localhost"), middle, root)
    with registrar(tmp_path, *chain) as address:
        both = ("--registrar", address, "--source", "server", "--source", "file")
        both += ("--ca-file", desk.at.facts["ca_file"])
        code, refused = desk.trust("install", *both)
        assert (code, refused["error"]["code"]) == (6, "TLS-07")
        assert [one["problem"] is None for one in refused["servers"]] == [True, False]
        code, done = desk.trust("install", *both, "--fingerprint", thumbprint(root.certificate))
        assert code == 0, done
        assert {(one["subject"], one["source"]) for one in done["install"]} == {
            ("CN=usbprov lab root CA", "file"),
            ("CN=Public Root", "server"),
        }
        assert [one["trusted"] for one in done["servers"]] == [True, True]
        assert desk.phone_verifies()
        assert desk.phone_verifies(f"https://{address}/")


def test_a_phone_without_sha2_is_refused_before_the_pin_is_used(tmp_path: Path) -> None:
    with station(tmp_path, phones=1, options=("--personality", "no-sha2")) as at:
        url = ("--web-services-url", at.facts["web_services_url"])
        plan = at.run("trust", "plan", "--json", *url, "--ca-file", at.facts["ca_file"])
        job = at.provision("--json")
        info = at.run("info", "1-1")
        assert at.published() == []
    assert "verifies       rsa-sha1\n" in info.out
    assert (plan.code, plan.document["error"]["code"]) == (6, "TLS-06")
    assert plan.document["limits"] == {"signatures": ["rsa-sha1"], "rsa_bits": None}
    assert {f["trouble"] for f in plan.document["servers"][0]["findings"]} == {"too-new"}
    assert (job.code, job.document["error"]["code"]) == (6, "TLS-06")
    assert "RSA with SHA-256" in job.document["error"]["message"]
    last = job.document["steps"][-1]
    assert (last["name"], last["state"]) == ("ticket", "failed")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name a server"),
        (("--registrar", "a:b"), "--registrar"),
        (("--registrar", "a", "--source", "file"), "needs --ca-file"),
        (("--registrar", "a", "--source", "directory"), "needs --ldap-url"),
        (("--registrar", "a", "--source", "download"), "needs --chain-download-url"),
        (("--registrar", "a", "--fingerprint", "12"), "no SHA-256"),
        (("--registrar", "a", "--chain-download-url", "https://a/"), "must begin with http://"),
        (("--registrar", "a", "--ldap-url", "dc1"), "--ldap-url must look like"),
        (("--registrar", "a", "--ldap-url", "ldap://a", "--ldap-user", "b"), "in the clear"),
    ],
)
def test_options_that_do_not_go_together(desk: Desk, options: tuple[str, ...], words: str) -> None:
    code, _, told = desk.run("trust", "plan", "1-1", *options)
    assert code == 2
    assert words in told


def test_what_the_phone_trusts_is_shown_without_any_server(desk: Desk) -> None:
    code, out, _ = desk.run("trust", "show", desk.port, "--json")
    shown = json.loads(out)
    assert code == 0
    assert [root["subject"] for root in shown["roots"]] == ["CN=Emulated Old Root CA"]
    assert shown["servers"] == []


def test_what_is_wrong_is_shown_to_people(desk: Desk) -> None:
    url = ("--web-services-url", desk.at.facts["web_services_url"])
    code, out, _ = desk.run("trust", "show", desk.port, *url)
    assert code == 0
    assert "NOT trusted by the phone" in out
    assert "this computer: the certificate of" in out
    assert "missing: CN=usbprov lab root CA" in out
    code, out, told = desk.run("trust", "plan", desk.port, *url)
    assert code == 6
    assert "it refuses the connection" in out  # the download, at port 80
    assert "error TLS-05" in told
