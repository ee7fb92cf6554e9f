"""Probes see what is there, say what it speaks for, and keep their limits."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from doubles.certificates import Party, issue, server

from usbprov.engine.diagnosis import probes
from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes import chain, clock, reach
from usbprov.engine.diagnosis.probes.contract import Scene, address_of
from usbprov.engine.diagnosis.probes.reach import Port, ReachProbe
from usbprov.engine.diagnosis.table import CAUSES
from usbprov.pki.certificates import thumbprint
from usbprov.pki.validation import Verifier

HOST = "127.0.0.1"


# --- reach


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as open_port:
        yield open_port.getsockname()[1]


def unreached(server: str, code: str = "WEB-01") -> Case:
    return Case(code, "", {"server": server})


def test_a_port_that_refuses_is_a_service_that_does_not_run(listening: int) -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    seen = ReachProbe().look(unreached(f"{HOST}:{port}"), Scene())
    assert seen is not None
    assert f"port {port} refuses the connection" in seen.seen
    assert "service-stopped" in seen.supports
    assert {"firewall", "server-down"} <= seen.excludes


def test_a_port_that_answers_again_is_no_firewall(listening: int) -> None:
    seen = ReachProbe().look(unreached(f"{HOST}:{listening}"), Scene())
    assert seen is not None
    assert f"port {listening} answers" in seen.seen
    assert {"firewall", "server-down", "name-unknown"} <= seen.excludes


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    seen = ReachProbe().look(unreached("nowhere.contoso.test"), Scene())
    assert seen is not None
    assert seen.supports == {"name-unknown"}


@pytest.mark.parametrize(
    ("states", "first"),
    [
        ({443: Port.SILENT, 80: Port.REFUSED, 5061: Port.SILENT}, "firewall"),
        ({443: Port.SILENT, 80: Port.OPEN, 5061: Port.SILENT}, "firewall"),
        ({443: Port.SILENT, 80: Port.SILENT, 5061: Port.SILENT}, "server-down"),
        ({443: Port.REFUSED, 80: Port.SILENT, 5061: Port.SILENT}, "service-stopped"),
    ],
)
def test_what_the_other_ports_say(states: dict[int, Port], first: str) -> None:
    assert first in reach.judged("pool", 443, states).supports


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("pool.contoso.test", ("pool.contoso.test", 443)),
        ("pool:4443", ("pool", 4443)),
        ("[::1]:5061", ("::1", 5061)),
        ("", None),
    ],
)
def test_the_server_of_an_error(named: str, address: tuple[str, int] | None) -> None:
    assert address_of(unreached(named), Scene()) == address


# --- chain


@pytest.fixture(scope="module")
def pki() -> tuple[Party, Party, Party]:
    root = issue("Root")
    intermediate = issue("Intermediate", root)
    return root, intermediate, server("pool", intermediate)


def missing(presented: list[Party], anchors: list[Party], given: list[Party]) -> Evidence:
    verifier = Verifier(frozenset(party.certificate for party in anchors), None)
    known = frozenset(party.certificate for party in given)
    shown = tuple(party.certificate for party in presented)
    seen = chain.judged(verifier.judge(shown, known=known), known)
    assert seen is not None
    return seen


def test_the_intermediate_that_is_not_sent_is_named(pki: tuple[Party, Party, Party]) -> None:
    root, intermediate, leaf = pki
    seen = missing([leaf], [root], [intermediate, root])
    assert "CN=Intermediate" in seen.seen
    assert thumbprint(intermediate.certificate) in seen.seen
    assert "the chain download gives it" in seen.seen
    assert seen.supports == {"intermediate-missing"}
    assert seen.excludes == {"root-unknown"}


def test_an_intermediate_that_nobody_gives_is_named_without_digest(
    pki: tuple[Party, Party, Party],
) -> None:
    root, _, leaf = pki
    seen = missing([leaf], [root], [])
    assert "CN=Intermediate (nobody gives it" in seen.seen
    assert seen.supports == {"intermediate-missing"}


def test_the_root_that_is_not_known_is_named(pki: tuple[Party, Party, Party]) -> None:
    root, intermediate, leaf = pki
    seen = missing([leaf, intermediate, root], [], [])
    assert f"CN=Root, SHA-256 {thumbprint(root.certificate)} (the server presents it" in seen.seen
    assert seen.supports == {"root-unknown"}
    assert "CN=Root" in missing([leaf, intermediate], [], []).seen


def test_both_may_be_missing(pki: tuple[Party, Party, Party]) -> None:
    root, intermediate, leaf = pki
    seen = missing([leaf], [], [intermediate, root])
    assert seen.supports == {"intermediate-missing", "root-unknown"}
    for party in (root, intermediate):
        assert thumbprint(party.certificate) in seen.seen


def test_nothing_is_missing(pki: tuple[Party, Party, Party]) -> None:
    root, intermediate, leaf = pki
    verifier = Verifier(frozenset({root.certificate}), None)
    verdict = verifier.judge((leaf.certificate, intermediate.certificate))
    assert chain.judged(verdict, frozenset()) is None


# --- clock


@pytest.mark.parametrize(
    ("ahead", "words"), [(7200, "7200 s ahead of"), (-300, "300 s behind this computer's")]
)
def test_clocks_that_differ(ahead: int, words: str) -> None:
    seen = clock.judged(timedelta(seconds=ahead))
    assert words in seen.seen
    assert {"server-clock-wrong", "own-clock-wrong", "server-clocks-differ"} == seen.supports


def test_clocks_that_agree() -> None:
    assert clock.judged(timedelta(seconds=2)).excludes == {"server-clock-wrong", "own-clock-wrong"}


# --- limits


class _Slow:
    name = "slow"
    seconds = 0.05
    codes = frozenset({"WEB-01"})

    def __init__(self) -> None:
        self.release = threading.Event()

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        self.release.wait(60)
        return None


class _Broken(_Slow):
    name = "broken"

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        raise ZeroDivisionError


class _Good(_Slow):
    name = "good"

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        return Evidence(self.name, "seen")


def test_a_probe_that_hangs_or_breaks_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Slow()
    monkeypatch.setattr(probes, "all_probes", lambda: (slow, _Broken(), _Good()))
    began = time.monotonic()
    seen = probes.look_into(Case("WEB-01"), Scene())
    slow.release.set()
    assert [evidence.probe for evidence in seen] == ["good"]
    assert time.monotonic() - began < 10


def test_only_the_probes_of_an_error_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "all_probes", lambda: (_Good(),))
    assert probes.look_into(Case("WEB-12"), Scene()) == ()


def test_probes_speak_of_causes_that_there_are() -> None:
    refused = reach.judged("pool", 443, {443: Port.REFUSED})
    spoken = refused.supports | refused.excludes | clock.judged(timedelta(hours=2)).supports
    assert spoken <= set(CAUSES)
