"""What must be true after a cut, and after the repeat."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cutpoints.moments import Effect, When
from cutpoints.programs import Ended
from cutpoints.scenarios import Scenario
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import from_pkcs8, key_digest
from usbprov_drivers.smp.state import Inbox, Slot

_TREE = frozenset(range(11))
"""The exit codes of a good end and of the program's own errors."""

_BUGS = ("Traceback", "GEN-00")
"""What only an error of the program itself says."""


@dataclass(frozen=True)
class Seen:
    """The world at one moment.

    Attributes:
        slot: The phone's slot, as its durable memory has it.
        published: The certificates that the user store has for the phone (DER).
        issued: How many certificates were issued since the job began.
        tickets: How many tickets.
        sign_ins: How often the Registrar has let the phone's user in.
    """

    slot: Slot
    published: tuple[bytes, ...]
    issued: int
    tickets: int
    sign_ins: int


@dataclass(frozen=True)
class Books:
    """The ledger after the repeat.

    Attributes:
        jobs: Number and state of each job, in order.
        flaw: What its own verification says is wrong, or nothing.
        certificate: What the last job keeps.
    """

    jobs: tuple[tuple[int, str], ...]
    flaw: str
    certificate: bytes | None


_NOTHING = Seen(Slot(), (), 0, 0, 0)


@dataclass(frozen=True)
class Case:
    """One cut and its repeat.

    Attributes:
        scenario: What was cut.
        old: The world before.
        jobs: How many jobs the ledger had before.
        cut: How the command ended that was cut.
        between: The world between cut and repeat.
        repeats: How the repeat ended, and what was run after it.
        new: The world in the end.
        books: The ledger in the end.
        files: All that is in the ledger's folder, and all output.
        secrets: What must not be in there.
    """

    scenario: Scenario
    old: Seen
    jobs: int
    cut: Ended
    between: Seen
    repeats: Sequence[Ended] = ()
    new: Seen = _NOTHING
    books: Books = Books((), "", None)
    files: bytes = field(default=b"", repr=False)
    secrets: Sequence[bytes] = field(default=(), repr=False)

    def reached(self, effect: Effect, what: str, when: When = When.AFTER, step: str = "") -> bool:
        """Say whether the program had come so far when it was cut."""
        return any(
            (moment.effect, moment.when) == (effect, when)
            and what in moment.what
            and step in ("", moment.step)
            for moment in self.cut.moments
        )

    @property
    def kept(self) -> bool:
        """Whether the certificate was in the ledger when the job was cut."""
        of_ledger = [m for m in self.cut.moments if m.effect is Effect.LEDGER]
        now = any(m.what == "artifact kept" and m.when is When.AFTER for m in of_ledger)
        return now or self.scenario.answered

    @property
    def over(self) -> bool:
        """Whether the job had come to its good end when it was cut."""
        return self.cut.code in {0, -9} and self.reached(Effect.LEDGER, "job finished")

    @property
    def again(self) -> bool:
        """Whether the job was over when it was cut, so that the repeat is another one."""
        return self.over and self.scenario.anew

    @property
    def locked_out(self) -> bool:
        """Whether the phone's certificate was replaced at the server, and the new one was lost.

        Who renews by the certificate can then prove nothing by it any more: the store keeps one
        for a user and device ([MS-OCAUTHWS] 3.1.4.1), and there is no call that gives it again.
        """
        lost = bool(self.between.issued) and not self.kept
        return self.scenario.otherwise is not None and lost


def _ends_properly(case: Case) -> str | None:
    for ended in (case.cut, *case.repeats):
        is_bug = any(word in ended.err + ended.out for word in _BUGS)
        if is_bug or ended.code not in {-9, *_TREE}:
            return f"a program ended with {ended.code}: {ended.err[-600:]}"
    return None


def _repeat_succeeds(case: Case) -> str | None:
    for ended in case.repeats:
        if ended.code:
            return f"the repeat ended with {ended.code}: {ended.err[-300:]}{_error(ended)}"
    told = json.loads(case.repeats[-1].out)
    outcome, proof = told["outcome"], told.get("proof") or {}
    if outcome == "already-provisioned" and not (proof["read_back"] and proof["possession"]):
        return f"not proved: {proof}"
    if outcome == "already-provisioned" and (case.over or case.scenario.finish):
        return None
    return None if outcome in _GOOD else f"the repeat came to {outcome}"


_GOOD = frozenset({"provisioned", "recovered", "renewed", "well"})


def _error(ended: Ended) -> str:
    try:
        return json.dumps(json.loads(ended.out)["error"])[:600]
    except (ValueError, KeyError):
        return ended.out[:600]


def _signs_in(case: Case) -> str | None:
    """The Registrar has let it in, by the certificate that is in the phone in the end."""
    signed_in = case.new.sign_ins > case.between.sign_ins
    return None if signed_in or case.over else "the phone has not signed in"


def _one_key(case: Case) -> str | None:
    slot = case.new.slot
    if slot.key is None or slot.certificate is None:
        return "the phone has no credential"
    if slot.pending_key or slot.pending_settings or slot.inbox != Inbox():
        return "something is pending in the phone"
    return _fits(slot)


@functools.cache
def _digest(pkcs8: bytes) -> str:
    return key_digest(from_pkcs8(pkcs8).public_key())


def _fits(slot: Slot) -> str | None:
    """Say that a slot's key, its digest of it, and its certificate do not go together."""
    if slot.key is None or slot.certificate is None:
        return None
    digests = {
        slot.key.sha.hex(),
        _digest(slot.key.pkcs8),
        key_digest(load_certificate(slot.certificate).public_key()),
    }
    return None if len(digests) == 1 else "the phone's certificate is for another key"


def _one_certificate(case: Case) -> str | None:
    count = len(case.new.published)
    if count != 1:
        return f"{count} certificates are published"
    same = case.new.published[0] == case.new.slot.certificate
    return None if same else "another certificate is published than the phone's"


def _key_is_kept(case: Case) -> str | None:
    """A key that this job had made is the one that is used in the end."""
    before, between = case.old.slot, case.between.slot
    made = between.pending_key
    if made is None and between.key != before.key:
        made = between.key
    if made is None or case.again or case.locked_out or not case.scenario.new_key:
        return None
    used = case.new.slot.key
    return None if used == made else "the key that was made before the cut is lost"


def _right_key(case: Case) -> str | None:
    if case.old.slot.key is None:
        return None
    changed = case.new.slot.key != case.old.slot.key
    return None if changed is case.scenario.new_key else "the key was changed, or was not"


def _never_asked_again(case: Case) -> str | None:
    more = case.new.issued - case.between.issued
    if case.again:
        return None if more == 1 else f"{more} certificates issued in another replacement"
    if case.kept and more:
        return "a certificate was asked for again whose answer was kept"
    if case.kept and case.new.tickets > case.between.tickets:
        return "a ticket was asked for though the certificate was kept"
    sent = sum(m.what.startswith("POST certprov") and m.when is When.SENT for m in case.cut.moments)
    too_many = case.between.issued > sent or more > 1
    return f"{case.between.issued} and {more} certificates issued" if too_many else None


def _old_lives(case: Case) -> str | None:
    """Between cut and repeat the phone has the whole old credential, or the whole new one."""
    old, slot = case.old.slot, case.between.slot
    in_use = (slot.key, slot.certificate, slot.chain, slot.settings)
    if in_use == (old.key, old.certificate, old.chain, old.settings):
        return None
    if case.scenario.empties and slot == Slot():
        return None
    if slot.certificate is None or slot.certificate not in case.between.published:
        return "between cut and repeat the phone has neither the old credential nor the new one"
    whole = slot.settings is not None and slot.settings.complete
    return _fits(slot) if whole else "the new credential is without its settings"


def _same_job(case: Case) -> str | None:
    states = [state for _, state in case.books.jobs]
    if not states or states[-1] != "done":
        return f"the jobs are {states}"
    if {"open", "stuck"} & set(states):
        return f"a job is left over: {states}"
    begun = case.reached(Effect.LEDGER, "step begun", step="key")
    goes_on = begun and not case.again and not case.locked_out
    most = case.jobs + len(case.scenario.finish) + (1 if goes_on else 2)
    return None if len(states) <= most else f"the job was begun anew: {states}"


def _ledger_whole(case: Case) -> str | None:
    if case.books.flaw:
        return f"the ledger: {case.books.flaw}"
    same = case.books.certificate == case.new.slot.certificate
    return None if same else "the ledger keeps another certificate than the phone's"


def _nothing_secret(case: Case) -> str | None:
    found = any(secret in case.files for secret in case.secrets)
    return "a secret is in the ledger's folder or in the output" if found else None


INVARIANTS: Mapping[str, Callable[[Case], str | None]] = {
    "ends properly": _ends_properly,
    "the repeat succeeds": _repeat_succeeds,
    "the phone works": _signs_in,
    "one key in use, nothing pending": _one_key,
    "one certificate published": _one_certificate,
    "a key that was made is used": _key_is_kept,
    "the right key": _right_key,
    "an answer is never asked for again": _never_asked_again,
    "the old credential lives": _old_lives,
    "the same job": _same_job,
    "the ledger is whole": _ledger_whole,
    "nothing secret": _nothing_secret,
}
"""What is checked, in words."""


def complaints(case: Case) -> list[str]:
    """Return what is not as it must be."""
    found = ((name, check(case)) for name, check in INVARIANTS.items())
    return [f"{name}: {words}" for name, words in found if words]
