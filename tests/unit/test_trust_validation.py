"""Chains as a phone sees them: each fault is found, named, and laid to the right certificate."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from doubles.certificates import CA, NOW, Party, issue, key, server, with_oid

from usbprov.pki.certificates import thumbprint, to_pem
from usbprov.pki.findings import Trouble
from usbprov.pki.fitness import covers_host
from usbprov.pki.limits import NO_LIMITS, ChainLimits, SignatureKind
from usbprov.pki.validation import Verdict, Verifier, leads_to

HOST = "pool.contoso.test"
NO_SHA2 = ChainLimits(frozenset({SignatureKind.RSA_SHA1}))

ROOT = issue("Root")
MIDDLE = issue("Middle A", ROOT)
LEAF = server("leaf", MIDDLE)


@dataclass
class Scene:
    """A server, a phone, and what could be installed."""

    presented: list[Party] = field(default_factory=lambda: [LEAF, MIDDLE])
    store: list[Party] = field(default_factory=lambda: [ROOT])
    known: list[Party] = field(default_factory=list)
    clock: timedelta | None = timedelta(0)
    limits: ChainLimits = NO_LIMITS
    host: str = HOST

    def judge(self) -> Verdict:
        store = frozenset(party.certificate for party in self.store)
        now = None if self.clock is None else NOW + self.clock
        presented = tuple(party.certificate for party in self.presented)
        known = [party.certificate for party in self.known]
        return Verifier(store, now, self.limits).judge(presented, self.host, known)


def found(verdict: Verdict) -> list[tuple[Trouble, str]]:
    return [(finding.trouble, finding.subject.removeprefix("CN=")) for finding in verdict.findings]


def test_a_good_chain_is_trusted() -> None:
    verdict = Scene().judge()
    assert verdict.trusted
    assert found(verdict) == []
    assert [c.subject for c in verdict.path] == [
        p.certificate.subject for p in (LEAF, MIDDLE, ROOT)
    ]


EXPIRED_LEAF = server("leaf", MIDDLE, days=(-30, -1))
OLD_MIDDLE = issue("Middle B", ROOT, days=(-30, -1))
LATER = issue("Middle C", ROOT, days=(1, 30))
NO_CA_AT_ALL = issue("Middle D", ROOT, extensions=())
NARROW = issue("Narrow", ROOT, extensions=(x509.BasicConstraints(ca=True, path_length=0),))
BELOW_NARROW = issue("Below", NARROW)
NO_SIGNING = issue(
    "Middle E",
    ROOT,
    extensions=(CA, x509.KeyUsage(True, False, False, False, False, False, False, False, False)),
)
CLIENT = server(
    "leaf", MIDDLE, extensions=(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),)
)
CURVE = server("leaf", MIDDLE, own=ec.generate_private_key(ec.SECP256R1()))

SCENES: dict[str, tuple[Callable[[], Scene], list[tuple[Trouble, str]]]] = {
    "missing": (lambda: Scene(store=[], known=[ROOT]), [(Trouble.MISSING, "Root")]),
    "missing, not at hand": (lambda: Scene(store=[]), [(Trouble.MISSING, "Root")]),
    "incomplete": (
        lambda: Scene(presented=[LEAF], known=[MIDDLE]),
        [(Trouble.INCOMPLETE, "Middle A")],
    ),
    "incomplete, not at hand": (lambda: Scene(presented=[LEAF]), [(Trouble.MISSING, "Middle A")]),
    "incomplete and missing": (
        lambda: Scene(presented=[LEAF], store=[], known=[MIDDLE, ROOT]),
        [(Trouble.INCOMPLETE, "Middle A"), (Trouble.MISSING, "Root")],
    ),
    "the intermediate is in the store": (
        lambda: Scene(presented=[LEAF], store=[ROOT, MIDDLE]),
        [],
    ),
    "a store of intermediates alone is no end": (
        lambda: Scene(store=[MIDDLE], known=[ROOT]),
        [(Trouble.MISSING, "Root")],
    ),
    "expired": (lambda: Scene(presented=[EXPIRED_LEAF, MIDDLE]), [(Trouble.EXPIRED, "leaf")]),
    "expired by the clock": (
        lambda: Scene(clock=timedelta(days=1000)),
        [(Trouble.EXPIRED, "leaf"), (Trouble.EXPIRED, "Middle A"), (Trouble.EXPIRED, "Root")],
    ),
    "expired intermediate": (
        lambda: Scene(presented=[server("leaf", OLD_MIDDLE), OLD_MIDDLE]),
        [(Trouble.EXPIRED, "Middle B")],
    ),
    "not yet valid": (
        lambda: Scene(presented=[server("leaf", LATER), LATER]),
        [(Trouble.NOT_YET_VALID, "Middle C")],
    ),
    "no clock, no validity": (
        lambda: Scene(presented=[EXPIRED_LEAF, MIDDLE], clock=None),
        [],
    ),
    "no SHA-2": (
        lambda: Scene(store=[], known=[ROOT], limits=NO_SHA2),
        [
            (Trouble.TOO_NEW, "leaf"),
            (Trouble.TOO_NEW, "Middle A"),
            (Trouble.TOO_NEW, "Root"),
            (Trouble.MISSING, "Root"),
        ],
    ),
    "no SHA-2, but the root is there": (
        lambda: Scene(limits=NO_SHA2),
        [(Trouble.TOO_NEW, "leaf"), (Trouble.TOO_NEW, "Middle A")],
    ),
    "RSA too long": (
        lambda: Scene(presented=[CURVE, MIDDLE], limits=ChainLimits(rsa_bits=1024)),
        [(Trouble.TOO_NEW, "Middle A"), (Trouble.TOO_NEW, "Root")],
    ),
    "no elliptic curves": (
        lambda: Scene(
            presented=[CURVE, MIDDLE], limits=ChainLimits(frozenset({SignatureKind.RSA_SHA2}))
        ),
        [(Trouble.TOO_NEW, "leaf")],
    ),
    "no CA": (
        lambda: Scene(presented=[server("leaf", NO_CA_AT_ALL), NO_CA_AT_ALL]),
        [(Trouble.UNFIT, "Middle D")],
    ),
    "path too long": (
        lambda: Scene(presented=[server("leaf", BELOW_NARROW), BELOW_NARROW, NARROW]),
        [(Trouble.UNFIT, "Narrow")],
    ),
    "CA may not sign": (
        lambda: Scene(presented=[server("leaf", NO_SIGNING), NO_SIGNING]),
        [(Trouble.UNFIT, "Middle E")],
    ),
    "not for servers": (
        lambda: Scene(presented=[CLIENT, MIDDLE], host=""),
        [(Trouble.WRONG_NAME, "leaf"), (Trouble.UNFIT, "leaf")],
    ),
    "wrong name": (
        lambda: Scene(host="other.contoso.test"),
        [(Trouble.WRONG_NAME, "leaf")],
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_each_fault_is_found_at_its_certificate(name: str) -> None:
    make, expected = SCENES[name]
    verdict = make().judge()
    assert found(verdict) == expected
    assert verdict.trusted == (not expected)
    for finding in verdict.findings:
        assert finding.cause
        assert finding.remedy
        assert finding.detail


def test_every_trouble_has_a_scene() -> None:
    shown = {trouble for _, expected in SCENES.values() for trouble, _ in expected}
    assert shown | {Trouble.WRONG_ORDER} == set(Trouble)


def test_what_is_at_hand_is_named_with_its_digest() -> None:
    verdict = Scene(presented=[LEAF], store=[], known=[MIDDLE, ROOT]).judge()
    assert [f.sha256 for f in verdict.findings] == [
        thumbprint(MIDDLE.certificate),
        thumbprint(ROOT.certificate),
    ]
    assert verdict.absent == (ROOT.certificate, MIDDLE.certificate)


@pytest.mark.parametrize(
    ("presented", "wrong"),
    [
        ([LEAF, ROOT, MIDDLE], True),
        ([LEAF, MIDDLE, ROOT], False),
        ([LEAF, BELOW_NARROW, MIDDLE], True),
        ([LEAF, MIDDLE, BELOW_NARROW], False),
    ],
)
def test_wrong_order_is_told_but_does_not_block(presented: list[Party], wrong: bool) -> None:
    verdict = Scene(presented=presented).judge()
    assert verdict.trusted
    assert bool(verdict.of(Trouble.WRONG_ORDER)) == wrong


def test_a_root_that_the_phone_has_is_not_asked_for_extensions() -> None:
    bare = issue("Bare", extensions=())
    assert Scene([server("leaf", bare)], [bare]).judge().trusted
    verdict = Scene([server("leaf", bare)], [], known=[bare]).judge()
    assert found(verdict) == [(Trouble.UNFIT, "Bare"), (Trouble.MISSING, "Bare")]


def test_of_several_chains_the_best_is_judged() -> None:
    old_root = issue("Old Root")
    own = key(4)
    crossed = issue("Middle X", old_root, own=own)
    straight = issue("Middle X", ROOT, own=own)
    leaf = server("leaf", straight)
    verdict = Scene([leaf, straight, crossed], [old_root], known=[ROOT]).judge()
    assert verdict.trusted
    assert crossed.certificate in verdict.path


def test_sha1_chains_are_verified_for_phones_that_know_nothing_newer() -> None:
    root = issue("Root 1", sha1=True)
    middle = issue("Middle 1", root, sha1=True)
    leaf = server("leaf", middle, sha1=True)
    assert Scene([leaf, middle], [root], limits=NO_SHA2).judge().trusted
    only_new = ChainLimits(frozenset({SignatureKind.RSA_SHA2}))
    assert {f.trouble for f in Scene([leaf, middle], [root], limits=only_new).judge().findings} == {
        Trouble.TOO_NEW
    }


def test_a_root_that_the_phone_has_may_be_signed_with_anything() -> None:
    """As old roots are, with MD5: nobody verifies an anchor, but one that is yet to become one."""
    root = issue("Ancient")
    md5 = Party(with_oid(root.certificate, "06092a864886f70d010104"), root.key)
    leaf = server("leaf", root)
    assert Scene([leaf], [md5], limits=ChainLimits(rsa_bits=2048)).judge().trusted
    not_yet = Scene([leaf], [], known=[md5]).judge()
    assert [finding.sha256 for finding in not_yet.of(Trouble.MISSING)] == [None]
    assert not_yet.of(Trouble.TOO_NEW)


def test_sha1_and_expired_certificates_vouch_for_nothing() -> None:
    root = ROOT.certificate
    weak = issue("Weak", ROOT, sha1=True).certificate
    old = issue("Old", ROOT, days=(-30, -1)).certificate
    below_no_ca = issue("Below no CA", NO_CA_AT_ALL).certificate
    anchors = frozenset({root})
    assert leads_to(MIDDLE.certificate, anchors, [], NOW)
    assert leads_to(root, anchors, [], NOW)
    assert not leads_to(weak, anchors, [], NOW)
    assert not leads_to(old, anchors, [], NOW)
    assert not leads_to(below_no_ca, anchors, [NO_CA_AT_ALL.certificate], NOW)
    assert leads_to(BELOW_NARROW.certificate, anchors, [NARROW.certificate], NOW)
    assert not leads_to(issue("Root").certificate, anchors, [], NOW)


def test_a_forged_issuer_of_the_right_name_is_none() -> None:
    forged = issue("Root", own=key(9))
    verdict = Scene(store=[forged], known=[forged]).judge()
    assert not verdict.trusted
    assert forged.certificate not in verdict.path


def test_many_authorities_of_one_name_cost_no_more_than_a_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty certificates that all certify each other have more chains than there is time for."""
    own = key(1)
    root = issue("Same", own=own)
    crowd = [issue("Same", root, own=own, days=(-1, n + 1)) for n in range(40)]
    checks = 0

    def counted(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        nonlocal checks
        checks += 1
        return certificate.issuer == issuer.subject

    monkeypatch.setattr("usbprov.pki.validation.is_issued_by", counted)
    monkeypatch.setattr("usbprov.pki.validation.is_root", lambda *_: False)
    Scene([server("leaf", root), *crowd], []).judge()
    assert checks == 512


@pytest.mark.parametrize(
    ("names", "host", "covers"),
    [
        (["pool.contoso.test"], "POOL.contoso.test.", True),
        (["*.contoso.test"], "pool.contoso.test", True),
        (["*.contoso.test"], "a.pool.contoso.test", False),
        (["*.contoso.test"], "contoso.test", False),
        (["*.test"], "contoso.test", False),
        (["po*.contoso.test"], "pool.contoso.test", False),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["2001:db8::1"], "2001:db8:0::1", True),
        (["pool.contoso.test"], "", False),
        ([], "leaf", False),
    ],
)
def test_names(names: list[str], host: str, covers: bool) -> None:
    certificate = issue("leaf", ROOT, extensions=(), names=names).certificate
    assert covers_host(certificate, host) == covers


@pytest.mark.parametrize("name", [n for n in SCENES if SCENES[n][0]().limits == NO_LIMITS])
def test_openssl_agrees(name: str, tmp_path: Path) -> None:
    """The same question to another program, which has no such limits as phones have."""
    scene = SCENES[name][0]()
    leaf, *others = scene.presented
    (tmp_path / "leaf").write_bytes(to_pem([leaf.certificate]))
    (tmp_path / "sent").write_bytes(to_pem(p.certificate for p in others or [leaf]))
    (tmp_path / "store").write_bytes(to_pem(p.certificate for p in scene.store or [LEAF]))
    moment = NOW + (scene.clock or timedelta(0))
    times = ["-attime", str(int(moment.timestamp()))] if scene.clock is not None else []
    command = [
        *("openssl", "verify", "-purpose", "sslserver", "-no-CApath", "-no-CAstore"),
        *("-CAfile", "store", "-untrusted", "sent"),
        *(times or ["-no_check_time"]),
        *(["-verify_hostname", scene.host] if scene.host else ["-verify_hostname", "none.test"]),
        "leaf",
    ]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode == 0) == scene.judge().trusted, said.stderr
