"""The plan of trust: what is installed, who vouches for it, and why it sometimes cannot be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from doubles.certificates import Party, issue, server
from doubles.phone import ALL, MemoryPhone

from usbprov.errors import (
    ChainUntrusted,
    DirectoryRefused,
    NameMismatch,
    PhoneCannotVerify,
    PhoneDistrusts,
    ServerCertificateExpired,
    ServerUnreachable,
    SourceUnverified,
    Unsupported,
    UsbprovError,
)
from usbprov.phone.contract import Capability
from usbprov.phone.models import chain_limits
from usbprov.pki.certificates import thumbprint, to_der
from usbprov.pki.findings import Trouble
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.webservices.trust.plan import Planner, TrustPlan, carry_out, proved, server_source
from usbprov.webservices.trust.servers import Role, Server, ServerAddress
from usbprov.webservices.trust.sources import Certificates, GivenSource, SourceName
from usbprov.webservices.trust.view import PhoneView

ROOT = issue("Root")
MIDDLE = issue("Middle A", ROOT)
LEAF = server("leaf", MIDDLE)
EVIL = issue("Evil")
NO_CA = issue("No CA", ROOT, extensions=())
ADDRESS = ServerAddress(Role.WEB_SERVICES, "pool.contoso.test", 443)


def certificates(*parties: Party) -> Certificates:
    return tuple(party.certificate for party in parties)


def presents(*chain: Party) -> Server:
    return Server(ADDRESS, certificates(*chain))


def a_file(*parties: Party) -> GivenSource:
    return GivenSource(SourceName.FILE, "roots.pem", certificates(*parties), protected=True)


def a_download(*parties: Party) -> GivenSource:
    where = "http://pool.contoso.test/"
    return GivenSource(SourceName.DOWNLOAD, where, certificates(*parties), protected=False)


@dataclass
class Failing:
    """A source that gives nothing."""

    error: UsbprovError
    name: SourceName = SourceName.DIRECTORY
    where: str = "ldap://dc1:389"
    protected: bool = True
    asked: int = 0

    def fetch(self) -> Certificates:
        self.asked += 1
        raise self.error


def phone_with(*roots: Party, **more: object) -> MemoryPhone:
    phone = MemoryPhone(**more)
    for root in roots:
        phone.add_root(to_der(root.certificate))
    phone.calls.clear()
    return phone


def planner(
    phone: MemoryPhone, of: Server, anchors: Sequence[Party] = (), confirmed: Sequence[Party] = ()
) -> Planner:
    digests = [thumbprint(party.certificate) for party in confirmed]
    return Planner(PhoneView(phone, phone.info()), [of], certificates(*anchors), digests)


def installed(plan: TrustPlan) -> list[tuple[str, SourceName]]:
    return [
        (i.certificate.subject.rfc4514_string().removeprefix("CN="), i.source.name)
        for i in plan.installations
    ]


GOOD = presents(LEAF, MIDDLE)
SHORT = presents(LEAF)


def test_nothing_is_missing() -> None:
    phone = phone_with(ROOT)
    plan = planner(phone, GOOD).plan([a_file(ROOT)])
    assert not plan.needed
    assert plan.obstacle is None
    assert "read_root" not in phone.calls  # its digest was enough


def test_a_root_that_only_the_phone_knows_is_read_from_it() -> None:
    phone = phone_with(ROOT, EVIL)
    plan = planner(phone, GOOD).plan([])
    assert plan.judged[0].as_is.trusted
    assert phone.calls.count("read_root") == 2


def test_root_and_intermediate_are_installed_root_first_and_proved() -> None:
    phone = phone_with(EVIL)
    plan = planner(phone, SHORT).plan([a_file(ROOT, MIDDLE)])
    assert installed(plan) == [("Root", SourceName.FILE), ("Middle A", SourceName.FILE)]
    carry_out(phone, plan)
    assert phone.calls.count("add_root") == 2
    after = proved(phone, plan)
    assert after.judged[0].as_is.trusted
    phone.calls.clear()
    again = planner(phone, SHORT).plan([a_file(ROOT, MIDDLE)])
    carry_out(phone, again)
    assert "add_root" not in phone.calls


def test_only_what_the_chain_needs_is_installed() -> None:
    plan = planner(phone_with(), GOOD).plan([a_file(EVIL, ROOT, issue("Third"))])
    assert installed(plan) == [("Root", SourceName.FILE)]


def test_a_phone_that_does_not_do_as_it_says_is_found_out() -> None:
    phone = phone_with()
    plan = planner(phone, GOOD).plan([a_file(ROOT)])
    with pytest.raises(PhoneDistrusts, match="Root is missing"):
        proved(phone, plan)


# --- who vouches


def test_a_download_needs_somebody_who_vouches() -> None:
    plan = planner(phone_with(), SHORT).plan([a_download(ROOT, MIDDLE)])
    assert plan.installations == ()
    assert isinstance(plan.obstacle, SourceUnverified)
    told = "\n".join(plan.obstacle.certificates)
    assert thumbprint(ROOT.certificate) in told
    assert plan.obstacle.server == "http://pool.contoso.test/"


@pytest.mark.parametrize(
    ("anchors", "confirmed", "sources"),
    [
        ([ROOT], [], [a_download(ROOT, MIDDLE)]),
        ([], [ROOT], [a_download(ROOT, MIDDLE)]),
        ([], [ROOT, MIDDLE], [a_download(ROOT, MIDDLE)]),
        ([], [], [a_download(ROOT, MIDDLE), a_file(ROOT)]),
    ],
    ids=["this computer", "a fingerprint", "two fingerprints", "another source"],
)
def test_what_vouches(
    anchors: list[Party], confirmed: list[Party], sources: list[GivenSource]
) -> None:
    plan = planner(phone_with(), SHORT, anchors, confirmed).plan(sources)
    assert plan.obstacle is None
    assert [name for name, _ in installed(plan)] == ["Root", "Middle A"]


def test_the_fingerprint_of_an_intermediate_does_not_vouch_for_the_root() -> None:
    plan = planner(phone_with(), SHORT, confirmed=[MIDDLE]).plan([a_download(ROOT, MIDDLE)])
    assert isinstance(plan.obstacle, SourceUnverified)


def test_a_server_cannot_bring_a_root_of_its_own() -> None:
    """The intermediate's key may be certified by anybody, without its owner knowing."""
    crossed = issue("Middle A", EVIL, own=MIDDLE.key)
    forged = presents(LEAF, crossed, EVIL, MIDDLE)
    sources = [server_source(forged), a_download(EVIL, crossed)]
    plan = planner(phone_with(), forged, [ROOT]).plan(sources)
    assert plan.installations == ()
    assert isinstance(plan.obstacle, SourceUnverified)
    better = planner(phone_with(), forged, [ROOT]).plan([*sources, a_file(ROOT)])
    assert installed(better) == [("Root", SourceName.FILE)]


def test_a_server_s_root_is_taken_if_this_computer_trusts_it() -> None:
    whole = presents(LEAF, MIDDLE, ROOT)
    plan = planner(phone_with(), whole, [ROOT]).plan([server_source(whole)])
    assert installed(plan) == [("Root", SourceName.SERVER)]


# --- sources that give nothing


def test_the_spare_source_is_asked_only_while_something_is_missing() -> None:
    spare = Failing(ServerUnreachable("pool", "it refuses the connection"), SourceName.DOWNLOAD)
    assert planner(phone_with(ROOT), GOOD).plan([], [spare]).obstacle is None
    assert spare.asked == 0
    plan = planner(phone_with(), GOOD).plan([], [spare])
    assert spare.asked == 1
    assert isinstance(plan.obstacle, PhoneDistrusts)
    assert [given.error for given in plan.gathered] == [spare.error]


def test_a_spare_source_fills_the_gap() -> None:
    plan = planner(phone_with(), SHORT, [ROOT]).plan([a_file(ROOT)], [a_download(ROOT, MIDDLE)])
    assert installed(plan) == [("Root", SourceName.FILE), ("Middle A", SourceName.DOWNLOAD)]


def test_a_source_that_was_chosen_and_failed_is_the_reason() -> None:
    failing = Failing(DirectoryRefused("ldap://dc1:389", "name or password is wrong"))
    plan = planner(phone_with(), GOOD).plan([failing])
    assert plan.obstacle is failing.error
    enough = planner(phone_with(), GOOD).plan([failing, a_file(ROOT)])
    assert enough.obstacle is None


# --- what no installation cures

NO_SHA2 = ChainLimits(frozenset({SignatureKind.RSA_SHA1}))


@pytest.mark.parametrize(
    ("phone", "of", "kind"),
    [
        (phone_with(limits=NO_SHA2), GOOD, PhoneCannotVerify),
        (phone_with(limits=ChainLimits(rsa_bits=1024)), GOOD, PhoneCannotVerify),
        (phone_with(), presents(server("leaf", ROOT, "x.test")), NameMismatch),
        (phone_with(), presents(server("leaf", ROOT, days=(-9, -1))), ServerCertificateExpired),
        (phone_with(), presents(server("leaf", NO_CA)), PhoneDistrusts),
        (phone_with(), presents(server("leaf", NO_CA), NO_CA), ChainUntrusted),
    ],
    ids=["no SHA-2", "RSA limit", "name", "expired", "unknown issuer", "no CA"],
)
def test_what_cannot_be_cured_has_its_own_error(
    phone: MemoryPhone, of: Server, kind: type[UsbprovError]
) -> None:
    plan = planner(phone, of).plan([a_file(ROOT, MIDDLE)])
    assert type(plan.obstacle) is kind
    with pytest.raises(kind):
        carry_out(phone, plan)
    assert "add_root" not in phone.calls


def test_the_phone_s_limits_come_first() -> None:
    stranger = presents(server("leaf", ROOT, "x.test"))
    plan = planner(phone_with(limits=NO_SHA2), stranger).plan([a_file(ROOT)])
    assert isinstance(plan.obstacle, PhoneCannotVerify)
    assert "RSA with SHA-256" in plan.obstacle.reason


def test_models_that_say_nothing_are_known_by_name() -> None:
    info = MemoryPhone().info()
    assert chain_limits(info) == ChainLimits()
    old = type(info)(**(vars(info) | {"model": "CX700"}))
    assert chain_limits(old) == ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)
    told = type(info)(**(vars(info) | {"model": "CX700", "limits": ChainLimits(rsa_bits=4096)}))
    assert chain_limits(told) == ChainLimits(rsa_bits=4096)


def test_a_store_that_cannot_be_changed() -> None:
    phone = phone_with(capabilities=ALL - {Capability.TRUST_STORE})
    assert isinstance(planner(phone, GOOD).plan([a_file(ROOT)]).obstacle, Unsupported)


# --- the clock

LAST_YEAR = timedelta(days=-400)


def test_a_clock_behind_is_set_if_that_is_what_is_wrong() -> None:
    phone = phone_with(ROOT, clock=datetime.now(UTC) + LAST_YEAR)
    plan = planner(phone, GOOD).plan([])
    assert plan.set_clock
    assert plan.judged[0].as_is.of(Trouble.NOT_YET_VALID)
    assert plan.judged[0].planned.trusted
    carry_out(phone, plan)
    assert phone.calls.count("set_clock") == 1
    assert proved(phone, plan).judged[0].as_is.trusted


def test_a_clock_that_cannot_be_set_is_the_obstacle() -> None:
    capabilities = ALL - {Capability.SET_CLOCK}
    phone = phone_with(ROOT, clock=datetime.now(UTC) + LAST_YEAR, capabilities=capabilities)
    plan = planner(phone, GOOD).plan([])
    assert not plan.set_clock
    assert isinstance(plan.obstacle, ServerCertificateExpired)


def test_a_clock_that_is_right_is_left_alone() -> None:
    expired = presents(server("leaf", ROOT, days=(-9, -1)))
    plan = planner(phone_with(ROOT), expired).plan([])
    assert not plan.set_clock
    assert isinstance(plan.obstacle, ServerCertificateExpired)
