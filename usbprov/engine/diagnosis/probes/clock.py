"""Do the clocks agree: what time does the server have?"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes.contract import Scene
from usbprov.net.deadline import TimeLimits
from usbprov.net.tls import tls_context
from usbprov.webservices.session import HttpSession
from usbprov.webservices.urls import host_of

_LIMITS = TimeLimits(connect=1.5, answer=3.0)
_TOLERANCE = timedelta(seconds=60)
"""``Date`` has whole seconds, and an answer takes a while."""

_CLOCKS = frozenset({"server-clock-wrong", "own-clock-wrong"})


class ClockProbe:
    """Reads the header ``Date`` of a public document over verified TLS (RFC 9110 6.6.1)."""

    name = "clock"
    seconds = 8.0
    codes = frozenset({"CHK-01", "WEB-05"})

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        """Compare the server's time with this computer's."""
        if not scene.web_services_url or (case.code == "WEB-05" and not _is_of_a_ticket(case)):
            return None
        tls = tls_context(scene.ca_file, scene.site.least_tls(host_of(scene.web_services_url)))
        with HttpSession(tls, _LIMITS) as session:
            answer = session.get(f"{scene.web_services_url}/mex")
        server = parsedate_to_datetime(answer.headers["Date"])
        return judged(server - datetime.now(UTC))


def _is_of_a_ticket(case: Case) -> bool:
    return case.facts.get("error_id") == 28020


def judged(ahead: timedelta) -> Evidence:
    """Say what the server's lead over this computer's clock speaks for."""
    if abs(ahead) <= _TOLERANCE:
        return Evidence(
            "clock", "this server and this computer have the same time", excludes=_CLOCKS
        )
    seconds = abs(ahead).total_seconds()
    which = "ahead of" if ahead > timedelta(0) else "behind"
    seen = f"the server's clock is {seconds:.0f} s {which} this computer's"
    return Evidence("clock", seen, _CLOCKS | {"server-clocks-differ"})
