"""Whether the certificate in the inner handshake is the Registrar's.

What is asked of it is our choice, since no document says it and the known client asks nothing: it
must be the certificate by which the Registrar has proved its name in the outer TLS; or, for one
behind an Edge or a Director, lead to a root that is trusted here, and name the ``targetname``.
"""

from datetime import UTC, datetime

from usbprov.errors import ObjectUnreadable, RegistrarUnproved
from usbprov.pki.certificates import load_certificate, shown_name
from usbprov.pki.fitness import weakly_signed
from usbprov.pki.validation import Verifier
from usbprov.registrar.connection import Connection


def check_identity(presented: list[bytes], target: str, connection: Connection) -> None:
    """Judge what a Registrar presents in the inner handshake.

    Args:
        presented: Its certificates, DER, its own first.
        target: The name by which it goes, as the challenge said.
        connection: The connection over which the handshake went.

    Raises:
        RegistrarUnproved: It proves nothing.
    """
    if presented[0] == connection.certificate:
        return
    reason = _complaint(presented, target, connection.anchors)
    if reason:
        raise RegistrarUnproved(connection.server, reason, check="certificate")


def _complaint(presented: list[bytes], target: str, anchors: list[bytes]) -> str:
    try:
        chain = tuple(map(load_certificate, presented))
    except ObjectUnreadable as error:
        return str(error)
    store = frozenset(map(load_certificate, anchors))
    verdict = Verifier(store, datetime.now(UTC)).judge(chain, target)
    words = [f.detail for f in verdict.findings if f.blocks]
    if any(map(weakly_signed, verdict.path[:-1])):
        words.append("it is signed with SHA-1")
    if not words:
        return ""
    name = shown_name(chain[0].subject)
    return f"the certificate {name} in its handshake does not prove {target}: {', '.join(words)}"
