"""The plan of trust: what a phone lacks to trust its servers, where it comes from, who vouches.

A certificate is installed only if it comes from a protected source, leads to an anchor of this
computer, or was confirmed by its fingerprint. Neither the server's own chain nor anything got
over plain HTTP or plain LDAP counts for itself.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from usbprov.errors import (
    ChainUntrusted,
    NameMismatch,
    PhoneCannotVerify,
    PhoneDistrusts,
    ServerCertificateExpired,
    SourceUnverified,
    TrustError,
    Unsupported,
    UsbprovError,
)
from usbprov.phone.contract import Phone
from usbprov.pki.certificates import shown_name, thumbprint, to_der
from usbprov.pki.findings import Finding, Trouble
from usbprov.pki.validation import Verdict, leads_to
from usbprov.tape.clock import now
from usbprov.webservices.trust.servers import Server
from usbprov.webservices.trust.sources import Gathered, GivenSource, Source, SourceName, gather
from usbprov.webservices.trust.view import PhoneView

logger = logging.getLogger(__name__)

Anchors = frozenset[x509.Certificate]

_BY_CLOCK = (Trouble.EXPIRED, Trouble.NOT_YET_VALID)
_BY_INSTALLATION = (Trouble.MISSING, Trouble.INCOMPLETE)


@dataclass(frozen=True)
class Judged:
    """One server: what the phone makes of it as it is, and once the plan was carried out."""

    server: Server
    as_is: Verdict
    planned: Verdict


@dataclass(frozen=True)
class Installation:
    """A certificate that the phone is to be given, and the source that it comes from."""

    certificate: x509.Certificate
    source: Gathered

    def __str__(self) -> str:
        return f"{shown_name(self.certificate.subject)} from {self.source.name}"


@dataclass(frozen=True)
class TrustPlan:
    """What is to be done to a phone.

    Attributes:
        judged: Every server.
        gathered: What each source gave.
        installations: What is to be installed, roots first.
        set_clock: Whether the clock must be set, too.
        obstacle: Why the phone would not trust all servers even then, or None.
    """

    judged: tuple[Judged, ...]
    gathered: tuple[Gathered, ...]
    installations: tuple[Installation, ...]
    set_clock: bool
    obstacle: UsbprovError | None

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.installations) or self.set_clock


class Planner:
    """Makes the plan for one phone and its servers."""

    def __init__(
        self,
        view: PhoneView,
        servers: Sequence[Server],
        anchors: Iterable[x509.Certificate],
        confirmed: Iterable[str] = (),
    ) -> None:
        """Prepare.

        Args:
            view: The phone.
            servers: What they present.
            anchors: What this computer trusts.
            confirmed: SHA-256 (lower-case hex) of certificates that a person has compared.
        """
        self._view = view
        self._servers = servers
        self._anchors = frozenset(anchors)
        self._confirmed = frozenset(confirmed)
        self._gathered: list[Gathered] = []
        self._failure: UsbprovError | None = None

    def plan(self, sources: Iterable[Source], spare: Iterable[Source] = ()) -> TrustPlan:
        """Ask the sources, and the spare ones only while something is missing."""
        self._gathered += [gather(source) for source in sources]
        self._failure = next((given.error for given in self._gathered if given.error), None)
        plan = self._plan()
        for source in spare:
            if not isinstance(plan.obstacle, PhoneDistrusts | SourceUnverified):
                break
            self._gathered.append(gather(source))
            plan = self._plan()
        return plan

    def _plan(self) -> TrustPlan:
        vouched = self._vouched()
        judged = tuple(self._judge(server, vouched) for server in self._servers)
        needed = dict.fromkeys(c for j in judged for c in j.planned.absent if c in vouched)
        obstacle = next(filter(None, (self._obstacle(j, vouched) for j in judged)), None)
        if obstacle is None and needed and not self._view.takes_roots:
            obstacle = Unsupported(self._view.name, "taking trusted roots")
        return TrustPlan(
            judged,
            tuple(self._gathered),
            tuple(Installation(c, self._source_of(c)) for c in needed),
            any(j.planned is not j.as_is for j in judged),
            obstacle,
        )

    def _judge(self, server: Server, known: Anchors) -> Judged:
        as_is = self._view.judge(server, known)
        if not as_is.of(*_BY_CLOCK) or not self._view.takes_clock:
            return Judged(server, as_is, as_is)
        with_clock = self._view.judge(server, known, clock_set=True)
        better = len(with_clock.of(*_BY_CLOCK)) < len(as_is.of(*_BY_CLOCK))
        return Judged(server, as_is, with_clock if better else as_is)

    # --- who vouches for what

    def _vouched(self) -> Anchors:
        """Return what was gathered and may be believed."""
        found = self._everything()
        anchors = self._anchors.union(
            *(given.certificates for given in self._gathered if given.protected),
            (c for c in found if thumbprint(c) in self._confirmed),
        )
        moment = now()
        return frozenset(c for c in found if leads_to(c, anchors, found, moment))

    def _everything(self) -> Anchors:
        return frozenset(c for given in self._gathered for c in given.certificates)

    def _source_of(self, certificate: x509.Certificate) -> Gathered:
        givers = [given for given in self._gathered if certificate in given.certificates]
        return min(givers, key=lambda given: not given.protected)

    # --- why it cannot be done

    def _obstacle(self, judged: Judged, vouched: Anchors) -> UsbprovError | None:
        curable = {thumbprint(c) for c in vouched.intersection(judged.planned.absent)}
        left = [
            finding
            for finding in judged.planned.findings
            if finding.blocks
            and not (finding.trouble in _BY_INSTALLATION and finding.sha256 in curable)
        ]
        final = [finding for finding in left if finding.trouble not in _BY_INSTALLATION]
        if final:
            return refusal(judged.server, final, self._view.name)
        return self._missing(judged.server, left[0], vouched) if left else None

    def _missing(self, server: Server, finding: Finding, vouched: Anchors) -> UsbprovError:
        everything = self._everything()
        unvouched = self._view.judge(server, everything, clock_set=True)
        doubtful = [c for c in unvouched.absent if c in everything - vouched]
        if doubtful and everything.issuperset(unvouched.absent):
            return _unverified(doubtful, self._source_of(doubtful[0]))
        return self._failure or refusal(server, [finding], self._view.name)


def refusal(server: Server, findings: Sequence[Finding], viewer: str) -> TrustError:
    """Return the error that says why a server is not trusted: first, what no installation cures.

    Args:
        server: Who.
        findings: Those that block, one at least.
        viewer: In whose eyes: a phone's name.
    """
    name = str(server.address)
    beyond = [finding for finding in findings if finding.trouble is Trouble.TOO_NEW]
    if beyond:
        return PhoneCannotVerify(name, _reason(beyond), phone=viewer)
    final = [finding for finding in findings if finding.trouble not in _BY_INSTALLATION]
    if not final:
        reason = f"the certificate of {findings[0].subject} is missing"
        return PhoneDistrusts(name, reason, phone=viewer)
    make = _ERRORS.get(final[0].trouble, ChainUntrusted)
    return make(name, f"{_reason(final)} (as {viewer} sees it)")


def carry_out(phone: Phone, plan: TrustPlan) -> None:
    """Do what the plan says. What the phone has already is no error, so it may be repeated.

    Raises:
        UsbprovError: The plan's obstacle, before anything is done; or the phone's error.
    """
    if plan.obstacle is not None:
        raise plan.obstacle
    if plan.set_clock:
        phone.set_clock(now())
    for installation in plan.installations:
        phone.add_root(to_der(installation.certificate))
        logger.debug("%s: installed %s", phone.facts.name, thumbprint(installation.certificate))


def proved(phone: Phone, plan: TrustPlan) -> TrustPlan:
    """Ask the phone anew, and judge the plan's servers with nothing but what it has now.

    Raises:
        UsbprovError: It would not trust one of them.
    """
    servers = [judged.server for judged in plan.judged]
    after = Planner(PhoneView(phone, phone.info()), servers, ()).plan(())
    if after.obstacle is not None:
        raise after.obstacle
    return after


def server_source(server: Server) -> Source:
    """Return what a server presents as a source; it does not vouch for itself."""
    return GivenSource(SourceName.SERVER, str(server.address), server.chain, protected=False)


_ERRORS: Mapping[Trouble, Callable[[str, str], TrustError]] = {
    Trouble.WRONG_NAME: NameMismatch,
    Trouble.EXPIRED: ServerCertificateExpired,
    Trouble.NOT_YET_VALID: ServerCertificateExpired,
}


def _reason(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{finding.subject}: {finding.detail}" for finding in findings)


def _unverified(doubtful: Sequence[x509.Certificate], source: Gathered) -> SourceUnverified:
    names = ", ".join(shown_name(c.subject) for c in doubtful)
    told = tuple(f"{shown_name(c.subject)}, SHA-256 {thumbprint(c)}" for c in doubtful)
    return SourceUnverified(source.where, f"{names} leads to no trusted root", certificates=told)
