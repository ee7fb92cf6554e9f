"""Phones are pulled, the server fails, the program is killed; in the end all is as it must be.

Here it is a small bench and one seed; ``make chaos`` has 64 phones and twenty.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chaos.plan import Size, plan_of
from chaos.run import run
from chaos.truth import Facts, JobFacts, PhoneFacts, complaints

from usbprov.ledger.records import JobState

SMALL = Size(phones=16, pulls=3, kills=2)


@pytest.mark.timeout(240)
def test_every_phone_is_provisioned_once_whatever_happens(tmp_path: Path) -> None:
    outcome = run(plan_of(5, SMALL), tmp_path)
    assert not outcome.complaints, str(outcome)
    assert (outcome.pulled, outcome.kills, len(outcome.outages)) == (3, 2, 2), str(outcome)


def test_a_seed_always_means_the_same() -> None:
    assert plan_of(7, SMALL) == plan_of(7, SMALL) != plan_of(8, SMALL)


# --- what compares phones, ledger and store finds what is wrong

USERS = ("sip:a@contoso.test", "sip:b@contoso.test")


def a_phone(number: int, **more: Any) -> PhoneFacts:
    values: dict[str, Any] = {
        "serial": f"EMU{number}",
        "device": f"device {number}",
        "user": USERS[number],
        "subject": USERS[number],
        "certificate": f"certificate {number}",
        "keys": (f"key {number}",),
        "proved": True,
    }
    return PhoneFacts(**{**values, **more})


def a_job(number: int, **more: Any) -> JobFacts:
    values: dict[str, Any] = {
        "job": number,
        "state": JobState.DONE,
        "serial": f"EMU{number}",
        "user": USERS[number],
        "keys": (f"key {number}",),
        "certificates": (f"certificate {number}",),
    }
    return JobFacts(**{**values, **more})


def publication(number: int, **more: str) -> tuple[str, str, str]:
    device = more.get("device", f"device {number}")
    return (USERS[number], device, more.get("certificate", f"certificate {number}"))


PHONES, JOBS = (a_phone(0), a_phone(1)), (a_job(0), a_job(1))
STORE = (publication(0), publication(1))
REFUSED = a_job(0, job=2, state=JobState.FAILED, keys=(), certificates=())
GOOD = Facts(
    users=USERS,
    phones=PHONES,
    jobs=(REFUSED, *JOBS),
    published=STORE,
    ever=frozenset((user, device) for user, device, _ in STORE),
    shown=frozenset((p.serial, p.user, p.certificate) for p in PHONES),
)


def test_nothing_is_complained_of_when_all_agree() -> None:
    assert complaints(GOOD) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"phones": (a_phone(0, certificate=""), PHONES[1])}, "EMU0 has no certificate"),
        ({"phones": (a_phone(0, user=USERS[1]), PHONES[1])}, "is set up for sip:b@"),
        ({"phones": (a_phone(0, proved=False), PHONES[1])}, "does not hold"),
        ({"phones": (a_phone(0, keys=("key 0", "other")), PHONES[1])}, "EMU0 has 2 keys"),
        ({"phones": PHONES[:1]}, "sip:b@contoso.test has 0 phones"),
        ({"users": USERS[:1]}, "sip:b@contoso.test is on no roster"),
        ({"ledger": "entry 7 was altered"}, "ledger verify: entry 7 was altered"),
        ({"claims": 1}, "1 claims are left"),
        ({"jobs": JOBS[:1]}, "EMU1: the ledger has [] done"),
        ({"jobs": (*JOBS, a_job(0, job=3))}, "EMU0: the ledger has"),
        ({"jobs": (*JOBS, a_job(0, job=3, state=JobState.OPEN))}, "job 3 (EMU0) is left open"),
        (
            {"jobs": (*JOBS, a_job(0, job=3, state=JobState.SUPERSEDED))},
            "job 3 (EMU0) is left superseded",
        ),
        (
            {"jobs": (*JOBS, a_job(0, job=3, state=JobState.FAILED, keys=("other",)))},
            "sip:a@contoso.test: certificates were asked for 2 keys",
        ),
        ({"published": STORE[:1]}, "phones and store differ"),
        ({"published": (STORE[0], publication(1, certificate="other"))}, "phones and store differ"),
        ({"published": (*STORE, publication(0, device="device 1"))}, "phones and store differ"),
        (
            {"ever": GOOD.ever | {(USERS[0], "device 1")}},
            "sip:a@contoso.test was published for device 1",
        ),
        (
            {"shown": GOOD.shown | {("EMU1", USERS[0], "certificate 0")}},
            "EMU1 was shown as done for sip:a@contoso.test",
        ),
    ],
)
def test_what_does_not_agree_is_found(wrong: dict[str, Any], words: str) -> None:
    assert any(words in found for found in complaints(replace(GOOD, **wrong)))
