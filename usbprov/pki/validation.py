"""Chain validation from another's point of view: its roots, its clock, its limits (RFC 5280 6).

A subset of RFC 5280: names and signatures link the chain; validity, basicConstraints with path
length, keyUsage of CAs, extendedKeyUsage of the server and its name are checked. Name and policy
constraints and revocation are not: no phone that we know of does. No network, no state.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from usbprov.pki.certificates import shown_name, thumbprint
from usbprov.pki.chains import is_issued_by, is_root
from usbprov.pki.findings import Finding, Trouble
from usbprov.pki.fitness import covers_host, too_new, unfit_ca, unfit_server, weakly_signed
from usbprov.pki.limits import NO_LIMITS, ChainLimits

_DEEPEST = 10
"""Certificates in a chain at most."""

_MOST_CHECKS = 512
"""Signatures verified at most for one verdict: hostile certificates may all be of one name."""

Path = tuple[x509.Certificate, ...]


@dataclass(frozen=True)
class Verdict:
    """What a verifier makes of a server's chain.

    Attributes:
        path: The best chain there is, the server's certificate first; its last element is a root
            if the chain is complete.
        findings: What is wrong with it, from the server upwards.
        absent: Certificates of the path that would have to be put into the verifier's store,
            the root first.
    """

    path: Path
    findings: tuple[Finding, ...]
    absent: Path

    @property
    def trusted(self) -> bool:
        """Whether the verifier accepts the server."""
        return not any(finding.blocks for finding in self.findings)

    def of(self, *troubles: Trouble) -> list[Finding]:
        """Return the findings of some kinds."""
        return [finding for finding in self.findings if finding.trouble in troubles]


@dataclass(frozen=True)
class Verifier:
    """Somebody who validates chains.

    Attributes:
        store: The certificates that it has. A chain must end in a self-signed one of these; the
            others only help to get there, since old verifiers take no other end.
        now: Its clock (UTC), or None if it has none and so does not look at validity.
        limits: What it can compute.
    """

    store: frozenset[x509.Certificate]
    now: datetime | None
    limits: ChainLimits = NO_LIMITS

    def judge(
        self,
        presented: Path,
        host: str | None = None,
        known: Iterable[x509.Certificate] = (),
    ) -> Verdict:
        """Validate what a server presents.

        Args:
            presented: As on the wire, the server's own certificate first.
            host: The name or address by which the server is addressed, or None.
            known: Certificates that are at hand and may be added to the store. Among the chains
                that can be made with them, the one with the fewest faults is judged.
        """
        known = frozenset(known)
        pool = _Pool([*presented, *self.store, *known], self.store)
        verdicts = (self._verdict(path, presented, host) for path in pool.paths(presented[0]))
        return min(verdicts, key=lambda verdict: _rank(verdict, known))

    def _verdict(self, path: Path, presented: Path, host: str | None) -> Verdict:
        absent = tuple(
            certificate
            for certificate in path
            if certificate not in self.store
            and (is_root(certificate) or certificate not in presented)
        )
        findings = (
            *_name(path[0], host),
            *(found for depth in range(len(path)) for found in self._look(path, depth)),
            *(_absence(certificate) for certificate in absent),
            *self._dead_end(path),
            *_order(path, presented),
        )
        return Verdict(path, findings, absent[::-1])

    def _look(self, path: Path, depth: int) -> Iterator[Finding]:
        """Judge one certificate in its place: its validity, its algorithms, its fitness."""
        certificate = path[depth]
        if self.now is not None and certificate.not_valid_after_utc < self.now:
            yield _finding(Trouble.EXPIRED, certificate, f"it was valid until {_end(certificate)}")
        if self.now is not None and certificate.not_valid_before_utc > self.now:
            clock = f"{self.now:%Y-%m-%d %H:%M} UTC"
            words = f"it is valid from {_begin(certificate)} on, the clock says {clock}"
            yield _finding(Trouble.NOT_YET_VALID, certificate, words)
        anchor = certificate in self.store and is_root(certificate, self.store)
        beyond = too_new(certificate, self.limits, signed=not anchor)
        if beyond:
            yield _finding(Trouble.TOO_NEW, certificate, beyond)
        if depth == 0:
            unfit = unfit_server(certificate)
        else:  # an anchor is trusted as it is (RFC 5280 6.1.1 d)
            unfit = None if anchor else unfit_ca(certificate, depth - 1)
        if unfit:
            yield _finding(Trouble.UNFIT, certificate, unfit)

    def _dead_end(self, path: Path) -> Iterator[Finding]:
        top = path[-1]
        if not is_root(top, self.store):
            detail = f"it issued {shown_name(top.subject)}, and is neither sent nor in the store"
            yield Finding(Trouble.MISSING, shown_name(top.issuer), None, detail)


def leads_to(
    certificate: x509.Certificate,
    anchors: frozenset[x509.Certificate],
    others: Iterable[x509.Certificate],
    now: datetime,
) -> bool:
    """Say whether an anchor vouches for a certificate: is it, or certifies it through ``others``.

    Every CA on the way must be one, and valid now. A signature with SHA-1 vouches for nothing.
    """
    if certificate in anchors:
        return True
    pool = _Pool([*anchors, *others], anchors)
    return any(_vouched(path, anchors, now) for path in pool.paths(certificate))


def _vouched(path: Path, anchors: frozenset[x509.Certificate], now: datetime) -> bool:
    end = next((at for at, certificate in enumerate(path) if certificate in anchors), None)
    if end is None:
        return False
    way = path[: end + 1]
    if any(weakly_signed(certificate) for certificate in way[:-1]):
        return False
    valid = all(c.not_valid_before_utc <= now <= c.not_valid_after_utc for c in way)
    return valid and not any(unfit_ca(c, depth) for depth, c in enumerate(way[1:-1]))


class _Pool:
    """Certificates by subject, and a budget for the signatures that are verified."""

    def __init__(
        self, certificates: Iterable[x509.Certificate], anchors: frozenset[x509.Certificate]
    ) -> None:
        self._anchors = anchors
        self._by_subject: dict[x509.Name, dict[x509.Certificate, None]] = {}
        self._left = _MOST_CHECKS
        for certificate in certificates:
            self._by_subject.setdefault(certificate.subject, {})[certificate] = None

    def paths(self, leaf: x509.Certificate) -> Iterator[Path]:
        """Yield every chain from ``leaf`` upwards, to a root or a dead end."""
        open_ends: list[Path] = [(leaf,)]
        while open_ends:
            path = open_ends.pop()
            issuers = self._issuers(path)
            if not issuers:
                yield path
            open_ends.extend((*path, issuer) for issuer in issuers)

    def _issuers(self, path: Path) -> list[x509.Certificate]:
        top = path[-1]
        if len(path) == _DEEPEST or is_root(top, self._anchors):
            return []
        found = []
        for candidate in self._by_subject.get(top.issuer, ()):
            if candidate in path or self._left <= 0:
                continue
            self._left -= 1
            if is_issued_by(top, candidate):
                found.append(candidate)
        return found


def _rank(verdict: Verdict, known: frozenset[x509.Certificate]) -> tuple[int, int, int, int]:
    """Order verdicts: what no installation cures, then what must be installed, then length."""
    faults = sum(finding.blocks for finding in verdict.findings)
    curable = len(known.intersection(verdict.absent))  # each absent one is one of the faults
    return faults - curable, len(verdict.absent), len(verdict.findings), len(verdict.path)


def _finding(trouble: Trouble, certificate: x509.Certificate, detail: str) -> Finding:
    return Finding(trouble, shown_name(certificate.subject), thumbprint(certificate), detail)


def _name(server: x509.Certificate, host: str | None) -> Iterator[Finding]:
    if host is not None and not covers_host(server, host):
        yield _finding(Trouble.WRONG_NAME, server, f"it is not for {host}")


def _absence(certificate: x509.Certificate) -> Finding:
    if is_root(certificate):
        return _finding(Trouble.MISSING, certificate, "this root is not trusted")
    return _finding(Trouble.INCOMPLETE, certificate, "the server does not send it")


def _order(path: Path, presented: Path) -> Iterator[Finding]:
    sent = tuple(certificate for certificate in path if certificate in presented)
    for certificate, expected in zip(presented, sent, strict=False):
        if certificate != expected:
            detail = f"it comes where {shown_name(expected.subject)} should"
            yield _finding(Trouble.WRONG_ORDER, certificate, detail)
            return


def _begin(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"


def _end(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
