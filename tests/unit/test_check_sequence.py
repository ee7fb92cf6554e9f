"""A list of steps: what one lacks it says, what fails stops nothing else."""

from dataclasses import dataclass

from usbprov.checks import CheckResult, Verdict, first_error
from usbprov.engine.checks.sequence import CheckStep, Seen, StepFailed, run_steps
from usbprov.engine.diagnosis.examining import diagnosis_of
from usbprov.engine.diagnosis.table.credentials import PIN_AUTH_OFF
from usbprov.engine.diagnosis.table.network import PART_BEHIND, SERVER_SLOW, SERVICE_FAILING
from usbprov.errors import ChainUntrusted, ChecksFailed, NotOffered, ServerFailed, ServerTimeout


@dataclass
class Facts:
    url: str | None = None
    ticket: str | None = None


WORDS = {"url": "address", "ticket": "Web ticket"}


def found(of: Facts) -> Seen:
    of.url = "here"
    return Seen("found", ("one", "two"))


def refused(of: Facts) -> Seen:
    raise NotOffered("pool", "PIN")


def take(*steps: CheckStep[Facts]) -> tuple[CheckResult, ...]:
    told: list[CheckResult] = []
    results = run_steps(steps, Facts(), WORDS, told.append)
    assert tuple(told) == results
    return results


def test_a_step_that_lacks_a_fact_is_not_done_and_says_which():
    seen = take(
        CheckStep("find", found),
        CheckStep("ticket", refused, ("url",)),
        CheckStep("publish", found, ("url", "ticket")),
        CheckStep("end", found, ("url",)),
    )
    assert [result.verdict for result in seen] == ["good", "bad", "unknown", "good"]
    assert seen[0].detail == ("one", "two")
    assert seen[2].seen == "not done: there is no Web ticket"


def test_a_failure_has_its_likeliest_cause_and_what_to_do_about_it():
    (seen,) = take(CheckStep("ticket", refused))
    assert (seen.code, seen.cause, seen.remedy) == (
        "WEB-08",
        PIN_AUTH_OFF.says,
        PIN_AUTH_OFF.remedy,
    )
    assert isinstance(first_error([seen]), NotOffered)


def test_what_a_step_knows_better_counts():
    def look(of: Facts) -> Seen:
        raise StepFailed(ServerTimeout("pool", 3), cause="why", detail=["line"])

    (seen,) = take(CheckStep("x", look))
    assert (seen.cause, seen.remedy, seen.detail) == ("why", SERVER_SLOW.remedy, ("line",))


def test_where_it_failed_counts_for_the_diagnosis():
    def look(of: Facts) -> Seen:
        raise ServerFailed("pool", 500)

    (ticket, publish) = take(CheckStep("ticket", look), CheckStep("publish", look))
    assert (ticket.cause, publish.cause) == (SERVICE_FAILING.says, PART_BEHIND.says)
    assert publish.error is not None
    assert diagnosis_of(publish.error).first is PART_BEHIND


def test_a_chain_that_is_not_trusted_is_shown():
    def look(of: Facts) -> Seen:
        raise ChainUntrusted("pool", "self-signed", presented=("CN=pool",))

    (seen,) = take(CheckStep("x", look))
    assert seen.detail == ("CN=pool",)


def test_the_first_bad_result_names_the_error():
    good = CheckResult("a", Verdict.GOOD, "")
    without = CheckResult("b", Verdict.BAD, "wrong")
    (with_error,) = take(CheckStep("ticket", refused))
    assert first_error([good]) is None
    assert isinstance(first_error([good, without, with_error]), ChecksFailed)
    assert isinstance(first_error([good, with_error, without]), NotOffered)
