"""``usbprov replay``: a support bundle shown step by step, or run again without any server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current

if TYPE_CHECKING:
    from usbprov.engine.replay import Ending
    from usbprov.tape.events import Event, Json
    from usbprov.tape.reader import Tape

_WIDEST = 300


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--test", "as_test", is_flag=True, help="Run it again; exit 8 if it ends otherwise.")
@json_option
def replay(bundle: Path, as_test: bool, as_json: bool) -> None:
    """Show the job of a support BUNDLE step by step, or run it again as a test.

    With --test the job's own steps, driver and SOAP client run, and the tape answers in place of
    phone and servers: no phone, no server and no secret is needed, and none is touched. With -v
    every message is shown, too (usbprov -v replay …).

    \b
    Examples:
      usbprov replay trouble.zip
      usbprov -v replay trouble.zip
      usbprov replay trouble.zip --test
    """
    from usbprov.engine.replay import recorded_ending
    from usbprov.tape.bundle import read_bundle

    tape = read_bundle(bundle).tape()
    recorded = recorded_ending(tape)
    if as_test:
        _test(tape, recorded, as_json=as_json)
    elif as_json:
        documents.show(_document(tape, recorded))
    else:
        _show(tape, recorded, every=current().verbosity > 1)


def _show(tape: "Tape", recorded: "Ending", *, every: bool) -> None:
    from usbprov.cli.bundling import shown_head
    from usbprov.cli.text import pairs
    from usbprov.tape.events import Kind

    click.echo(pairs(shown_head(tape)) + "\n")
    kinds = tuple(Kind) if every else (Kind.STEP_ENDED, Kind.RETRY, Kind.AWAITED)
    for event in tape.of_kind(*kinds):
        click.echo(f"{event.at:9.3f} s  {_line(event)}")
    click.echo(f"\nended: {recorded}")
    _explain(tape)


def _step_line(body: dict[str, "Json"]) -> str:
    from usbprov.cli.progress import SIGNS
    from usbprov.engine.events import Mark
    from usbprov.tape.events import number, text

    mark = text(body.get("mark"))
    sign = SIGNS[Mark(mark)] if mark in set(Mark) else "?"
    step, ms = text(body.get("step"), 20), number(body.get("ms"))
    return f"{sign} {step:<9} {ms:>6.0f} ms  {text(body.get('learnt'))}"


def _line(event: "Event") -> str:
    """Write an event in a line: a step as when it ran, anything else as the tape has it."""
    from usbprov.cli.progress import RETRY_SIGN
    from usbprov.tape.events import Kind, text

    body = dict(event.body)
    if event.kind is Kind.STEP_ENDED:
        return _step_line(body)
    if event.kind in {Kind.RETRY, Kind.AWAITED}:
        step, words = text(body.get("step"), 20), text(body.get("words") or body.get("why"))
        return f"{RETRY_SIGN} {step:<9}            {words}"
    words = text(json.dumps(body, ensure_ascii=False), _WIDEST)
    return f"  {event.kind:<10} {words}"


def _explain(tape: "Tape") -> None:
    """Say what the error means, as it was said when it happened."""
    from usbprov.cli.failure import tell
    from usbprov.tape.events import Kind
    from usbprov.tape.failures import revive_error

    ended = tape.last(Kind.ENDED)
    document = ended.body.get("error") if ended else None
    if document is None:
        return
    try:
        error = revive_error(document)
    except ValueError:
        return
    tell(error)


def _test(tape: "Tape", recorded: "Ending", *, as_json: bool) -> None:
    """Run the job again.

    Raises:
        ReplayDiffers: It does not end as it did.
    """
    from usbprov.cli.failure import ToldError
    from usbprov.cli.progress import progress
    from usbprov.engine.replay import replay as run
    from usbprov.errors import ReplayDiffers

    shown = progress(silent=as_json or current().verbosity == 0)
    replayed = run(tape, shown)
    shown.close()
    error = None if replayed.same_as(recorded) else ReplayDiffers(str(recorded), str(replayed))
    if as_json:
        documents.show(documents.with_error(_document(tape, recorded, replayed), error))
    elif error is None:
        click.echo(f"\nended as recorded: {replayed}")
    if error is not None:
        raise ToldError(error) if as_json else error


def _document(
    tape: "Tape", recorded: "Ending", replayed: "Ending | None" = None
) -> documents.Document:
    from usbprov.tape.events import Kind

    steps = [dict(event.body) for event in tape.of_kind(Kind.STEP_ENDED)]
    same = None if replayed is None else replayed.same_as(recorded)
    return {
        "outcome": "shown" if same is None else "same" if same else "failed",
        "recorded": dict(vars(recorded)),
        "replayed": dict(vars(replayed)) if replayed else None,
        "began": documents.moment(tape.began),
        "steps": steps,
    }
