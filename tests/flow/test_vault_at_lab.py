"""Keys made by this computer, at a lab: the vault's for a replacement phone, and after a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE, PROGRAM, STARTED, Ended, Station, station, wait_for

from usbprov.engine.sealing import file_key
from usbprov.ledger.ledger import Ledger
from usbprov.pki.keys import from_pkcs8, key_digest

PASSPHRASE = "canary-3c5d passphrase of the vault"


@contextmanager
def reading(words: str) -> Iterator[int]:
    """Give a file descriptor from which a line can be read."""
    out, into = os.pipe()
    os.write(into, words.encode() + b"\n")
    os.close(into)
    try:
        yield out
    finally:
        os.close(out)


def command(desk: Station, port: str, fd: int, *more: str) -> list[str]:
    """Return the command that provisions a phone with a key of the vault."""
    arguments = desk.provision_arguments("--registrar", desk.facts["registrar"], "--json", *more)
    vault = ("--key", "vault", "--vault-passphrase-fd", str(fd))
    return [*STARTED, *desk.command(*arguments, port, *vault)[len(desk.program) :]]


def provision(desk: Station, port: str, *more: str) -> Ended:
    with reading(PASSPHRASE) as fd:
        ended = subprocess.run(
            command(desk, port, fd, *more),
            input=desk.user()["pin"] + "\n",
            text=True,
            capture_output=True,
            env=desk.environment,
            pass_fds=[fd],
            timeout=PATIENCE,
            check=False,
        )
    assert PASSPHRASE not in ended.stdout + ended.stderr
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def slot(desk: Station, port: str) -> dict[str, Any]:
    found: dict[str, Any] = desk.run("info", port, "--json").document["slots"][0]
    return found


def test_a_replacement_phone_signs_in_with_the_key_of_the_old_one(tmp_path: Path) -> None:
    """The first program is killed when it has stored the pair, before the phone has it."""
    options = ("--personality", "no-keygen", "--personality", "latency=0.1")
    with station(tmp_path, phones=2, options=options) as desk:
        kill_when_stored(desk, tmp_path / "home" / "usbprov" / "vault")
        assert slot(desk, "1-1")["pending_key"] is None
        (pair,) = desk.run("vault", "list", "--json").document
        key = pair["key_sha256"]

        first = provision(desk, "1-1")
        assert first.code == 0, first.err
        told = first.document
        assert (told["key"], told["proof"]["sign_in"]) == ("vault", True)
        assert slot(desk, "1-1")["active_key"]["sha256"] == key
        assert replayed(desk, told["job"]) == "provisioned"

        second = provision(desk, "1-2", "--replaces", told["phone"]["mac"])
        assert second.code == 0, second.err
        assert second.document["proof"] == {"read_back": True, "possession": True, "sign_in": True}
        assert slot(desk, "1-2")["active_key"]["sha256"] == key
        (pair,) = desk.run("vault", "list", "--json").document
        assert (pair["key_sha256"], pair["user"]) == (key, desk.user()["sip_uri"])
        phones = [told["phone"]["serial"], second.document["phone"]["serial"]]
        assert [bound["serial"] for bound in pair["bindings"]] == phones
        steps = desk.run("ledger", "show", str(second.document["job"]), "--json").document["steps"]
        (learnt,) = [s["learnt"] for s in steps if s["name"] == "key" and s["state"] == "done"]
        assert f"taken over from the phone with serial {phones[0]}" in learnt
        assert PASSPHRASE.encode() not in on_disk(desk)


def kill_when_stored(desk: Station, folder: Path) -> None:
    with reading(PASSPHRASE) as fd:
        process = subprocess.Popen(
            command(desk, "1-1", fd),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=desk.environment,
            pass_fds=[fd],
        )
        with process:
            assert process.stdin is not None
            process.stdin.write(f"{desk.user()['pin']}\n".encode())
            process.stdin.flush()
            wait_for(lambda: list(folder.glob("*.vault")), "the stored pair")
            process.kill()


def replayed(desk: Station, job: int) -> str:
    """Run a job again from its bundle, without phone, server or vault; returns how it ended."""
    bundle = desk.folder / f"job-{job}.zip"
    made = desk.run("support-bundle", str(bundle), "--job", str(job))
    assert made.code == 0, made.err
    again = desk.run("replay", str(bundle), "--test", "--json")
    assert again.code == 0, again.out + again.err
    return str(again.document["replayed"]["code"])


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killed_between_the_sealing_and_the_phone_a_repeat_gives_it_the_same_key(
    tmp_path: Path,
) -> None:
    options = ("--personality", "no-keygen", "--personality", "latency=0.1")
    with station(tmp_path, options=options) as desk:
        desk.program = STARTED  # whose process is looked at
        with desk.provisioning(log=tmp_path / "debug.log") as process:
            data = wait_for(lambda: sealed(desk.ledger), "the sealed key")
            limits = Path(f"/proc/{process.pid}/limits").read_text("ascii")
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=PATIENCE)
        desk.program = PROGRAM
        assert "Max core file size        0 " in limits
        assert slot(desk, "1-1")["pending_key"] is None
        assert data in on_disk(desk)
        digest = opened(desk, data)

        repeat = desk.provision("--json")
        assert repeat.code == 0, repeat.err
        assert slot(desk, "1-1")["active_key"]["sha256"] == digest
        assert len(desk.published()) == 1
        assert sealed(desk.ledger) is None
        left = on_disk(desk)
        assert not [at for at in range(0, len(data) - 32, 32) if data[at : at + 32] in left]
        assert len(desk.run("ledger", "list", "--json").document) == 1
        assert desk.run("ledger", "verify").code == 0


def sealed(path: Path) -> bytes | None:
    """Return what is sealed in the ledger, as another process sees it."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute("SELECT data FROM sealed").fetchone()
        except sqlite3.OperationalError:  # it is being made
            return None
    return row[0] if row else None


def opened(desk: Station, data: bytes) -> str:
    """Return the digest of the sealed key, as only this computer can."""
    with Ledger(desk.ledger) as ledger:
        (job,) = ledger.jobs()
        pkcs8 = file_key(ledger).open(data, b" job %d " % job.id + job.nonce)
    return key_digest(from_pkcs8(pkcs8).public_key())


def on_disk(desk: Station) -> bytes:
    return b"".join(p.read_bytes() for p in desk.ledger.parent.rglob("*") if p.is_file())
