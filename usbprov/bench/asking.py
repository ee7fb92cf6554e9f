"""What the servers say of the roster's users before any phone is there; no secret is sent.

Only the Registrar can be asked about a user without a proof: by a REGISTER that proves nothing. A
Registrar that refuses a user who cannot exist (404) tells whom it knows; one that asks him for a
proof like everybody, as the lab's does and Lync is believed to, tells nothing. So a made-up user
is asked about first.

LyncDiscover's answer to ``?sipuri=`` is the same for everybody of a domain until a Web ticket is
shown, and the Web Services say something of a user only in answer to a credential. Whether a PIN
is set, right or locked, and whose an extension is, shows only by trying, and a wrong try counts.
"""

import secrets
from collections.abc import Iterator, Sequence

from usbprov.bench.roster import Roster, RosterEntry
from usbprov.checks import CheckResult, Verdict, failed, timed
from usbprov.engine.checks.bootstrap import (
    DISCOVERY,
    OFFER,
    REGISTRAR_NAME,
    REGISTRAR_TLS,
    WEB_NAME,
    WEB_TLS,
    Steps,
)
from usbprov.engine.checks.inquiry import FACTS, TEST_ENDPOINT, Inquiry
from usbprov.engine.checks.network import SignsIn
from usbprov.engine.checks.sequence import Told, not_done, run_steps
from usbprov.errors import SignInRefused, UsbprovError, UserNotAllowed, UserUnknown

SERVERS: Steps = (DISCOVERY, WEB_NAME, WEB_TLS, OFFER, REGISTRAR_NAME, REGISTRAR_TLS)
"""What is looked at before users are asked about."""

_ABOUT_ONE_USER = (SignInRefused, UserNotAllowed, UserUnknown)
"""Errors after which the Registrar can be asked about the next one."""

USERS, SECRETS = "users", "pins"


def ask_about(roster: Roster, inquiry: Inquiry, told: Told) -> tuple[CheckResult, ...]:
    """Look at the servers, then ask about each user that has a SIP address.

    Args:
        roster: Whom to ask about.
        inquiry: The way to the servers, and by what users are proved.
        told: Is called with each result as it comes.
    """
    inquiry.user = next((entry.sip_uri for entry in roster.entries if entry.sip_uri), None)
    results = list(run_steps(SERVERS, inquiry, FACTS, told))
    for result in (*_users(roster, inquiry), _not_asked()):
        told(result)
        results.append(result)
    return tuple(results)


def _users(roster: Roster, inquiry: Inquiry) -> Iterator[CheckResult]:
    named = [entry for entry in roster.entries if entry.sip_uri]
    if inquiry.registrar is None or inquiry.registrar_address is None:
        yield not_done(USERS, "there is no verified connection to the Registrar")
    elif named:
        registrar = inquiry.network.registrar(inquiry.registrar_address)
        yield from _known(named, registrar)
    nameless = len(roster.entries) - len(named)
    if nameless:
        words = f"{nameless} users have no SIP address, so nobody can be asked about them"
        yield CheckResult(USERS, Verdict.UNKNOWN, words)


def _known(named: Sequence[RosterEntry], registrar: SignsIn) -> Iterator[CheckResult]:
    """Ask about a made-up user, and about the others only if that tells something."""
    domain = (named[0].sip_uri or "").partition("@")[2]
    stranger = RosterEntry(0, "", f"sip:{_STRANGER}{secrets.token_hex(6)}@{domain}")
    error = _ask(stranger, registrar).error
    if error is None:
        yield _UNTOLD
    elif isinstance(error, _ABOUT_ONE_USER):
        yield from _asked(named, registrar)
    else:
        yield failed(USERS, error)


_STRANGER = "no-such-user-"

_UNTOLD = CheckResult(
    USERS,
    Verdict.UNKNOWN,
    "the Registrar asks everybody for a proof first, also a made-up user: whom it knows"
    " cannot be asked without one",
)


def _asked(named: Sequence[RosterEntry], registrar: SignsIn) -> Iterator[CheckResult]:
    refused = 0
    for number, entry in enumerate(named):
        result = _ask(entry, registrar)
        if result.error is None:
            continue
        yield result
        refused += 1
        if not isinstance(result.error, _ABOUT_ONE_USER):
            yield not_done(USERS, f"{len(named) - number - 1} users were not asked about")
            return
    if refused < len(named):
        words = f"the Registrar knows {len(named) - refused} of {len(named)} users"
        yield CheckResult(USERS, Verdict.GOOD, words)


def _ask(entry: RosterEntry, registrar: SignsIn) -> CheckResult:
    return timed(lambda: _answer(entry, registrar))


def _answer(entry: RosterEntry, registrar: SignsIn) -> CheckResult:
    name = f"line {entry.line}"
    try:
        registrar.challenge(entry.sip_uri or "", TEST_ENDPOINT)
    except UsbprovError as error:
        return failed(name, error)
    return CheckResult(name, Verdict.GOOD, str(entry))


def _not_asked() -> CheckResult:
    words = "whether PINs are set, right or locked, and whose an extension is, was not looked at"
    return CheckResult(
        SECRETS,
        Verdict.UNKNOWN,
        words,
        cause="Only a try shows that, and wrong tries lock a PIN.",
        remedy="Try one user with `usbprov check phone-bootstrap --extension EXTENSION`.",
    )
