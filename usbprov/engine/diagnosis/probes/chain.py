"""Which certificate is missing between a server and the roots that are known here?"""

from contextlib import suppress

from cryptography import x509

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes.contract import Scene, address_of
from usbprov.errors import UsbprovError
from usbprov.net.deadline import TimeLimits
from usbprov.net.tls import look_at_chain, tls_context, trusted_roots
from usbprov.pki.certificates import load_certificate
from usbprov.pki.findings import Finding, Trouble
from usbprov.pki.validation import Verdict, Verifier
from usbprov.webservices.trust.download import DownloadSource, anonymous_url, site_form
from usbprov.webservices.trust.sources import Source, readable

_LIMITS = TimeLimits(connect=1.5, answer=3.0)
_INTERMEDIATE, _ROOT = "intermediate-missing", "root-unknown"


class ChainProbe:
    """Looks at what the server presents to anybody, and at its anonymous chain download.

    Nothing of it is believed: it only names what is missing, for a person to compare.
    """

    name = "chain"
    seconds = 8.0
    codes = frozenset({"TLS-01"})

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        """Name the certificates that are missing, and how they can be recognised."""
        address = address_of(case, scene)
        presented = tuple(map(load_certificate, look_at_chain(*address))) if address else ()
        if not presented:
            return None
        anchors = frozenset(readable(trusted_roots(tls_context(scene.ca_file))))
        given = _downloaded(scene)
        return judged(Verifier(anchors, None).judge(presented, known=given), given)


def _downloaded(scene: Scene) -> frozenset[x509.Certificate]:
    """Return what the chain download gives; it is the phones' own way, and may be switched off."""
    if not scene.web_services_url:
        return frozenset()
    with suppress(UsbprovError, OSError, ValueError):
        return frozenset(_source(scene).fetch())
    return frozenset()


def _source(scene: Scene) -> Source:
    if scene.download is not None:
        return scene.download()
    form = site_form(scene.site.chain_form)
    return DownloadSource(anonymous_url(scene.web_services_url), form, _LIMITS)


def judged(verdict: Verdict, given: frozenset[x509.Certificate]) -> Evidence | None:
    """Say what is missing, the nearest to the server first."""
    missing = verdict.of(Trouble.INCOMPLETE, Trouble.MISSING)
    if not missing:
        return None
    said = "; ".join(_words(finding, given) for finding in missing)
    # A chain that ends at the server's own certificate lacks what is right above it.
    short = missing[0].trouble is Trouble.INCOMPLETE or len(verdict.path) == 1
    supports = frozenset({_INTERMEDIATE if short else _ROOT})
    excludes = frozenset({_ROOT if short else _INTERMEDIATE})
    if short and len(missing) > 1:  # the root above it is not known here either
        supports, excludes = supports | {_ROOT}, frozenset()
    return Evidence("chain", f"missing: {said}", supports, excludes)


def _words(finding: Finding, given: frozenset[x509.Certificate]) -> str:
    if finding.sha256 is None:
        return f"{finding.subject} (nobody gives it: its SHA-256 is not known)"
    where = "the chain download gives it" if given else "the server presents it"
    return f"{finding.subject}, SHA-256 {finding.sha256} ({where}; compare before trusting it)"
