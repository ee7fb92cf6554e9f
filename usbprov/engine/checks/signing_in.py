"""Steps at the Registrar: what it asks for, the sign-in, the sign-out."""

from usbprov.checks import Verdict
from usbprov.engine.checks.inquiry import Inquiry
from usbprov.engine.checks.network import SignsIn
from usbprov.engine.checks.sequence import Seen, StepFailed
from usbprov.engine.job import known
from usbprov.errors import CertificateNotAccepted, SchemeNotOffered, UsageError
from usbprov.net.credentials import WindowsCredential
from usbprov.registrar.client import SignIn
from usbprov.webservices.trust.servers import web_services_address

TLS_DSK = "TLS-DSK"
"""The scheme of a sign-in by certificate ([MS-SIPAE])."""


_SWITCHES = (
    "Look at Get-CsProxyConfiguration: accounts need UseNtlmForClientToProxyAuth or "
    "UseKerberosForClientToProxyAuth. Phones need neither."
)


def challenge(of: Inquiry) -> Seen:
    """Ask the Registrar what it wants; nothing secret is sent.

    Raises:
        SchemeNotOffered: It does not take certificates.
    """
    answer = _registrar(of).challenge(known(of.user), of.endpoint)
    offered = ", ".join(answer.schemes) or "nothing"
    if TLS_DSK not in answer.schemes:
        raise SchemeNotOffered(str(known(of.registrar_address)), TLS_DSK, offered)
    words = f"{answer.target} offers {offered}"
    told = (f"certificates are from {answer.certificate_service}",)
    if not answer.certificate_service:
        return Seen(words)
    return Seen(words, told) if _same(of, answer.certificate_service) else _elsewhere(words, told)


def _same(of: Inquiry, service: str) -> bool:
    """Say whether the Registrar names the Web Services that are looked at."""
    if of.web_address is None:
        return True
    try:
        return of.web_address.host == web_services_address(service).host
    except UsageError:  # it names what is no address of such a service
        return False


def _elsewhere(words: str, told: tuple[str, ...]) -> Seen:
    return Seen(
        f"{words}, and names other Web Services than these",
        told,
        Verdict.NOTE,
        "The Registrar is of another pool than the Web Services, or they have several names.",
        "Check that both are those of the user's home pool.",
    )


def sign_in(of: Inquiry) -> Seen:
    """Sign in with the certificate and its key."""
    done = _registrar(of).sign_in(known(of.user), known(of.identity), of.endpoint)
    of.sign_in = done
    return _signed_in(known(of.user), done)


_NOT_FOUND = (
    "The Registrar does not find a certificate that was published a moment ago: it has not reached "
    "this server yet, Web Services and Registrar are of different pools, or a second check of this "
    "user ran at the same time and replaced it."
)
_LOOK_THERE = (
    "Repeat after a minute. If it stays, read certprov.log on every server of the pool, and "
    "compare the pool of both servers with the user's (Get-CsUser, RegistrarPool)."
)


def fresh_sign_in(of: Inquiry) -> Seen:
    """Sign in with a certificate that was published a moment ago.

    Raises:
        StepFailed: The Registrar does not find it.
    """
    try:
        return sign_in(of)
    except CertificateNotAccepted as error:
        raise StepFailed(error, cause=_NOT_FOUND, remedy=_LOOK_THERE) from None


def account_sign_in(of: Inquiry) -> Seen:
    """Sign in with the Windows account that has earned the ticket.

    An account that the Web Services refused is not tried here: it may lock.

    Raises:
        StepFailed: The Registrar takes no Windows accounts.
    """
    account = known(of.account)
    if not isinstance(account, WindowsCredential):
        raise TypeError(type(account).__name__)
    try:
        done = _registrar(of).sign_in(known(of.user), account, of.endpoint)
    except SchemeNotOffered as error:
        raise StepFailed(error, remedy=_SWITCHES) from None
    return _signed_in(known(of.user), done)


def _signed_in(user: str, done: SignIn) -> Seen:
    inner = ", ".join(filter(None, (done.protocol, done.cipher)))
    told = [f"sent on by {server}" for server in done.redirects]
    told += [f"within it {inner}"] if inner else []
    words = f"{user} at {done.server} by {done.scheme}; the server has proved itself, too"
    return Seen(words, tuple(told))


def sign_out(of: Inquiry) -> Seen:
    """Say whether the Registrar took the sign-out."""
    done = known(of.sign_in)
    if done.signed_out:
        return Seen("the Registrar has confirmed it")
    return Seen(
        f"the Registrar did not confirm it; it forgets the device within {done.expires} s",
        verdict=Verdict.NOTE,
        cause="It answered late or not at all.",
        remedy="Nothing need be done.",
    )


def _registrar(of: Inquiry) -> SignsIn:
    return of.network.registrar(known(of.registrar_address))
