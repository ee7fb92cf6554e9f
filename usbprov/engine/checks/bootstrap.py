"""The steps of ``check phone-bootstrap`` and ``check client-auth``, as tables.

They do what Test-CsPhoneBootstrap and Test-CsClientAuth do (``protocol.md`` 8), each part as a
step of its own, and look first at what these take for granted: names, TLS, the chain.
"""

from collections.abc import Sequence

from usbprov.engine.checks import enrolment, servers, signing_in
from usbprov.engine.checks.inquiry import Inquiry
from usbprov.engine.checks.sequence import CheckStep

Steps = Sequence[CheckStep[Inquiry]]

DISCOVERY = CheckStep("discovery", servers.discovery)
WEB_NAME = CheckStep("web-services-name", servers.name_of("web_address"), ("web_address",))
WEB_TLS = CheckStep(
    "web-services-tls", servers.tls_of("web_address", "web_server"), ("web_address",)
)
REGISTRAR_NAME = CheckStep(
    "registrar-name", servers.name_of("registrar_address"), ("registrar_address",)
)
REGISTRAR_TLS = CheckStep(
    "registrar-tls",
    servers.tls_of("registrar_address", "registrar"),
    ("registrar_address",),
)
CHAIN_DOWNLOAD = CheckStep("chain-download", servers.chain_download, ("url",))
OFFER = CheckStep("offer", enrolment.offer, ("web_server",))
TICKET = CheckStep("ticket", enrolment.ticket, ("web_server", "way"))
KEY = CheckStep("key", enrolment.key, ("ticket",))
PUBLISH = CheckStep("publish", enrolment.publish, ("ticket", "request"))
CHECK = CheckStep("check", enrolment.check, ("certificate",))
CHALLENGE = CheckStep("challenge", signing_in.challenge, ("registrar", "user"))
ACCOUNT = CheckStep("account-sign-in", signing_in.account_sign_in, ("registrar", "ticket"))
SIGN_IN = CheckStep("sign-in", signing_in.fresh_sign_in, ("registrar", "user", "identity"))
SIGN_OUT = CheckStep("sign-out", signing_in.sign_out, ("sign_in",))
CLEAN_UP = CheckStep("clean-up", enrolment.clean_up, ("certificate",))

_FOUND = (DISCOVERY, WEB_NAME, WEB_TLS, REGISTRAR_NAME, REGISTRAR_TLS)
_ENROLLED = (KEY, PUBLISH, CHECK)
_SIGNED_IN = (SIGN_IN, SIGN_OUT, CLEAN_UP)

PHONE_BOOTSTRAP: Steps = (
    *_FOUND, CHAIN_DOWNLOAD, OFFER, TICKET, *_ENROLLED, CHALLENGE, *_SIGNED_IN,
)  # fmt: skip
"""As a phone does it with extension and PIN."""

CLIENT_AUTH: Steps = (
    *_FOUND, OFFER, TICKET, CHALLENGE, ACCOUNT, *_ENROLLED, *_SIGNED_IN,
)  # fmt: skip
"""As a computer does it with a Windows account."""

REGISTRAR_STEPS = frozenset(
    step.name for step in (REGISTRAR_NAME, REGISTRAR_TLS, CHALLENGE, ACCOUNT, SIGN_IN, SIGN_OUT)
)
"""The names of the steps whose errors speak of the Registrar."""
