"""Texts that not every database can keep are kept without what makes them so."""

from jobs import NEW

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import StepState


def test_what_cannot_be_kept_is_replaced(ledger: Ledger) -> None:
    job = ledger.open_job(NEW).id
    ledger.note_step(job, "identify", StepState.DONE, 1, "a\0b\ud800c\td")
    (step,) = ledger.steps(job)
    assert step.learnt == "a\N{REPLACEMENT CHARACTER}b?c\td"
    assert ledger.verify().entries == 2
