"""What is shown when a job has ended: the panel that a technician reads before unplugging."""

import sys

import click

from usbprov.cli.diagnosing import passed_diagnosis
from usbprov.cli.text import local, pairs, thumbprint
from usbprov.engine.events import StepRetry
from usbprov.engine.result import Outcome, Result

_TITLES = {
    Outcome.PROVISIONED: "provisioned",
    Outcome.RECOVERED: "recovered",
    Outcome.RENEWED: "renewed",
    Outcome.ALREADY: "already provisioned: nothing was changed",
}

_PROOF_WORDS = {True: "yes", False: "NO", None: "not tried"}


def show_result(result: Result) -> None:
    """Show the plan of a dry run, or the outcome of a job that came to its end."""
    if result.outcome is Outcome.PLANNED:
        click.echo(_plan(result))
        return
    body = f"{facts(result)}\n\nThe cable may be removed."
    panel(f"{result.facts.name}: {_TITLES[result.outcome]}", body)


def _plan(result: Result) -> str:
    lines = result.plan.lines if result.plan else ()
    if not lines:
        return "Nothing would be done: the phone is provisioned already."
    steps = pairs((name, intent) for name, intent in lines)
    return f"{steps}\n\nDry run: nothing was written and no server was asked."


def facts(result: Result) -> str:
    """Write what a job has come to, one fact a line."""
    certificate, proof = result.certificate, result.proof
    shown = [
        ("user", result.user or ""),
        ("thumbprint", thumbprint(certificate.sha1).upper() if certificate else ""),
        ("SHA-256", certificate.sha256 if certificate else ""),
        ("valid until", local(certificate.not_after) if certificate else ""),
        ("read back", _PROOF_WORDS[proof.read_back]),
        ("possession", _PROOF_WORDS[proof.possession]),
        ("signed in", _signed_in(result)),
        ("job", str(result.job)),
        *(("passed", _passed(trouble)) for trouble in result.passed),
        *(("older TLS", f"allowed for {server}") for server in result.old_tls),
    ]
    return pairs(shown)


def _passed(trouble: StepRetry) -> str:
    """Say what went wrong at first: it may do so again, for this phone or another."""
    found = passed_diagnosis(trouble)
    return (
        f"{trouble.step}: {found.case.code}, {found.first.says} (usbprov explain {found.case.code})"
    )


def _signed_in(result: Result) -> str:
    found = result.signed_in
    if found is None:
        return _PROOF_WORDS[result.proof.sign_in]
    return f"yes, at {found.server} ({found.scheme}, {found.protocol})"


def panel(title: str, body: str) -> None:
    """Show words under a title; framed on a terminal."""
    if not sys.stdout.isatty():
        click.echo(f"\n{title}\n{body}")
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    Console().print(Panel(Text(body), title=Text(title), border_style="green", expand=False))
