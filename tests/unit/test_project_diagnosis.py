"""docs/diagnosis.md is true to the table of symptoms and to the matrix of the lab's faults."""

import importlib.util
import re
from pathlib import Path

import pytest

from usbprov.engine.diagnosis.table import CAUSES, SYMPTOMS
from usbprov.engine.diagnosis.table.known import KNOWN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def docs():
    location = ROOT / "scripts" / "docs_diagnosis.py"
    spec = importlib.util.spec_from_file_location("docs_diagnosis", location)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(docs):
    return docs.render()


def test_the_page_is_up_to_date(page):
    assert (ROOT / "docs" / "diagnosis.md").read_text("utf-8") == page, "run `make docs`"


def test_check_mode_notices_an_outdated_page(docs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "TARGET", tmp_path / "diagnosis.md")
    assert docs.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0


def test_every_row_and_cause_is_on_the_page(page):
    for row in SYMPTOMS:
        assert f"### {row.says}\n" in page
    for cause in CAUSES.values():
        assert f"(`{cause.id}`)" in page


def test_every_code_has_one_section_for_links(page):
    sections = re.findall(r"^## ([A-Z]{3}-\d\d)$", page, re.MULTILINE)
    assert sections == sorted({row.code for row in SYMPTOMS if row.code})


def test_every_case_of_the_matrix_is_on_the_page(docs, page):
    for case in docs.cases():
        assert f"| `{docs.fault_of(case)}` | {case.get('moment', 'start')} |" in page


def test_every_known_trouble_is_listed_with_its_causes(page):
    rows = dict(re.findall(r"^\| (T?\d+) \| .* \| (`.*`) \|$", page, re.MULTILINE))
    assert set(rows) == set(KNOWN)


def test_what_is_not_tested_says_why(page):
    assert page.count("Not tested: ") == sum(bool(row.untested) for row in SYMPTOMS)
