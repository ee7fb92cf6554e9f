"""The table of symptoms is whole, each row is found by what it is for, nothing is said twice."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest
from unit.diagnosis_examples import EXAMPLES

from usbprov.engine.diagnosis import table
from usbprov.engine.diagnosis.model import Cause, Symptom
from usbprov.engine.diagnosis.ranking import diagnose, error_classes, general_cause
from usbprov.engine.diagnosis.table import CAUSES, SYMPTOMS
from usbprov.engine.diagnosis.table.known import KNOWN

TABLE = Path(table.__file__).parent
CODED = [row for row in SYMPTOMS if row.code]
each_row = pytest.mark.parametrize("row", SYMPTOMS, ids=lambda row: row.id)
each_cause = pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.id)


def test_there_are_at_least_forty_rows() -> None:
    assert len(CODED) >= 40


def test_ids_are_unique() -> None:
    rows = Counter(row.id for row in SYMPTOMS)
    causes = Counter(cause.id for cause in {cause for row in SYMPTOMS for cause in row.causes})
    assert {name: n for name, n in (rows | causes).items() if n > 1} == {}


def test_every_row_has_an_example_or_a_reason_why_none_is_possible() -> None:
    assert {row.id for row in SYMPTOMS if not row.untested} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_finds_its_row(name: str) -> None:
    error, context = EXAMPLES[name]
    diagnosis = diagnose(error, context)
    assert diagnosis.symptom is not None
    assert diagnosis.symptom.id == name
    assert diagnosis.causes == diagnosis.symptom.causes


def test_every_known_trouble_is_the_work_of_some_cause() -> None:
    stood_for = {number for cause in CAUSES.values() for number in cause.known}
    assert stood_for == set(KNOWN)


def test_every_code_of_the_table_is_one_of_the_tree() -> None:
    assert {row.code for row in CODED} <= set(error_classes())


@pytest.mark.parametrize("code", error_classes())
def test_every_code_has_a_cause_and_a_remedy(code: str) -> None:
    cause = general_cause(code)
    assert cause.says
    assert cause.remedy


def test_a_general_cause_is_not_written_a_second_time() -> None:
    written = "".join(file.read_text("utf-8") for file in TABLE.glob("*.py"))
    general = {text for kind in error_classes().values() for text in (kind.cause, kind.remedy)}
    assert [text for text in general if text in written] == []


@each_row
def test_a_row_says_what_is_seen(row: Symptom) -> None:
    assert row.says[0].isupper() or row.says.split()[0].isdigit() or row.says.startswith("28020")
    assert not row.says.endswith(".") or "…" in row.says
    assert row.causes
    assert len(set(row.causes)) == len(row.causes)
    assert bool(row.code) or bool(row.untested)


@each_cause
def test_a_cause_is_told_in_whole_short_sentences(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cause.id)
    for text in (cause.says, cause.tell, cause.remedy):
        assert len(text) <= 128, text
        assert text[-1] in ".…", text
        assert text == text.strip()


def test_no_row_is_hidden_behind_a_more_general_one() -> None:
    """Of two rows of one code the first without a condition ends the search."""
    for row in CODED:
        before = [other for other in CODED[: CODED.index(row)] if other.code == row.code]
        assert all(
            dataclasses.astuple(other.when) != dataclasses.astuple(row.when) for other in before
        )
        assert not any(_unconditional(other) for other in before), row.id


def _unconditional(row: Symptom) -> bool:
    when = row.when
    parts = (when.steps, when.facts, when.least, when.words, when.ways, when.phone)
    return not any(parts) and when.repeated is None
