"""Look at the servers: are they reached, does the phone trust them, is its certificate known?"""

from dataclasses import dataclass

from usbprov.engine.checks.network import Network
from usbprov.engine.recovery.facts import Reach
from usbprov.engine.recovery.look_phone import InUse
from usbprov.engine.recovery.remembered import Wish
from usbprov.engine.recovery.sight import Inquest, Lines
from usbprov.errors import CertificateNotAccepted, UsbprovError
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.contract import Capability, PhoneInfo
from usbprov.phone.endpoint import endpoint_of
from usbprov.webservices.trust.servers import Server, registrar_address, web_services_address
from usbprov.webservices.trust.view import PhoneView


@dataclass(frozen=True)
class Servers:
    """What was seen of them.

    Attributes:
        reach: Whether the Web Services can be asked.
        lines: What was seen, for people.
        trouble: Why they cannot be asked, where they do not answer as they should.
        trusts: Whether the phone accepts them; None where that cannot be told.
        published: Whether the Registrar accepts the certificate in use, likewise.
    """

    reach: Reach
    lines: Lines
    trouble: UsbprovError | None = None
    trusts: bool | None = None
    published: bool | None = None


def look_at_servers(at: Inquest, info: PhoneInfo, wish: Wish, in_use: InUse) -> Servers:
    """Look at the Web Services over TLS, and sign in with the certificate in use, and out again.

    Args:
        at: What is looked at.
        info: What the phone says of itself.
        wish: Where the servers are, and whose phone it is to be.
        in_use: The phone's certificate.
    """
    if not wish.web_services_url:
        unnamed = "nobody says where the Web Services are"
        return Servers(Reach.UNNAMED, (("servers", unnamed),))
    if at.network is None:
        return Servers(Reach.OFFLINE, (("servers", "not asked"),))
    address = web_services_address(wish.web_services_url)
    try:
        server = at.network.look_at(address)
    except UsbprovError as error:
        return _unreached(error)
    if server.problem is not None:
        return _unreached(server.problem)
    trusts, words = _judged(at, info, server)
    published, told = _signed_in(at, info, wish, in_use, at.network)
    lines = (("servers", f"{address} answers{words}"), *((("sign-in", told),) if told else ()))
    return Servers(Reach.REACHED, lines, None, trusts, published)


def _unreached(error: UsbprovError) -> Servers:
    return Servers(Reach.UNREACHED, (("servers", str(error)),), error)


def _judged(at: Inquest, info: PhoneInfo, server: Server) -> tuple[bool | None, str]:
    """Judge a server with the phone's roots, as if its clock were right."""
    if Capability.TRUST_STORE not in info.capabilities:
        return None, ""
    verdict = PhoneView(at.phone, info).judge(server, (), clock_set=True)
    return verdict.trusted, f"; the phone {'trusts' if verdict.trusted else 'does not trust'} them"


def _signed_in(
    at: Inquest, info: PhoneInfo, wish: Wish, in_use: InUse, network: Network
) -> tuple[bool | None, str]:
    """Sign in, where the certificate can be used and nobody says that the phone is another's."""
    user, der = in_use.holder, in_use.der
    is_others = bool(user and wish.user and wish.user.lower() != user.lower())
    can_sign = Capability.SIGN in info.capabilities and in_use.usable is not None
    if not (user and der and wish.registrar and can_sign) or is_others:
        return None, ""
    credential = CertificateCredential(der, lambda block: at.phone.sign(at.slot, block))
    try:
        client = network.registrar(registrar_address(wish.registrar))
        done = client.sign_in(user, credential, endpoint_of(info.mac))
    except CertificateNotAccepted as error:
        return False, f"refused: {error}"
    except UsbprovError as error:
        return None, f"not possible: {error}"
    return True, f"accepted by {done.server}"
