"""How the plan of trust is shown: tables for people, documents for ``--json``."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.documents import Document
from usbprov.cli.failure import ToldError
from usbprov.cli.text import local, pairs, table
from usbprov.errors import UsbprovError
from usbprov.pki.certificates import shown_name, summarise, thumbprint
from usbprov.pki.limits import NO_LIMITS

if TYPE_CHECKING:
    from cryptography import x509

    from usbprov.pki.findings import Finding
    from usbprov.pki.limits import ChainLimits
    from usbprov.pki.validation import Verdict
    from usbprov.webservices.trust.plan import Judged, TrustPlan
    from usbprov.webservices.trust.servers import Server
    from usbprov.webservices.trust.sources import Gathered
    from usbprov.webservices.trust.view import PhoneView

Roots = Mapping[str, "x509.Certificate | None"]


def show_trust(view: "PhoneView", plan: "TrustPlan", roots: Roots, *, as_json: bool) -> None:
    """Show whom the phone trusts, and what it makes of the servers."""
    if as_json:
        documents.show(_document(view, plan) | {"roots": [_root(*item) for item in roots.items()]})
        return
    rows = sorted(_root_row(digest, root) for digest, root in roots.items())
    parts = [_head(view), table(("SHA-256", "SUBJECT", "VALID UNTIL"), rows) if rows else ""]
    _echo([*parts, *(_server_text(judged) for judged in plan.judged)])


def show_plan(view: "PhoneView", plan: "TrustPlan", *, as_json: bool) -> None:
    """Show what would be done; an obstacle is raised after it was shown.

    Raises:
        ToldError: There is one, and it stands in the JSON document.
        UsbprovError: There is one.
    """
    with told(view, plan, as_json=as_json):
        if not as_json:
            servers = [_server_text(judged) for judged in plan.judged]
            _echo([_head(view), *servers, _sources_text(plan), _intent(plan)])
        if plan.obstacle is not None:
            raise plan.obstacle
    if as_json:
        documents.show({"outcome": "planned"} | _planned(view, plan))


def show_installed(
    view: "PhoneView", plan: "TrustPlan", after: "TrustPlan", *, as_json: bool
) -> None:
    """Show what was done, and what the phone makes of the servers now."""
    if as_json:
        outcome = {"outcome": "installed" if plan.needed else "already-trusted"}
        now = {"servers": [_server(judged) for judged in after.judged]}
        documents.show(outcome | _planned(view, plan) | now)
        return
    done = [f"installed: {installation}" for installation in plan.installations]
    done += ["the clock was set"] if plan.set_clock else []
    trusted = [
        f"{view.name} trusts {judged.server.address.role} {judged.server.address}"
        for judged in after.judged
    ]
    _echo(["\n".join(done) or "nothing was missing", "\n".join(trusted)])


@contextlib.contextmanager
def told(view: "PhoneView", plan: "TrustPlan", *, as_json: bool) -> Iterator[None]:
    """With ``--json``, print the plan together with the error that stops it."""
    try:
        yield
    except UsbprovError as error:
        if not as_json:
            raise
        failed = {"outcome": "failed", "error": documents.error(error)}
        documents.show(_planned(view, plan) | failed)
        raise ToldError(error) from None


# --- for people


def _echo(parts: list[str]) -> None:
    click.echo("\n\n".join(part for part in parts if part))


def _head(view: "PhoneView") -> str:
    info = view.info
    facts = [
        ("phone", f"{view.name}, {info.vendor} {info.model}, firmware {info.firmware}"),
        ("clock", local(info.clock)),
        ("verifies", limits_words(view.limits)),
        ("trusted roots", str(len(info.roots))),
    ]
    return pairs(facts)


def limits_words(limits: "ChainLimits") -> str:
    """Say in words what a phone can verify."""
    if limits == NO_LIMITS:
        return "no limits known"
    kinds = ", ".join(sorted(kind.value for kind in limits.signatures))
    return kinds + (f", RSA up to {limits.rsa_bits} bits" if limits.rsa_bits else "")


def _root_row(digest: str, root: "x509.Certificate | None") -> tuple[str, str, str]:
    if root is None:
        return digest, "(cannot be read)", ""
    return digest, shown_name(root.subject), local(root.not_valid_after_utc)


def _server_text(judged: "Judged") -> str:
    server, verdict = judged.server, judged.as_is
    lines = [f"{server.address.role} {server.address}: {_trusted(verdict)} by the phone"]
    lines += [f"  this computer: {server.problem}"] if server.problem else []
    lines += [
        f"  presents {shown_name(certificate.subject)}, SHA-256 {thumbprint(certificate)}"
        for certificate in server.chain
    ]
    for finding in verdict.findings:
        lines += [f"  {finding}"]
        lines += [f"    SHA-256 {finding.sha256}"] if finding.sha256 else []
        lines += [f"    likely cause: {finding.cause}", f"    what to do: {finding.remedy}"]
    return "\n".join(lines)


def _trusted(verdict: "Verdict") -> str:
    return "trusted" if verdict.trusted else "NOT trusted"


def _sources_text(plan: "TrustPlan") -> str:
    rows = [
        (given.name.value, given.where, "yes" if given.protected else "no", _given(given))
        for given in plan.gathered
    ]
    return table(("SOURCE", "WHERE", "PROTECTED", "GAVE"), rows) if rows else ""


def _given(given: "Gathered") -> str:
    return str(given.error) if given.error else f"{len(given.certificates)} certificates"


def _intent(plan: "TrustPlan") -> str:
    lines = [
        f"would install {installation}, SHA-256 {thumbprint(installation.certificate)}"
        for installation in plan.installations
    ]
    lines += ["would set the clock"] if plan.set_clock else []
    if not lines and plan.obstacle is None:
        lines = ["Nothing is missing."]
    return "\n".join(lines)


# --- for programs


def _document(view: "PhoneView", plan: "TrustPlan") -> Document:
    return {
        "phone": documents.phone_info(view.facts, view.info),
        "limits": documents.limits(view.limits),
        "servers": [_server(judged) for judged in plan.judged],
    }


def _planned(view: "PhoneView", plan: "TrustPlan") -> Document:
    return _document(view, plan) | {
        "sources": [_source(given) for given in plan.gathered],
        "install": [
            documents.certificate(summarise(i.certificate)) | {"source": i.source.name.value}
            for i in plan.installations
        ],
        "set_clock": plan.set_clock,
    }


def _root(digest: str, root: "x509.Certificate | None") -> Document:
    return documents.certificate(summarise(root)) if root else {"sha256": digest}


def _server(judged: "Judged") -> Document:
    server: Server = judged.server
    return {
        "role": server.address.role.value,
        "address": str(server.address),
        "trusted": judged.as_is.trusted,
        "chain": [documents.certificate(summarise(c)) for c in server.chain],
        "findings": [_finding(finding) for finding in judged.as_is.findings],
        "problem": documents.error(server.problem) if server.problem else None,
    }


def _finding(finding: "Finding") -> Document:
    return {
        "trouble": finding.trouble.value,
        "subject": finding.subject,
        "sha256": finding.sha256,
        "detail": finding.detail,
        "cause": finding.cause,
        "remedy": finding.remedy,
        "blocks": finding.blocks,
    }


def _source(given: "Gathered") -> Document:
    return {
        "name": given.name.value,
        "where": given.where,
        "protected": given.protected,
        "certificates": len(given.certificates),
        "error": documents.error(given.error) if given.error else None,
    }
