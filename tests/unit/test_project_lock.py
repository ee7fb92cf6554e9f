"""The lock files pin what pyproject.toml asks for, with hashes, from no particular place."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
GROUPS = PYPROJECT["dependency-groups"]
ASKED = {
    "requirements.lock": [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["lab"],
        *PROJECT["optional-dependencies"]["web"],
        *GROUPS["build"],
    ],
    "requirements-dev.lock": [
        *PROJECT["dependencies"],
        *chain.from_iterable(group for name, group in GROUPS.items() if name != "fuzz"),
    ],
    "requirements-fuzz.lock": GROUPS["fuzz"],
}
each_lock = pytest.mark.parametrize("lock", ASKED)


def text_of(lock):
    return (ROOT / lock).read_text("utf-8")


def pins(lock):
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text_of(lock), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


@each_lock
def test_every_requirement_is_pinned_within_its_bounds(lock):
    pinned = pins(lock)

    for requirement in map(Requirement, ASKED[lock]):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


@each_lock
def test_every_requirement_states_a_lower_bound(lock):
    bounds = {r.name: str(r.specifier) for r in map(Requirement, ASKED[lock])}

    assert [name for name, bound in bounds.items() if not bound.startswith(">=")] == []


@each_lock
def test_every_pin_has_hashes(lock):
    blocks = re.split(r"\n(?=\S)", text_of(lock))
    pinned = [block for block in blocks if not block.startswith("#")]

    assert len(pinned) == len(pins(lock))
    assert [block for block in pinned if "--hash=sha256:" not in block] == []


@each_lock
def test_no_place_is_named(lock):
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host| @ ", text_of(lock))


def test_the_two_locks_agree():
    everything = pins("requirements-dev.lock")

    assert {name: everything.get(name) for name in pins("requirements.lock")} == pins(
        "requirements.lock"
    )
