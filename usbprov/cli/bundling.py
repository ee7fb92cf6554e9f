"""What goes into a support bundle: for which run, and what of this computer and of the ledger."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

from usbprov import __version__
from usbprov.cli import documents
from usbprov.cli.checks import check_document
from usbprov.errors import BundleInvalid, NoSuchJob, NothingRecorded
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord, JobState
from usbprov.ledger.schema import SCHEMA
from usbprov.tape.bundle import FORMAT, MANIFEST, TAPE
from usbprov.tape.events import Kind
from usbprov.tape.folder import KeptTape, TapeFolder
from usbprov.tape.reader import Tape, read_tape

if TYPE_CHECKING:
    from usbprov.checks import CheckResult

_FAILED = (JobState.FAILED, JobState.STUCK, JobState.OPEN)

README = """\
This is a support bundle of usbprov: what one run of one job said and heard.

{contents}

Taken out before anything was written: PINs, passwords, Web tickets and the keys that go with them,
signatures that let somebody in, NTLM and Kerberos tokens, cookies, and private keys. In their place
is what they were, and sometimes how long.

Left in: names of users and servers, extensions and account names, serial numbers and MAC
addresses, certificates and the requests for them, the words of servers and phones. Look into it
before you give it away: all of it is text.

Show it:           usbprov replay {name}
Run the job again: usbprov replay {name} --test     (no server, no phone)
"""

_CONTENTS = {
    MANIFEST: "versions of usbprov, Python and the libraries; SHA-256 of the other files",
    "host.json": "the checks of this computer, made when the bundle was",
    "bus.json": "the phone's USB descriptors, as the job found them",
    "ledger.json": "what the ledger has of the job: attempts at steps, request, certificate",
    TAPE: "the run, an event a line: steps, messages on the cable, HTTP exchanges",
    "README.txt": "this text",
}


@dataclass(frozen=True)
class Subject:
    """What a bundle is about.

    Attributes:
        job: The job in the ledger, or None for a run that ended before it had one.
        tape: The bytes of its last run's tape, or None where it was not recorded.
    """

    job: JobRecord | None
    tape: bytes | None


def choose(ledger: Ledger, number: str | None) -> Subject:
    """Return what is asked for: a job by its number, else the last run that failed, else the last.

    Raises:
        NoSuchJob: There is no such job.
        NothingRecorded: Nothing was ever done with this ledger.
    """
    folder = TapeFolder(ledger.path)
    if number is not None:
        return _of_job(ledger.job(number), folder)
    kept = folder.tapes()
    failed = next((tape for tape in kept if _failed(tape)), None)
    if failed is not None or kept:
        return _of_tape(failed or kept[0], ledger)
    jobs = ledger.jobs()
    if not jobs:
        raise NothingRecorded("any job")
    return Subject(next((job for job in jobs if job.state in _FAILED), jobs[0]), None)


def _of_job(job: JobRecord, folder: TapeFolder) -> Subject:
    try:
        return Subject(job, _bytes(folder.of_job(job.id)))
    except NothingRecorded:
        return Subject(job, None)


def _of_tape(tape: KeptTape, ledger: Ledger) -> Subject:
    job = None
    if tape.job is not None:
        try:
            job = ledger.job(str(tape.job))
        except NoSuchJob:  # the ledger was made anew
            job = None
    return Subject(job, _bytes(tape))


def _bytes(tape: KeptTape) -> bytes:
    try:
        return tape.path.read_bytes()
    except OSError:
        raise NothingRecorded(f"job {tape.job}") from None


def _failed(kept: KeptTape) -> bool:
    """Say whether a run ended in an error, or was killed."""
    try:
        ended = read_tape(_bytes(kept), str(kept.path)).last(Kind.ENDED)
    except (BundleInvalid, NothingRecorded):
        return False
    return ended is None or ended.body.get("error") is not None


def members(
    subject: Subject, ledger: Ledger, checks: "Sequence[CheckResult]", name: str
) -> dict[str, bytes]:
    """Return the files of the bundle, by their names; it will have the file name ``name``."""
    files = {
        "host.json": _json([check_document(result) for result in checks]),
        "ledger.json": _json(_ledger(subject.job, ledger)),
    }
    if subject.tape is not None:
        tape = read_tape(subject.tape, "the tape")
        files |= {"bus.json": _json(tape.run.get("device")), TAPE: subject.tape}
    files[MANIFEST] = _json(_manifest(subject, files))
    lines = [f"{n:<14} {_CONTENTS[n]}" for n in _CONTENTS if n in files or n == "README.txt"]
    files["README.txt"] = README.format(contents="\n".join(lines), name=name).encode()
    return {n: files[n] for n in _CONTENTS if n in files}


def _manifest(subject: Subject, files: dict[str, bytes]) -> documents.Document:
    return {
        "format": FORMAT,
        "made": documents.moment(datetime.now(UTC)),
        "usbprov": __version__,
        "ledger_schema": SCHEMA,
        "platform": platform.platform(),
        "python": sys.version,
        "libraries": _libraries(),
        "job": subject.job.id if subject.job else None,
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
    }


def _libraries() -> dict[str, str]:
    """Return the versions of the libraries that usbprov asks for."""
    names = {_name(requirement) for requirement in requires("usbprov") or ()}
    found: dict[str, str] = {}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _name(requirement: str) -> str:
    end = next((at for at, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end]


def _ledger(job: JobRecord | None, ledger: Ledger) -> Any:
    if job is None:
        return None
    return (
        documents.job(job)
        | {"steps": [documents.step(step) for step in ledger.steps(job.id)]}
        | {"artifacts": [documents.artifact(kept) for kept in ledger.artifacts(job.id)]}
    )


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def shown_head(tape: Tape) -> list[tuple[str, str]]:
    """Return what a tape is of, for people."""
    from usbprov.engine.tape_head import recorded_device, recorded_order
    from usbprov.tape.events import text

    order, facts = recorded_order(tape), recorded_device(tape)
    return [
        ("recorded", documents.moment(tape.began) or ""),
        ("usbprov", text(tape.run.get("usbprov"), 40)),
        ("platform", text(tape.run.get("platform"), 200)),
        ("phone", f"{facts.name}, {facts.product or 'unnamed'}"),
        ("Web Services", order.web_services_url),
        ("user", order.user or order.credential.name or "as the server says"),
    ]
