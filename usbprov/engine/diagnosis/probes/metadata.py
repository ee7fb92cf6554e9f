"""Who answers: are there metadata of a certificate service at the address, for anybody?"""

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes.contract import Scene
from usbprov.errors import ServiceError, TrustError
from usbprov.net.deadline import TimeLimits
from usbprov.webservices.client import WebServices

_LIMITS = TimeLimits(connect=1.5, answer=3.0)
_NOT_THERE = frozenset({"other-answers", "url-of-other-service"})


class MetadataProbe:
    """Reads the service's metadata, which are public, over verified TLS."""

    name = "metadata"
    seconds = 8.0
    codes = frozenset({"WEB-03", "WEB-05", "WEB-07"})

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        """Read the metadata, and say whether it is the certificate service that gives them."""
        if not scene.web_services_url:
            return None
        try:
            with WebServices(
                scene.web_services_url, ca_file=scene.ca_file, site=scene.site, timeout=_LIMITS
            ) as services:
                services.offer()
        except (ServiceError, TrustError) as error:
            supports = _NOT_THERE if case.code == "WEB-07" else frozenset[str]()
            return Evidence(self.name, f"the metadata cannot be read either: {error}", supports)
        return Evidence(
            self.name, "the certificate service gives its metadata", excludes=_NOT_THERE
        )
