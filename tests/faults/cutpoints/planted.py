"""Mistakes that are planted into the program, to see that the matrix finds them."""

import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from usbprov.engine import job as jobs
from usbprov.engine import plan
from usbprov.engine.job import Job
from usbprov.engine.order import KeySource
from usbprov.engine.steps import publish, ticket, trust
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.sign_in import SignInStep
from usbprov.phone.endpoint import Endpoint


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        plant: Makes it, in the process of a program.
        point: A point at which it shows.
        found_by: The invariant that it breaks, as ``truth.INVARIANTS`` calls it.
    """

    plant: Callable[[], None]
    point: str
    found_by: str


def _forget_the_answer() -> None:
    for module in (publish, ticket, trust):
        module.has_certificate = lambda _job: False


def _draw_another_nonce() -> None:
    Job.nonce = property(lambda _: secrets.token_bytes(16))


def _erase_first() -> None:
    _before(KeyStep, lambda job: job.phone.erase(job.order.slot))


def _never_go_on() -> None:
    plan._unfinished = lambda _job, _new: None


def _publish_for_another_device() -> None:
    known = jobs.endpoint_of
    jobs.endpoint_of = lambda mac: Endpoint(known(mac).epid[:-5] + f"{os.getpid() % 99999:05}")


def _write_the_secret_down() -> None:
    from cutpoints.stage import PIN  # which needs this module

    def write(job: Any) -> None:
        job.ledger.path.with_name("notes.txt").write_text(PIN)

    _before(ProveStep, write)


def _leave_a_key() -> None:
    def make(job: Any) -> None:
        job.phone.generate_key(0, 2048, bytes(16), replace=True, progress=lambda _: None)

    _before(ProveStep, make)


def _alter_the_ledger() -> None:
    def alter(job: Any) -> None:
        with closing(sqlite3.connect(job.ledger.path, isolation_level=None)) as other:
            other.execute("UPDATE step SET learnt = 'nothing' WHERE name = 'key'")

    _before(ProveStep, alter)


def _say_that_it_signed_in() -> None:
    SignInStep.run = lambda _self, _job: "signed in"


def _crash() -> None:
    _before(ProveStep, lambda _job: {}["nothing"])


def _keep_the_key() -> None:
    original = plan._key_source

    def source(job: Any) -> KeySource:
        has_one = job.info.slots[job.order.slot].active_key is not None
        return KeySource.EXISTING if has_one else original(job)

    plan._key_source = source


def _before(step: Any, act: Callable[[Any], None]) -> None:
    original = step.run

    def run(self: Any, job: Any) -> str:
        act(job)
        learnt: str = original(self, job)
        return learnt

    step.run = run


MISTAKES: Mapping[str, Mistake] = {
    "forgets the answer": Mistake(
        _forget_the_answer,
        "kill:first-phone:publish:ledger:artifact-kept-1:after",
        "an answer is never asked for again",
    ),
    "draws another nonce": Mistake(
        _draw_another_nonce,
        "kill:replace-phone:key:step:step-1:after",
        "a key that was made is used",
    ),
    "erases before it writes": Mistake(
        _erase_first,
        "kill:replace-phone:publish:step:step-1:before",
        "the old credential lives",
    ),
    "never goes on": Mistake(
        _never_go_on, "kill:replace-phone:request:step:step-1:before", "the same job"
    ),
    "publishes for another device": Mistake(
        _publish_for_another_device,
        "kill:first-phone:publish:web:POST-certprov-webticket_proof_sha1-1:after",
        "one certificate published",
    ),
    "writes the secret down": Mistake(
        _write_the_secret_down,
        "kill:first-phone:clock:step:step-1:before",
        "nothing secret",
    ),
    "leaves a key behind": Mistake(
        _leave_a_key,
        "kill:first-phone:clock:step:step-1:before",
        "one key in use, nothing pending",
    ),
    "alters the ledger": Mistake(
        _alter_the_ledger, "kill:first-phone:clock:step:step-1:before", "the ledger is whole"
    ),
    "only says that it signed in": Mistake(
        _say_that_it_signed_in, "kill:first-phone:clock:step:step-1:before", "the phone works"
    ),
    "crashes": Mistake(_crash, "kill:first-phone:clock:step:step-1:before", "ends properly"),
    "keeps the key": Mistake(
        _keep_the_key, "kill:replace-phone:clock:step:step-1:before", "the right key"
    ),
}
"""The mistakes, in words."""
