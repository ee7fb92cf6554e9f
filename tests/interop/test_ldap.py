"""Roots out of a directory, against a real slapd: every way to sign in, and every way to fail."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from doubles import directory as slapd
from doubles.certificates import issue, server
from doubles.directory import PASSWORD, READER, Directory, Setup
from processes import station

from usbprov.errors import (
    AnswerInvalid,
    ChainUntrusted,
    DirectoryRefused,
    DirectoryUnreachable,
    NameMismatch,
    UsbprovError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.pki.certificates import load_pem_certificates, to_der, to_pem
from usbprov.webservices.trust.directory import Bind, DirectorySource, directory_address

ROOT = issue("Contoso Root")
MIDDLE = issue("Contoso Issuing", ROOT)
OLDER = issue("Contoso Root", days=(-900, 30))
SERVER = server("dc1", ROOT, "127.0.0.1")
RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")
UNREADABLE = to_der(issue("Odd").certificate).replace(
    RSA_ENCRYPTION, bytes.fromhex("06092a864886f70d0101ff")[:-1] + b"\x7f"
)
TREE = Setup(
    roots={
        "Contoso Root": [to_der(ROOT.certificate), to_der(OLDER.certificate)],
        "Odd": [UNREADABLE],
    },
    intermediates={"Contoso Issuing": [to_der(MIDDLE.certificate)]},
    server=SERVER,
)
FOUND = {ROOT.certificate, OLDER.certificate, MIDDLE.certificate}
QUICK = TimeLimits(connect=5, answer=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slapd")


@pytest.fixture(scope="module")
def open_one(folder: Path) -> Iterator[Directory]:
    with slapd.directory(folder / "open", TREE) as running:
        yield running


@pytest.fixture(scope="module")
def closed_one(folder: Path) -> Iterator[Directory]:
    """As Active Directory is by default: nothing for nobody but the root DSE."""
    with slapd.directory(folder / "closed", replace(TREE, readers="users")) as running:
        yield running


@pytest.fixture(scope="module")
def bare_one(folder: Path) -> Iterator[Directory]:
    bare = replace(TREE, server=None, tells_configuration=False)
    with slapd.directory(folder / "bare", bare) as running:
        yield running


@pytest.fixture(scope="module")
def ca_file(folder: Path) -> Path:
    path = folder / "root.pem"
    path.write_bytes(to_pem([ROOT.certificate]))
    return path


def source(url: str, **more: object) -> DirectorySource:
    return DirectorySource(directory_address(url), limits=QUICK, **more)


def test_anonymous_in_the_clear(open_one: Directory) -> None:
    found = source(open_one.plain)
    assert set(found.fetch()) == FOUND
    assert not found.protected


@pytest.mark.parametrize("start_tls", [True, False])
def test_anonymous_over_tls(open_one: Directory, ca_file: Path, start_tls: bool) -> None:
    url = open_one.plain if start_tls else open_one.tls
    found = source(url, ca_file=ca_file, start_tls=start_tls)
    assert set(found.fetch()) == FOUND
    assert found.protected


@pytest.mark.parametrize("start_tls", [True, False])
def test_signed_in_over_tls(closed_one: Directory, ca_file: Path, start_tls: bool) -> None:
    url = closed_one.plain if start_tls else closed_one.tls
    bind = Bind(READER, lambda: PASSWORD)
    assert set(source(url, bind=bind, ca_file=ca_file, start_tls=start_tls).fetch()) == FOUND


def test_signed_in_without_tls_where_that_was_waived(closed_one: Directory) -> None:
    bind = Bind(READER, lambda: PASSWORD)
    assert set(source(closed_one.plain, bind=bind, plain_password=True).fetch()) == FOUND


def test_the_base_may_be_said(open_one: Directory, bare_one: Directory) -> None:
    for base in (slapd.CONFIGURATION, slapd.SERVICES):
        assert set(source(f"{bare_one.plain}/{base}").fetch()) == FOUND
    roots = f"CN=Certification%20Authorities,{slapd.SERVICES.replace(' ', '%20')}"
    assert set(source(f"{open_one.plain}/{roots}").fetch()) == FOUND - {MIDDLE.certificate}


@dataclass
class Wrong:
    """A call that cannot succeed, and its error."""

    which: str
    url: str
    kind: type[UsbprovError]
    words: str
    more: dict[str, object]


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("closed", "plain", DirectoryRefused, "may not read it", {}),
        Wrong(
            "closed",
            "tls",
            DirectoryRefused,
            "name or password is wrong",
            {"bind": Bind(READER, lambda: "Wrong-Horse-8"), "ca": True},
        ),
        Wrong("open", "tls", ChainUntrusted, "issuer", {}),
        Wrong("open", "plain", ChainUntrusted, "issuer", {"start_tls": True}),
        Wrong("open", "elsewhere", NameMismatch, "127.0.0.2", {"ca": True}),
        Wrong("bare", "plain", DirectoryRefused, "does not tell its configuration", {}),
        Wrong("bare", "plain", DirectoryRefused, "no StartTLS", {"start_tls": True, "ca": True}),
    ],
    ids=lambda wrong: f"{wrong.which} {wrong.url} {wrong.kind.__name__}",
)
def test_what_cannot_be_read_says_why(
    wrong: Wrong, ca_file: Path, request: pytest.FixtureRequest
) -> None:
    running: Directory = request.getfixturevalue(f"{wrong.which}_one")
    more = dict(wrong.more)
    if more.pop("ca", False):
        more["ca_file"] = ca_file
    with pytest.raises(wrong.kind, match=f"(?i){wrong.words}") as caught:
        source(getattr(running, wrong.url), **more).fetch()
    assert "Horse" not in repr(caught.value) + str(caught.value.facts())


def test_a_password_is_not_asked_for_before_the_server_is_verified(open_one: Directory) -> None:
    asked: list[int] = []
    bind = Bind(READER, lambda: str(asked.append(1)))
    with pytest.raises(ChainUntrusted):
        source(open_one.tls, bind=bind).fetch()
    assert asked == []


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        with pytest.raises(DirectoryUnreachable, match="refused"):
            source(f"ldap://127.0.0.1:{taken.getsockname()[1]}").fetch()


# --- something else than a directory

MESSAGE_ID = bytes.fromhex("0201ff")
"""It is replaced by that of the request."""
BIND_OK = bytes.fromhex("300c0201ff61070a010004000400")


@contextmanager
def speaker(*sayings: bytes, endless: bool = False) -> Iterator[str]:
    """Answer each request with the next saying, whatever was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def speak() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                for saying in sayings:
                    request = connection.recv(65536)
                    connection.sendall(saying.replace(MESSAGE_ID, request[2:5]))
                while endless and not stop.is_set():
                    connection.sendall(sayings[-1])
                if not endless:
                    stop.wait(QUICK.answer + 1)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes.fromhex("3003020101"),
        bytes.fromhex("300502010161000000"),
        b"\x30\x84\x00\x00\x00\x05\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_no_directory(said: bytes) -> None:
    with speaker(said) as url, pytest.raises((AnswerInvalid, DirectoryUnreachable)):
        DirectorySource(directory_address(url), limits=TimeLimits(1, 1)).fetch()


def test_an_answer_without_end_is_cut_off() -> None:
    announced = b"\x30\x84\x7f\xff\xff\xff" + bytes(60000)
    with speaker(BIND_OK, announced, endless=True) as url, pytest.raises(AnswerInvalid):
        source(url).fetch()


def test_silence_is_not_waited_for_without_end() -> None:
    limits = TimeLimits(connect=0.3, answer=0.3)
    with speaker(b"") as url, pytest.raises(DirectoryUnreachable, match="too long"):
        DirectorySource(directory_address(url), limits=limits).fetch()


# --- the whole way


def test_a_phone_gets_its_root_from_the_directory(tmp_path: Path) -> None:
    with station(tmp_path, options=["--personality", "old-roots"]) as at:
        lab_root = load_pem_certificates(Path(at.facts["ca_file"]).read_bytes())
        tree = replace(TREE, roots={"Lab": [to_der(lab_root[0])]}, readers="users")
        ca = tmp_path / "root.pem"
        ca.write_bytes(to_pem([ROOT.certificate]))
        with slapd.directory(tmp_path / "slapd", tree) as running:
            log = tmp_path / "log"
            command = [
                *("trust", "install", "1-1", "--json", "--source", "directory"),
                *("--web-services-url", at.facts["web_services_url"]),
                *("--ldap-url", running.tls, "--ldap-user", READER, "--ca-file", str(ca)),
            ]
            wrong = at.run(*command, "--password-stdin", typed="Wrong-Horse-8\n")
            right = at.run("--log-file", str(log), *command, "--password-stdin", typed=PASSWORD)
    assert (wrong.code, wrong.document["error"]["code"]) == (7, "DIR-02")
    assert right.code == 0, right.err
    assert right.document["outcome"] == "installed"
    assert [done["source"] for done in right.document["install"]] == ["directory"]
    assert [one["trusted"] for one in right.document["servers"]] == [True]
    told = json.dumps(wrong.document) + wrong.err + right.out + right.err + log.read_text()
    assert "Horse" not in told
