"""``usbprov info``: what a phone says of itself."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.settings import current
from usbprov.cli.text import local, pairs
from usbprov.cli.trusting import limits_words
from usbprov.phone.contract import ObjectKind, Phone, PhoneInfo, SlotState
from usbprov.pki.certificates import CertificateSummary, load_certificate, summarise


@click.command()
@phone_argument
@json_option
def info(phone: str | None, as_json: bool) -> None:
    """Show what PHONE says of itself: identity, clock, slots, certificate, trusted roots.

    PHONE is a port path (1-1.4.2), serial:… or mac:…; it may be left out when one is attached.

    \b
    Examples:
      usbprov info
      usbprov info serial:EMU0001 --json
    """
    with current().held(phone) as held:
        opened = held.phone
        told = opened.info()
        certificates = {
            slot.number: _certificate(opened, slot)
            for slot in told.slots
            if slot.active_certificate
        }
        if as_json:
            documents.show(_document(opened, told, certificates))
        else:
            click.echo(_text(opened, told, certificates))


def _certificate(phone: Phone, slot: SlotState) -> CertificateSummary:
    return summarise(load_certificate(phone.read(ObjectKind.CERTIFICATE, slot.number)))


def _document(
    phone: Phone, told: PhoneInfo, certificates: dict[int, CertificateSummary]
) -> documents.Document:
    document = documents.phone_info(phone.facts, told)
    for slot in document["slots"]:
        summary = certificates.get(slot["number"])
        slot["certificate"] = documents.certificate(summary) if summary else None
    return document


def _text(phone: Phone, told: PhoneInfo, certificates: dict[int, CertificateSummary]) -> str:
    settings = told.settings
    lines = [
        ("phone", phone.facts.name),
        ("model", f"{told.vendor} {told.model}, firmware {told.firmware}"),
        ("serial", told.serial),
        ("MAC", told.mac),
        ("clock", local(told.clock)),
        ("can", ", ".join(sorted(capability.value for capability in told.capabilities))),
        ("RSA", ", ".join(str(bits) for bits in told.rsa_bits) + " bits"),
        ("verifies", limits_words(told.limits) if told.limits else ""),
        ("trusted roots", str(len(told.roots))),
        ("user", settings.sip_uri if settings else "none"),
    ]
    for slot in told.slots:
        lines += _slot(slot, certificates.get(slot.number))
    return pairs(lines)


def _slot(slot: SlotState, summary: CertificateSummary | None) -> list[tuple[str, str]]:
    name = f"slot {slot.number}"
    if summary is None and slot.pending_key is None:
        return [(name, "empty" if slot.active_key is None else "a key, no certificate")]
    lines: list[tuple[str, str]] = []
    if summary is not None:
        lines = [
            (name, f"{summary.subject}, issued by {summary.issuer}"),
            ("  valid until", local(summary.not_after)),
            ("  SHA-256", summary.sha256),
            ("  public key", summary.key_sha256),
        ]
    if slot.pending_key is not None:
        lines.append((f"{name} pending", f"key {slot.pending_key.sha256}"))
    return lines
