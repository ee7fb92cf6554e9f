"""One phone, the whole job, as processes: the lab in one terminal, ``provision`` in another."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from processes import STARTED, Station, station

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind
from usbprov.pki.certificates import load_certificate, to_pem
from usbprov.pki.keys import key_digest


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path, phones=2) as running:
        yield running


def openssl(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=False, timeout=30
    )


def test_the_certificate_is_the_same_in_phone_answer_and_store(two: Station) -> None:
    two.program = STARTED
    user = two.user("alice")
    first = two.provision("1-1", "--user", user["sip_uri"], "--json")
    assert first.code == 0, first.err
    told = first.document
    assert told["outcome"] == "provisioned"
    assert told["user"] == user["sip_uri"]
    assert told["proof"] == {"read_back": True, "possession": True, "sign_in": None}
    assert all(set(step) == {"name", "state", "ms"} for step in told["steps"])

    (slot, *_) = two.run("info", "1-1", "--json").document["slots"]
    (published,) = two.published()
    assert slot["certificate"]["sha256"] == told["certificate"]["sha256"] == published["sha256"]
    assert slot["certificate"]["key_sha256"] == slot["active_key"]["sha256"]
    assert published["sip_uri"] == user["sip_uri"]
    assert published["not_after"] == told["certificate"]["not_after"]

    two.lab.terminate()  # a second run asks the server nothing, so it needs none
    two.lab.wait(30)
    two.plug(2)
    again = two.provision("1-1", "--user", user["sip_uri"], "--json")
    assert again.code == 0, again.err
    assert again.document["outcome"] == "already-provisioned"
    assert again.document["job"] == told["job"]
    assert again.document["certificate"] == told["certificate"]
    assert two.run("info", "1-1", "--json").document["slots"][0] == slot
    assert len(two.run("ledger", "list", "--json").document) == 1
    assert two.published() == [published]


def test_openssl_accepts_what_was_made(two: Station, tmp_path: Path) -> None:
    told = two.provision("1-2", "--json").document
    with Ledger(two.ledger) as ledger:
        request = ledger.artifact(told["job"], ArtifactKind.REQUEST)
        certificate = ledger.artifact(told["job"], ArtifactKind.CERTIFICATE)
    assert request is not None
    assert certificate is not None

    verified = openssl("req", "-inform", "DER", "-verify", "-noout", "-text", given=request)
    assert verified.returncode == 0
    assert b"verify OK" in verified.stderr + verified.stdout
    assert b"Public-Key: (2048 bit)" in verified.stdout

    shown = openssl("x509", "-inform", "DER", "-noout", "-subject", "-fingerprint", "-sha256",
                    given=certificate)  # fmt: skip
    assert shown.returncode == 0
    assert b"alice@contoso.test" in shown.stdout
    fingerprint = shown.stdout.split(b"ingerprint=")[1].split()[0].replace(b":", b"").lower()
    assert fingerprint.decode() == told["certificate"]["sha256"]

    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(to_pem([load_certificate(certificate)]))
    issuer = next(Path(two.folder / "lab" / "authority").glob("*services*.pem"))
    chain = openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", str(issuer),
                    str(leaf))  # fmt: skip
    assert chain.returncode == 0, chain.stderr


@pytest.mark.parametrize("personality", ["no-keygen", "small-buffers", "clock-behind", "old-roots"])
def test_every_kind_of_phone_ends_provisioned(tmp_path: Path, personality: str) -> None:
    with station(tmp_path, options=["--personality", personality]) as running:
        ended = running.provision("--json")
        assert ended.code == 0, ended.err
        states = {step["name"]: step["state"] for step in ended.document["steps"]}
        assert states["clock"] == ("done" if personality == "clock-behind" else "skipped")
        assert ended.document["key"] == ("host" if personality == "no-keygen" else "phone")
        root = x509.load_pem_x509_certificate(Path(running.facts["ca_file"]).read_bytes())
        roots = running.run("info", "--json").document["roots"]
        assert root.fingerprint(hashes.SHA256()).hex() in roots


def test_an_occupied_slot_is_kept_unless_replaced(tmp_path: Path) -> None:
    with station(tmp_path, options=["--personality", "occupied"]) as running:
        before = running.run("info", "--json").document["slots"][0]
        refused = running.provision("--json")
        assert refused.code == 3
        assert refused.document["error"]["code"] == "PHN-03"
        assert running.run("info", "--json").document["slots"][0] == before
        kept_key = running.provision("--replace", "--key", "existing", "--json")
        assert kept_key.code == 0, kept_key.err
        assert kept_key.document["certificate"]["key_sha256"] == before["active_key"]["sha256"]
        replaced = running.provision("--replace", "--json")
        assert replaced.document["certificate"]["key_sha256"] != before["active_key"]["sha256"]
        (published,) = running.published()
        assert published["sha256"] == replaced.document["certificate"]["sha256"]


def test_dry_run_shows_the_plan_and_touches_nothing(two: Station) -> None:
    before = two.run("info", "1-1", "--json").document
    ended = two.provision("1-1", "--dry-run")
    assert ended.code == 0, ended.err
    assert "key made in the phone, RSA 2048" in ended.out
    after = two.run("info", "1-1", "--json").document
    assert {**after, "clock": None} == {**before, "clock": None}
    assert two.published() == []
    assert two.run("ledger", "list", "--json").document == []


def test_what_a_person_sees(two: Station) -> None:
    listed = two.run("list")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [
        f"{two.bus}/1-1",
        f"{two.bus}/1-2",
    ]
    ended = two.provision("serial:EMU0002", name="bob")
    assert ended.code == 0, ended.err
    assert "user sip:bob@contoso.test" in ended.out
    assert ended.out.rstrip().endswith("The cable may be removed.")
    assert "sip:bob@contoso.test" in two.run("info", "mac:02:00:5e:00:00:02").out
    assert "EMU0002" in two.run("ledger", "list").out
    assert "publish" in two.run("ledger", "show", "1").out
    assert two.run("identify", "1-2").code == 0


def test_the_key_in_the_phone_is_the_one_certified(two: Station) -> None:
    told = two.provision("1-1", "--json").document
    with Ledger(two.ledger) as ledger:
        der = ledger.artifact(told["job"], ArtifactKind.CERTIFICATE)
    assert der is not None
    key = x509.load_der_x509_certificate(der).public_key()
    slot = two.run("info", "1-1", "--json").document["slots"][0]
    assert key_digest(key) == slot["active_key"]["sha256"]
