"""Steps that get a user certificate, as a phone does: offer, ticket, key, publication, check."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import padding, utils

from usbprov.checks import Verdict
from usbprov.engine.checks.inquiry import Inquiry
from usbprov.engine.checks.sequence import Seen
from usbprov.engine.checks.servers import digest_words
from usbprov.engine.credentials import WORDS, secret_credential
from usbprov.engine.diagnosis.examining import examine
from usbprov.engine.diagnosis.model import Context
from usbprov.engine.fitness import other_key, unfitness, weaknesses
from usbprov.engine.job import Services, known
from usbprov.engine.retry import Retrier, Retry, RetryPolicy
from usbprov.engine.times import local
from usbprov.errors import CertificateUnfit, NotOffered, UsageError
from usbprov.net.credentials import CertificateCredential, Way
from usbprov.pki.certificates import load_certificate, to_der
from usbprov.pki.keys import DEFAULT_RSA_BITS, generate_rsa, key_digest
from usbprov.pki.requests import build_request


def offer(of: Inquiry) -> Seen:
    """Read what the Web Services offer, and choose the way to prove the user.

    Raises:
        NotOffered: None of the ways that were asked for.
    """
    ways = known(of.proof).ways
    of.way = of.network.services(known(of.url)).choose(ways)
    return Seen(f"the metadata can be read, and offer sign-in by {WORDS[of.way]}")


RETRIES = RetryPolicy(attempts=3, seconds=6.0, first_wait=0.5)

_SHOWN = tuple(way for way in Way if way is not Way.NEGOTIATE)
"""Negotiate is no way of its own: it is Kerberos or NTLM at the same port."""

_SWITCHES = {Way.PIN: "UsePinAuth", Way.CERTIFICATE: "UseCertificateAuth"}
"""The ways that phones cannot do without, and the server's switches for them."""


def offers(of: Inquiry) -> Seen:
    """Read what the Web Services offer: all ways to prove a user.

    Raises:
        NotOffered: None that is known here.
    """
    services = of.network.services(known(of.url))
    services.choose(_SHOWN)
    offered = [way for way in _SHOWN if _is_offered(services, way)]
    words = ", ".join(WORDS[way] for way in offered)
    lacking = [switch for way, switch in _SWITCHES.items() if way not in offered]
    if not lacking:
        return Seen(words)
    return Seen(
        words,
        verdict=Verdict.NOTE,
        cause=f"{' and '.join(lacking)} is off; phones without a cable need it.",
        remedy="Have it switched on with Set-CsWebServiceConfiguration.",
    )


def _is_offered(services: Services, way: Way) -> bool:
    try:
        services.choose([way])
    except NotOffered:
        return False
    return True


def ticket(of: Inquiry) -> Seen:
    """Get a Web ticket; the secret is asked for now, and sent once.

    Raises:
        CredentialRefused: The credential is not accepted.
        WrongUser: It is another user's.
        UsageError: Nobody vouches for the server, so no secret is sent there.
    """
    url, proof = known(of.url), known(of.proof)
    if not of.vouched:
        problem = f"nobody vouches for {url}, so no secret is sent there"
        raise UsageError(f"{problem}: if it is right, give it with --web-services-url")
    of.account = secret_credential(known(of.way), proof.name, of.secret)
    of.ticket = of.network.services(url).ticket(of.account, of.endpoint, of.user)
    of.user = of.ticket.sip_uri
    whose = f"{proof.name} is " if proof.name else ""
    how = WORDS[known(of.way)]
    return Seen(f"{whose}{of.user} by {how}, until {local(of.ticket.expires)}")


def key(of: Inquiry) -> Seen:
    """Make a key in memory, and a request for it."""
    of.key = generate_rsa()
    of.request = build_request(of.key, known(of.user).removeprefix("sip:"))
    return Seen(f"RSA {DEFAULT_RSA_BITS}, in memory only, and a request of {len(of.request)} bytes")


def publish(of: Inquiry) -> Seen:
    """Have the request certified and published; what may pass is tried again.

    That tells sporadic trouble from lasting. It sends the ticket again, which is no credential.
    """
    services = of.network.services(known(of.url))
    ticket_got, request = known(of.ticket), known(of.request)
    again: list[Retry] = []
    der = Retrier(RETRIES, again.append)(lambda: services.publish(ticket_got, request, of.endpoint))
    of.certificate = load_certificate(der)
    words = f"issued and published for the test device {of.endpoint.instance}"
    return _passed(words, again) if again else Seen(words)


def _passed(words: str, again: Sequence[Retry]) -> Seen:
    """Say of trouble that came and went what it probably is."""
    error = again[-1].error
    first = examine(error, Context("publish")).first
    return Seen(
        f"{words}, at attempt {len(again) + 1}",
        (f"{error.code}: {error}",),
        Verdict.NOTE,
        first.says,
        first.remedy,
    )


def check(of: Inquiry) -> Seen:
    """Check the answer as a job does, and take it for the sign-in.

    Raises:
        CertificateUnfit: It is for another key or user, or not valid.
    """
    certificate, secret_key = known(of.certificate), known(of.key)
    digest = key_digest(secret_key.public_key())
    problem = other_key(certificate, digest) or unfitness(certificate, known(of.user))
    if problem:
        raise CertificateUnfit(problem.words, check=problem.check)

    def sign(block: bytes) -> bytes:
        return secret_key.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())

    of.identity = CertificateCredential(to_der(certificate), sign)
    words = f"for this key and user, valid until {local(certificate.not_valid_after_utc)}"
    return Seen("; ".join([words, *weaknesses(certificate)]))


def clean_up(of: Inquiry) -> Seen:
    """Say what is left behind: no public way is known to withdraw one certificate."""
    certificate = known(of.certificate)
    return Seen(
        "it stays published: no way to withdraw one certificate is known",
        (f"device {of.endpoint.instance}, {digest_words(certificate)}",),
        Verdict.NOTE,
        remedy="Nothing need be done: the next check replaces it, and no phone's certificate is "
        "touched. Revoke-CsClientCertificate would delete all certificates of the user.",
    )
