"""Every library that is imported is declared: in the dependencies, or in the extra of its place."""

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = {"usbprov", "usbprov_drivers"}
FILES = sorted(p for folder in ("usbprov", "drivers") for p in (ROOT / folder).rglob("*.py"))


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


RUNTIME = names(PROJECT["dependencies"])
EXTRAS = {
    extra: names(PROJECT["optional-dependencies"][extra])
    for extra in ("kerberos", "keyring", "lab", "labels", "ldap", "postgres", "web", "xlsx")
}
LAB = RUNTIME | EXTRAS["lab"]
PLACES = {
    ROOT / "usbprov" / "bench" / "rosterfile" / "workbook.py": "xlsx",
    ROOT / "usbprov" / "bench" / "report" / "workbook.py": "xlsx",
    ROOT / "usbprov" / "bench" / "labels" / "sheet.py": "labels",
    ROOT / "usbprov" / "bench" / "web": "web",
    ROOT / "usbprov" / "lab": "lab",
    ROOT / "usbprov" / "lab" / "registrar" / "kerberos.py": "kerberos",
    ROOT / "usbprov" / "net" / "kerberos.py": "kerberos",
    ROOT / "usbprov" / "pki" / "keyrings.py": "keyring",
    ROOT / "usbprov" / "webservices" / "trust" / "ldap.py": "ldap",
    ROOT / "usbprov" / "ledger" / "postgres.py": "postgres",
    ROOT / "usbprov" / "ledger" / "together.py": "postgres",
}
"""The folders and files that may import what an extra has."""


@cache
def distributions():
    return packages_distributions()


def imported_modules(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def libraries(source):
    """Return the distributions that the foreign modules imported by ``source`` come from."""
    modules = {name.partition(".")[0] for name in imported_modules(source)}
    foreign = modules - sys.stdlib_module_names - OURS
    return {canonicalize_name(d) for m in foreign for d in distributions().get(m, [m])}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_is_imported_is_declared(path):
    extras = [EXTRAS[extra] for place, extra in PLACES.items() if place in (path, *path.parents)]

    assert libraries(path.read_text("utf-8")) - RUNTIME.union(*extras) == set()


def test_an_undeclared_import_would_be_noticed():
    source = "import os\nimport pydantic.fields\nfrom usbprov import errors\nfrom . import sibling"

    assert libraries(source) - LAB == {"pydantic"}
