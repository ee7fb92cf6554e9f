"""No PIN, ticket or key in debug logs, ledger, output, argv, environment, or state of others."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from processes import STARTED, Station, station, wait_for

from usbprov.pki.keys import from_pkcs8
from usbprov_drivers.smp.state import State
from usbprov_drivers.smp.store import Store

PIN = "90210673"
USERS = f"""
[[users]]
sip_uri = "sip:alice@contoso.test"
extension = "1001"
pin = "{PIN}"
password = "Canary-Passw0rd"
"""


def processes_of(pid: int) -> Iterable[bytes]:
    for name in ("cmdline", "environ"):
        try:
            yield Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:  # it has ended meanwhile
            continue


@pytest.mark.parametrize("personality", ["keygen-seconds=0.5", "no-keygen"])
def test_a_whole_job_at_debug_level_tells_nothing(tmp_path: Path, personality: str) -> None:
    users, log = tmp_path / "users.toml", tmp_path / "debug.log"
    users.write_text(USERS)
    with station(tmp_path, options=["--users", str(users), "--personality", personality]) as lab:
        lab.program = STARTED  # whose command line and environment are its own
        with lab.provisioning(log=log) as process:
            wait_for(lambda: log.exists() and "ticket done" in log.read_text(), "the ticket")
            seen = list(processes_of(process.pid))
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        texts = [*seen, out.encode(), err.encode(), log.read_bytes()]
        texts += [lab.run("ledger", "show", "1").out.encode()]
        texts += [lab.run("ledger", "show", "1", "--json").out.encode()]
        texts += [lab.run("info", "--json").out.encode()]
        texts += [file.read_bytes() for file in lab.ledger.parent.rglob("*") if file.is_file()]
        assert len(log.read_text().splitlines()) > 20, "the log is really at debug level"
        for secret in [PIN.encode(), *ticket_marks(), *key_bytes(lab)]:
            assert all(secret not in text for text in texts), secret


def ticket_marks() -> list[bytes]:
    """What every ticket has: its assertion, and the names of the elements around its secrets."""
    return [b"SamlSecurityToken-", b"<saml:", b"BinarySecret", b"Username>", b"CipherValue"]


def key_bytes(lab: Station) -> list[bytes]:
    """The primes and exponent of the phone's private key: raw, in hex, and in decimal."""
    numbers = private_numbers(lab)
    raw = [n.to_bytes((n.bit_length() + 7) // 8, "big") for n in numbers]
    hexed = [f"{n:x}".encode() for n in numbers]
    return [*raw, *hexed, *(h.upper() for h in hexed), *(str(n).encode() for n in numbers)]


def private_numbers(lab: Station) -> list[int]:
    (file,) = (lab.folder / "lab" / "phones").glob("*.state")
    key = Store(file, State).state.slots[0].key
    assert key is not None
    numbers = from_pkcs8(key.pkcs8).private_numbers()
    assert numbers.p.to_bytes(128, "big") in file.read_bytes(), "the search would find it"
    return [numbers.p, numbers.q, numbers.d]


def test_a_crash_in_the_middle_shows_no_secret(tmp_path: Path) -> None:
    """Even a bug at the worst moment prints no traceback, and no log has the PIN or ticket."""
    users, log = tmp_path / "users.toml", tmp_path / "debug.log"
    users.write_text(USERS)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(CRASH)
    with station(tmp_path, options=["--users", str(users)]) as lab:
        lab.variables["PYTHONPATH"] = str(broken)
        with lab.provisioning(log=log) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "internal error: ZeroDivisionError" in err
        assert "Traceback" not in err
        assert "Traceback" in log.read_text(), "the log has it, for the developers"
        for secret in [PIN.encode(), *ticket_marks()]:
            for text in (out.encode(), err.encode(), log.read_bytes()):
                assert secret not in text, secret


CRASH = """
from usbprov.webservices.client import WebServices

def publish(self, ticket, request, endpoint, _real=WebServices.publish):
    _real(self, ticket, request, endpoint)
    return 1 / 0

WebServices.publish = publish
"""
