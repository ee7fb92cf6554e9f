"""The JSON documents of ``--json``: stable, described in docs/json.md. Times are UTC, ISO 8601."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from usbprov.errors import ExitCode, UsbprovError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

    from usbprov.engine.events import StepRetry
    from usbprov.engine.result import Result
    from usbprov.ledger.backup import Backup
    from usbprov.ledger.purge import Purged
    from usbprov.ledger.purge_plan import Plan
    from usbprov.ledger.records import ArtifactRecord, JobRecord, StepRecord
    from usbprov.ledger.restore import Restored
    from usbprov.ledger.verify import Verified
    from usbprov.phone.contract import Driver, KeyState, PhoneInfo, SlotState
    from usbprov.pki.certificates import CertificateSummary
    from usbprov.pki.limits import ChainLimits
    from usbprov.pki.vault.folder import Item
    from usbprov.usb.devices import DeviceFacts

Document = dict[str, Any]


def show(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_line(document: Mapping[str, Any]) -> None:
    """Print a document in one line, for what goes on and on."""
    click.echo(json.dumps(document, ensure_ascii=False))


def moment(when: datetime | None) -> str | None:
    """Write a time as UTC: ``2026-11-23T17:05:00Z``."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def device(facts: "DeviceFacts") -> Document:
    """Describe a device on a bus."""
    return {
        "bus": facts.bus,
        "port_path": facts.port_path,
        "vendor_id": f"{facts.vendor_id:04x}",
        "product_id": f"{facts.product_id:04x}",
        "manufacturer": facts.manufacturer,
        "product": facts.product,
        "serial": facts.serial,
    }


def listed(facts: "DeviceFacts", driver: "Driver | None") -> Document:
    """Describe one line of ``usbprov list``."""
    return device(facts) | {
        "driver": driver.family if driver else None,
        "detects_only": driver.detects_only if driver else None,
        "serial_ports": [vars(port) for port in facts.serial_ports],
        "problem": facts.problem,
    }


def phone(facts: "DeviceFacts", info: "PhoneInfo | None") -> Document:
    """Describe a phone: where it is, and, if it was asked, what it says of itself."""
    if info is None:
        return device(facts)
    return device(facts) | {
        "vendor": info.vendor,
        "model": info.model,
        "firmware": info.firmware,
        "serial": info.serial,
        "mac": info.mac,
    }


def phone_info(facts: "DeviceFacts", info: "PhoneInfo") -> Document:
    """Describe everything that a phone says of itself."""
    settings = vars(info.settings) if info.settings else None
    return phone(facts, info) | {
        "capabilities": sorted(capability.value for capability in info.capabilities),
        "rsa_bits": list(info.rsa_bits),
        "clock": moment(info.clock),
        "slots": [_slot(slot) for slot in info.slots],
        "roots": sorted(info.roots),
        "settings": dict(settings) if settings else None,
        "limits": limits(info.limits) if info.limits else None,
    }


def limits(of: "ChainLimits") -> Document:
    """Describe what a phone can verify in a server's chain."""
    return {"signatures": sorted(kind.value for kind in of.signatures), "rsa_bits": of.rsa_bits}


def _slot(slot: "SlotState") -> Document:
    return {
        "number": slot.number,
        "active_key": _key(slot.active_key),
        "active_certificate": slot.active_certificate,
        "pending_key": _key(slot.pending_key),
    }


def _key(key: "KeyState | None") -> Document | None:
    return {"sha256": key.sha256, "nonce": key.nonce.hex()} if key else None


def certificate(summary: "CertificateSummary") -> Document:
    """Describe a certificate."""
    return {
        "sha256": summary.sha256,
        "sha1": summary.sha1,
        "serial": summary.serial,
        "subject": summary.subject,
        "issuer": summary.issuer,
        "not_before": moment(summary.not_before),
        "not_after": moment(summary.not_after),
        "key_sha256": summary.key_sha256,
    }


def user_certificate(of: "x509.Certificate | None") -> Document | None:
    """Describe a certificate, or say that there is none."""
    from usbprov.pki.certificates import summarise

    return certificate(summarise(of)) if of is not None else None


def result(of: "Result") -> Document:
    """Describe what ``usbprov provision`` came to."""
    document: Document = {
        "outcome": of.outcome.value,
        "job": of.job,
        "phone": phone(of.facts, of.info),
        "user": of.user,
        "key": of.key_source,
        "certificate": certificate(of.certificate) if of.certificate else None,
        "steps": [{"name": s.name, "state": s.mark, "ms": s.ms} for s in of.steps],
        "proof": dict(vars(of.proof)),
        "sign_in": dict(vars(of.signed_in)) if of.signed_in else None,
        "passed": [_passed(trouble) for trouble in of.passed],
        "old_tls": list(of.old_tls),
    }
    if of.outcome == "planned" and of.plan:
        document["plan"] = [{"name": name, "intent": words} for name, words in of.plan.lines]
    return document | ({"error": error(of.error)} if of.error else {})


def _passed(trouble: "StepRetry") -> Document:
    """Describe what went wrong at first, and well when it was tried again."""
    from usbprov.cli import diagnosing

    found = diagnosing.passed_diagnosis(trouble)
    told = {"step": trouble.step.value, "code": found.case.code, "message": found.case.words}
    return told | {"diagnosis": diagnosing.document(found)}


def with_error(document: Document, ended: UsbprovError | None) -> Document:
    """Return a document with the error that it ended with, if it did."""
    return document if ended is None else document | {"error": error(ended)}


def error(of: UsbprovError) -> Document:
    """Describe an error of the tree, with its likely causes."""
    from usbprov.cli import diagnosing
    from usbprov.engine.diagnosis.examining import diagnosis_of

    diagnosis = diagnosis_of(of)
    return {
        "code": of.code,
        "message": str(of),
        "cause": of.cause,
        "remedy": of.remedy,
        "retryable": of.retryable,
        "exit_code": int(of.exit_code),
        "facts": {name: _plain(value) for name, value in of.facts().items()},
        "diagnosis": diagnosing.document(diagnosis),
        "found_out": diagnosing.evidence_document(diagnosis),
    }


def bug(words: str) -> Document:
    """Describe an internal error."""
    return {
        "code": UsbprovError.code,
        "message": f"internal error: {words}",
        "cause": "This is a bug.",
        "remedy": "Repeat with --log-file FILE and report it with that.",
        "retryable": False,
        "exit_code": int(ExitCode.INTERNAL),
        "facts": {},
        "diagnosis": [],
        "found_out": [],
    }


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else [str(v) for v in _each(value)]


def _each(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) else [value]


def job(record: "JobRecord") -> Document:
    """Describe a job of the ledger."""
    return {
        "job": record.id,
        "state": record.state.value,
        "created": moment(record.created),
        "updated": moment(record.updated),
        "phone": {
            "serial": record.phone_serial,
            "mac": record.phone_mac,
            "model": record.phone_model,
            "port_path": record.port_path,
            "slot": record.slot,
        },
        "user": record.user,
        "extension": record.extension,
        "web_services_url": record.web_services_url,
        "key": record.key_source,
        "bench": record.bench,
        "roster": record.roster,
        "error": {"code": record.error_code, "message": record.error}
        if record.error_code
        else None,
    }


def step(record: "StepRecord") -> Document:
    """Describe one attempt at a step."""
    return {
        "name": record.name,
        "state": record.state.value,
        "begun": moment(record.begun),
        "ms": record.ms,
        "learnt": record.learnt,
        "error_code": record.error_code,
    }


def artifact(record: "ArtifactRecord") -> Document:
    """Describe a request or certificate that a job keeps."""
    import base64

    return {
        "kind": record.kind.value,
        "kept": moment(record.kept),
        "sha256": record.sha256,
        "der_base64": base64.b64encode(record.data).decode("ascii"),
    }


def pair(of: "Item") -> Document:
    """Describe a file of the vault, without anything private."""
    told = {"file": str(of.path), "error": error(of.error) if of.error else None}
    if of.stored is None:
        return told | dict.fromkeys(("key_sha256", "user", "bits", "stored", "bindings", "scrypt"))
    entry = of.stored.entry
    bindings = [
        {"serial": b.device.serial, "mac": b.device.mac, "at": moment(b.at)} for b in entry.bindings
    ]
    return told | {
        "key_sha256": entry.sha256,
        "user": entry.user,
        "bits": entry.bits,
        "stored": moment(entry.made),
        "bindings": bindings,
        "scrypt": vars(entry.kdf.cost),
    }


def backup(of: "Backup") -> Document:
    """Describe a ledger's backup."""
    return {
        "file": str(of.path),
        "entries": of.entries,
        "head": of.head,
        "at": of.at,
        "bytes": of.size,
    }


def restored(of: "Restored") -> Document:
    """Describe what a restoration put in place, and what was there."""
    return {
        "backup": backup(of.backup),
        "present": of.present,
        "set_aside": of.set_aside,
        "kept": str(of.kept) if of.kept else None,
    }


def purge_plan(of: "Plan") -> Document:
    """Describe what a purge removes."""
    return {
        "before": moment(of.before),
        "jobs": list(of.jobs),
        "steps": of.steps,
        "failures": of.failures,
        "requests": of.artifacts,
        "entries": of.entries,
        "up_to": of.up_to if of.jobs else None,
    }


def purged(of: "Purged | None", tapes: int, copies: "Sequence[Path]") -> Document:
    """Describe what a purge did; None where there was nothing to remove."""
    document: Document = {"outcome": "purged" if of else "nothing", "recordings": tapes}
    document["kept_copies"] = [str(copy) for copy in copies]
    if of is None:
        return document
    size = dict(vars(of.size))
    return document | purge_plan(of.plan) | {"entry": of.entry, "head": of.head, "size": size}


def verified(of: "Verified") -> Document:
    """Describe a ledger that is what was written to it."""
    of_purge = of.purged._asdict() if of.purged else None
    return {"outcome": "good", **vars(of), "purged": of_purge}
