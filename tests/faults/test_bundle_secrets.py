"""No secret in tape or bundle, whatever proves the user and wherever the job fails.

A spy in the program's own process writes down the real secrets of each run: what was sent, what
the ticket and its key were, which key was made, what the phone signed.
"""

import json
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import Ended, Station, station

from usbprov.pki.keys import from_pkcs8

PIN, PASSWORD, WRONG = "90210673", "Canary-Passw0rd", "Canary-Wr0ng"
USERS = f"""
[[users]]
sip_uri = "sip:alice@contoso.test"
extension = "1001"
pin = "{PIN}"
password = "{PASSWORD}"
"""

SPY = """
import base64, json, os

def note(what, data):
    if data:
        with open(os.environ["SPY"], "a") as file:
            line = {"what": what, "data": base64.b64encode(bytes(data)).decode()}
            file.write(json.dumps(line) + "\\n")

def wrap(owner, name, tell):
    real = getattr(owner, name)
    def told(*arguments, **named):
        result = real(*arguments, **named)
        tell(result, arguments)
        return result
    setattr(owner, name, told)

if "SPY" in os.environ:
    import usbprov.pki.keys as keys
    from usbprov.webservices import issue, proof
    from usbprov.webservices.session import HttpSession
    from usbprov_drivers.smp.driver import SmpPhone

    def ticket(made, _):
        note("assertion", made.assertion)
        note("key", made.key)

    def sent(answer, arguments):
        token = arguments[4].get("Authorization", "").partition(" ")[2]
        note("token", token.encode())
        challenge = answer.headers.get("WWW-Authenticate", "").partition(" ")[2]
        note("challenge", challenge.encode())
        note("cookie", answer.headers.get("Set-Cookie", "").encode())

    wrap(issue, "read_ticket", ticket)
    wrap(issue, "_server_entropy", lambda share, _: note("share", share))
    wrap(issue, "issue_fields", lambda _, arguments: note("share", arguments[2]))
    wrap(keys, "to_pkcs8", lambda key, _: note("pkcs8", key))
    wrap(SmpPhone, "sign", lambda signed, _: note("signed", signed))
    wrap(HttpSession, "_exchange_now", sent)
"""


@dataclass
class Spied:
    """A station whose program is spied upon."""

    at: Station
    file: Path

    def secrets(self) -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = {}
        for line in self.file.read_text().splitlines():
            entry = json.loads(line)
            found.setdefault(entry["what"], set()).add(b64decode(entry["data"]))
        return found


@pytest.fixture(params=["", "store-unreachable"], ids=["good", "store-unreachable"])
def spied(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Spied]:
    users, folder = tmp_path / "users.toml", tmp_path / "spy"
    users.write_text(USERS)
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SPY)
    options = ["--users", str(users), *(["--fault", request.param] if request.param else [])]
    if "host" in request.node.name:
        options += ["--personality", "no-keygen"]
    with station(tmp_path, phones=1, options=options) as at:
        at.variables |= {"PYTHONPATH": str(folder), "SPY": str(folder / "notes")}
        yield Spied(at, folder / "notes")


def spellings(value: bytes) -> list[bytes]:
    """The forms in which bytes may be written: raw, base64 at any of three offsets, hex."""
    encoded = [b64encode(value)]
    encoded += [b64encode(b"x" * n + value)[4:-4] for n in (1, 2)]
    return [form for form in [value, *encoded, value.hex().encode()] if len(form) >= 8]


def everything(at: Station) -> dict[str, bytes]:
    """Every file of the tape, the ledger and the bundle, unpacked."""
    file = at.folder / "bundle.zip"
    made = at.run("support-bundle", str(file))
    assert made.code == 0, made.err
    with zipfile.ZipFile(file) as opened:
        texts = {name: opened.read(name) for name in opened.namelist()}
    for kept in at.ledger.parent.rglob("*"):
        if kept.is_file():
            texts[kept.name] = kept.read_bytes()
    assert any(name.endswith(".jsonl") and name != "tape.jsonl" for name in texts)
    assert len(texts["tape.jsonl"]) > 2000
    return texts | {"output": (made.out + made.err).encode()}


NEVER = [b"SamlSecurityToken", b"<saml", b"BinarySecret", b"Username>", b"CipherValue",
         b"NTLMSSP", b"TlRMTVNTUAA"]  # fmt: skip
"""What stands around secrets: if it is absent, so are they."""


def nothing_leaks(spied: Spied, *expected: str) -> None:
    secrets = spied.secrets()
    assert set(expected) <= secrets.keys(), "the spy would have seen them"
    words = {word.encode() for word in (PIN, PASSWORD, WRONG)}
    values = words.union(*secrets.values(), *map(numbers_of, secrets.get("pkcs8", ())))
    forms = [form for value in values for form in spellings(value)]
    for name, text in everything(spied.at).items():
        assert [form for form in [*forms, *NEVER] if form in text] == [], name


def numbers_of(pkcs8: bytes) -> set[bytes]:
    """The primes and exponent of a private key: raw, and in decimal."""
    key = from_pkcs8(pkcs8).private_numbers()
    numbers = (key.p, key.q, key.d)
    raw = {number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers}
    return raw | {str(number).encode() for number in numbers}


def by_account(at: Station, way: str, password: str) -> Ended:
    arguments = ["--auth", way, "--login", "CONTOSO\\alice", "--password-stdin", "--json"]
    arguments += ["--web-services-url", at.facts["web_services_url"], "--retry-seconds", "1"]
    arguments += ["--ca-file", at.facts["ca_file"]]
    return at.run("provision", *arguments, typed=f"{password}\n")


CODES = {"": "provisioned", "store-unreachable": "WEB-09"}


def code_of(ended: Ended) -> str:
    document = ended.document
    return str(document["error"]["code"] if "error" in document else document["outcome"])


def fault_of(request: pytest.FixtureRequest) -> str:
    return "store-unreachable" if "store-unreachable" in request.node.name else ""


def test_pin(spied: Spied, request: pytest.FixtureRequest) -> None:
    registrar = ["--registrar", spied.at.facts["registrar"]]
    ended = spied.at.provision("--json", "--retry-seconds", "1", *registrar)
    assert code_of(ended) == CODES[fault_of(request)], ended.err
    nothing_leaks(spied, "assertion", "key", "share", *([] if fault_of(request) else ["signed"]))


def test_a_key_that_the_host_makes(spied: Spied, request: pytest.FixtureRequest) -> None:
    ended = spied.at.provision("--json", "--retry-seconds", "1")
    assert code_of(ended) == CODES[fault_of(request)], ended.err
    assert ended.document["key"] == "host"
    nothing_leaks(spied, "assertion", "key", "share", "pkcs8")


@pytest.mark.parametrize("way", ["password", "ntlm"])
def test_account(spied: Spied, request: pytest.FixtureRequest, way: str) -> None:
    ended = by_account(spied.at, way, PASSWORD)
    assert code_of(ended) == CODES[fault_of(request)], ended.err
    tokens = ["token", "challenge"] if way == "ntlm" else []
    nothing_leaks(spied, "assertion", "key", "share", *tokens)
    again = spied.at.run("replay", str(spied.at.folder / "bundle.zip"), "--test")
    assert again.code == 0, again.err


@pytest.mark.parametrize("spied", [""], indirect=True)
@pytest.mark.parametrize("way", ["password", "ntlm", "pin"])
def test_what_is_refused(spied: Spied, way: str) -> None:
    at = spied.at
    ended = at.provision("--json", pin=WRONG) if way == "pin" else by_account(at, way, WRONG)
    assert code_of(ended) == "WEB-05"
    nothing_leaks(spied, "share", *(["token", "challenge"] if way == "ntlm" else []))


@pytest.mark.parametrize("spied", [""], indirect=True)
@pytest.mark.parametrize("revoked", [False, True])
def test_the_phones_certificate(spied: Spied, revoked: bool) -> None:
    at = spied.at
    assert at.provision("--json").code == 0
    if revoked:
        lab = ["--dir", str(at.folder / "lab")]
        assert at.run("lab", "revoke", *lab, at.user()["sip_uri"]).code == 0
    renewal = ["provision", "--replace", "--key", "existing", "--auth", "certificate", "--json"]
    renewal += ["--web-services-url", at.facts["web_services_url"]]
    ended = at.run(*renewal, "--ca-file", at.facts["ca_file"])
    assert code_of(ended) == ("WEB-05" if revoked else "provisioned"), ended.err
    nothing_leaks(spied, "signed", "share", *([] if revoked else ["assertion"]))
    again = at.run("replay", str(at.folder / "bundle.zip"), "--test")
    assert again.code == 0, again.err
