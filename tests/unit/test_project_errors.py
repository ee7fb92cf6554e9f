"""The error tree keeps its promises, and docs/errors.md and the drawn tree are true to it."""

import importlib.util
import inspect
import re
import string
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from usbprov import errors
from usbprov.errors import ExitCode, UsbprovError

ROOT = Path(__file__).parents[2]
TREE = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, UsbprovError)]
LEAVES = [c for c in TREE if not c.__subclasses__()]
CODED = sorted(
    (c for c in TREE if "code" in vars(c) and c is not UsbprovError), key=lambda error: error.code
)
each_coded = pytest.mark.parametrize("error", CODED, ids=lambda error: error.code)


@pytest.fixture(scope="module")
def docs_errors():
    location = ROOT / "scripts" / "docs_errors.py"
    spec = importlib.util.spec_from_file_location("docs_errors", location)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn_tree():
    """Return the parent of each class as drawn in the module's docstring."""
    drawing = errors.__doc__.split("::\n\n")[1]
    one_line_a_family = re.sub(r",\n\s*│?\s+(?=\w)", ", ", drawing)
    parents = {}
    for line in one_line_a_family.splitlines()[1:]:
        family, _, members = line.strip(" │├└─").partition(" ─ ")
        parents.setdefault(family, "UsbprovError")
        parents |= {member.strip(): family for member in members.split(",")}
    return parents


def test_the_drawn_tree_is_the_real_one():
    real = {c.__name__: c.__base__.__name__ for c in TREE if c is not UsbprovError}

    assert drawn_tree() == real


def test_codes_are_unique():
    assert [code for code, count in Counter(c.code for c in CODED).items() if count > 1] == []


def test_every_leaf_has_a_code_of_its_own():
    assert [c.__name__ for c in LEAVES if "code" not in vars(c)] == []


def test_codes_of_a_family_are_numbered_without_gaps():
    numbers = {}
    for error in CODED:
        prefix, number = error.code.split("-")
        numbers.setdefault(prefix, []).append(int(number))

    assert {p: sorted(n) for p, n in numbers.items()} == {
        p: list(range(1, len(n) + 1)) for p, n in numbers.items()
    }


@each_coded
def test_the_code_has_the_stable_form(error):
    assert re.fullmatch(r"[A-Z]{3}-\d{2}", error.code)


@each_coded
def test_cause_and_remedy_are_whole_sentences(error):
    for text in (error.cause, error.remedy):
        assert len(text.split()) >= 2
        assert text == text.strip()
        assert text[-1] in ".…", text


@each_coded
def test_the_docstring_says_when(error):
    assert re.match(r"Raised when .+\.", inspect.getdoc(error), re.DOTALL)


@each_coded
def test_the_template_uses_only_fields_that_exist(error):
    used = {name for _, name, _, _ in string.Formatter().parse(error.template) if name}

    assert used
    assert used <= {field.name for field in fields(error)}


@each_coded
def test_the_exit_code_is_a_failure(error):
    assert isinstance(error.exit_code, ExitCode)
    assert error.exit_code is not ExitCode.DONE


def test_the_page_is_up_to_date(docs_errors):
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")

    assert page == docs_errors.render(), "run `make docs`"


def test_check_mode_notices_an_outdated_page(docs_errors, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs_errors, "TARGET", tmp_path / "errors.md")

    assert docs_errors.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert not docs_errors.TARGET.exists()
    assert docs_errors.main([]) == 0
    assert docs_errors.main(["--check"]) == 0


def test_the_page_has_one_section_a_code_and_working_links(docs_errors):
    page = docs_errors.render()
    headings = re.findall(r"^## ([A-Z]{3}-\d{2} \w+)$", page, re.MULTILINE)

    assert headings == [f"{c.code} {c.__name__}" for c in CODED]
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) == anchors


@each_coded
def test_files_named_in_cause_and_remedy_exist(error):
    named = re.findall(r"\b(?:docs|udev)/[\w./-]*\w", f"{error.cause} {error.remedy}")

    assert [name for name in named if not (ROOT / name).is_file()] == []
