"""Whether the certificate service really is where somebody says it is."""

from collections.abc import Sequence
from pathlib import Path

from usbprov.errors import (
    ChainUntrusted,
    HandshakeFailed,
    NameMismatch,
    ServerCertificateExpired,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    TrustError,
    UsbprovError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.net.site import Site
from usbprov.webservices.client import WebServices
from usbprov.webservices.discovery.findings import Finding, FindingKind
from usbprov.webservices.discovery.records import resolves
from usbprov.webservices.discovery.report import Check
from usbprov.webservices.urls import host_of, server_of

_LIMITS = TimeLimits(connect=5.0, answer=15.0)

_KINDS: Sequence[tuple[type[UsbprovError], FindingKind]] = (
    (NameMismatch, FindingKind.WRONG_NAME),
    (ServerCertificateExpired, FindingKind.EXPIRED),
    (ChainUntrusted, FindingKind.UNTRUSTED),
    (HandshakeFailed, FindingKind.NO_TLS),
    (ServerUnreachable, FindingKind.UNREACHABLE),
    (ServerTimeout, FindingKind.UNREACHABLE),
    (ServiceError, FindingKind.NOT_THE_SERVICE),
    (UsbprovError, FindingKind.UNREACHABLE),
)
"""The first row that fits an error names the finding."""


def check(url: str, ca_file: Path | None, site: Site) -> Check:
    """Resolve the name, connect with verified TLS, and read the service's metadata.

    Raises:
        ConfigInvalid: The file of trust anchors cannot be used.
    """
    host = host_of(url)
    if not resolves(host):
        error = ServerUnreachable(server_of(url), "the name is not known")
        return Check(url, str(error), error, (Finding(FindingKind.NOT_RESOLVABLE, value=host),))
    try:
        with WebServices(url, ca_file=ca_file, timeout=_LIMITS, site=site) as services:
            methods = services.offer().methods
    except (ServiceError, TrustError) as error:
        return Check(url, str(error), error, (_finding(error, url),))
    offered = ", ".join(sorted(m.name.lower().replace("_", " ") for m in methods))
    return Check(url, f"it answers, and takes {offered or 'no credentials known here'}")


def _finding(error: UsbprovError, url: str) -> Finding:
    kind = next(kind for which, kind in _KINDS if isinstance(error, which))
    words = getattr(error, "reason", None) or getattr(error, "problem", None) or str(error)
    return Finding(kind, server_of(url), str(words))
