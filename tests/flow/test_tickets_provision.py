"""The whole job with each way to prove the user, as processes; Kerberos is in tests/interop."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Ended, Station, station, wait_for


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station for all tests here; each has a phone of its own."""
    with station(tmp_path_factory.mktemp("station"), phones=5) as running:
        yield running


def provision(at: Station, *arguments: str, typed: str = "") -> Ended:
    servers = ["--web-services-url", at.facts["web_services_url"], "--ca-file", at.facts["ca_file"]]
    return at.run("provision", *servers, *arguments, typed=typed)


def by_account(at: Station, *arguments: str, password: str | None = None) -> Ended:
    user = at.user()
    login = ["--login", f"{user['domain']}\\{user['user_name']}", "--password-stdin"]
    typed = user["password"] if password is None else password
    return provision(at, *login, *arguments, typed=typed + "\n")


def posts(at: Station) -> list[str]:
    log = (at.folder / "lab" / "calls.log").read_text()
    return [line for line in log.splitlines() if " POST " in line]


@pytest.mark.parametrize(
    ("phone", "arguments", "how"),
    [
        ("1-1", ["--auth", "ntlm"], "by Windows account"),
        ("1-2", ["--auth", "password"], "by password"),
    ],
)
def test_account_and_password_provision_a_phone(
    five: Station, phone: str, arguments: list[str], how: str
) -> None:
    done = by_account(five, phone, *arguments, "--json")
    assert done.code == 0, done.err
    document = done.document
    assert document["outcome"] == "provisioned"
    assert document["user"] == five.user()["sip_uri"]
    assert document["proof"] == {"read_back": True, "possession": True, "sign_in": None}
    digests = {row["sha256"] for row in five.published()}
    assert document["certificate"]["sha256"] in digests
    wait_for(lambda: any(how in line for line in posts(five)), "the server's log")


def test_certificate_in_the_phone_renews_itself_without_a_pin(five: Station) -> None:
    bob = five.user("bob")
    first = five.provision("1-3", "--json", name="bob")
    assert first.code == 0, first.err
    renewal = ["1-3", "--replace", "--key", "existing", "--auth", "certificate", "--json"]
    second = provision(five, *renewal)
    assert second.code == 0, second.err
    (old, new) = (done.document["certificate"] for done in (first, second))
    assert new["sha256"] != old["sha256"]
    assert new["key_sha256"] == old["key_sha256"]
    assert second.document["user"] == bob["sip_uri"]
    stored = [row["sha256"] for row in five.published() if row["sip_uri"] == bob["sip_uri"]]
    assert stored == [new["sha256"]]
    wait_for(lambda: any("by certificate" in line for line in posts(five)), "the server's log")

    revoked = five.run("lab", "revoke", "--dir", str(five.folder / "lab"), bob["sip_uri"])
    assert revoked.code == 0, revoked.err
    refused = provision(five, *renewal)
    assert refused.code == 7
    assert refused.document["error"]["code"] == "WEB-05"
    slot = five.run("info", "1-3", "--json").document["slots"][0]
    assert slot["active_certificate"] == new["sha256"]


def test_plan_says_how_the_user_will_be_proved_and_so_it_is(five: Station) -> None:
    before = len(posts(five))
    told = by_account(five, "1-4", "--dry-run").out
    assert "the first of these that the server offers: Kerberos or NTLM, NTLM" in told
    assert "for CONTOSO\\alice, because --login is given" in told
    assert len(posts(five)) == before
    done = by_account(five, "1-4")
    assert done.code == 0, done.err
    assert "by Kerberos or NTLM, because --login is given and the server offers it" in done.out


def test_refused_account_leaves_the_phone_as_it_was(five: Station, tmp_path: Path) -> None:
    """And no file, log or output of a refused and of a good job has the password."""
    log, password, before = tmp_path / "debug.log", five.user()["password"], len(posts(five))
    slots = five.run("info", "1-5", "--json").document["slots"]
    refused = by_account(five, "1-5", "--auth", "ntlm", "--json", password="Wrong-Canary")
    assert refused.code == 7
    assert refused.document["error"]["code"] == "WEB-05"
    wait_for(lambda: len(posts(five)) >= before + 3, "the server's log")
    assert len(posts(five)) == before + 3, "asked, challenged, refused: and not again"
    assert five.run("info", "1-5", "--json").document["slots"] == slots

    arguments = ["provision", "1-5", "--auth", "ntlm", "--login", "CONTOSO\\alice"]
    arguments += ["--password-stdin", "--web-services-url", five.facts["web_services_url"]]
    arguments += ["--ca-file", five.facts["ca_file"]]
    done = five.run("--log-file", str(log), "-vv", *arguments, typed=f"{password}\n")
    assert done.code == 0, done.err
    files = [file for file in five.ledger.parent.rglob("*") if file.is_file()]
    texts = [done.out, done.err, refused.out, refused.err, log.read_text()]
    texts += [file.read_bytes().decode("latin-1") for file in files]
    assert len(log.read_text().splitlines()) > 20, "the log is really at debug level"
    for secret in (password, "Canary", "TlRMTVNTUAA", "NTLMSSP", "BinarySecret"):
        assert all(secret not in text for text in texts), secret
