"""Integrated Windows authentication over HTTP: NTLMv2 and Kerberos (RFC 4559, [MS-NTHT]).

A request goes out bare, and the 401 tells the schemes; then follow the legs of one sign-in, all
over one connection, each with the whole request. Credentials go out once: after the last leg a
401 is final, and is the answer.
"""

import logging
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import NegotiateOptions

from usbprov.errors import AnswerInvalid, NotOffered, ServerUnreachable, UsageError
from usbprov.net import kerberos
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.net.quiet import silence_spnego
from usbprov.webservices.session import Answer
from usbprov.webservices.soap import Post
from usbprov.webservices.urls import host_of, server_of

logger = logging.getLogger(__name__)

SERVICE = "HTTP"
"""The service class of the server's principal: ``HTTP/host`` (RFC 4559 4.1)."""

_UNAUTHORIZED = 401
_OK = 200
_MOST_LEGS = 4
"""NTLM has two; SPNEGO may need one more than the mechanism within."""

_QUOTED = re.compile(r'"[^"]*"')
_CHALLENGE = re.compile(
    r"(?:^|,)\s*(Negotiate|NTLM)(?:\s+([A-Za-z0-9+/=]+))?\s*(?=,|$)", re.IGNORECASE
)

_NTLM_AUTHENTICATE = b"NTLMSSP\0\x03\0\0\0"
_NT_RESPONSE_LENGTH = slice(20, 22)
_NTLM_V1_RESPONSE = 24
"""Bytes of an NTLMv1 response; one of version 2 is longer ([MS-NLMP] 2.2.2.6, 2.2.2.8)."""


class Context(Protocol):
    """One side of a sign-in, as ``spnego`` has it."""

    @property
    def complete(self) -> bool:
        """Whether all is said from this side."""
        ...

    def step(self, in_token: bytes | None = None) -> bytes | None:
        """Take the other side's token, if there is one; return the next to be sent, if any."""
        ...


@dataclass(frozen=True)
class _SignIn:
    """A sign-in that has begun: the HTTP scheme, its context, and the first token."""

    scheme: str
    context: Context
    first: bytes


@dataclass(frozen=True)
class _Case:
    """What a sign-in begins with."""

    credential: WindowsCredential
    host: str
    server: str
    schemes: frozenset[str]
    bindings: GssChannelBindings | None
    stack: ExitStack


def signing_in(post: Post, credential: WindowsCredential) -> Post:
    """Return what sends a request as ``post`` does, and signs in to have it answered.

    Raises (when it is called):
        NotOffered: The port does not take the way that the credential is for.
        UsageError: This computer lacks what the way needs: a Kerberos ticket, a password.
        CredentialRefused: A Kerberos KDC does not accept the password.
        ServerUnreachable: The KDC, or the connection broke before the last leg was answered.
        AnswerInvalid: The port asks for no sign-in, or its tokens make no sense.
    """

    def send(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        asked = post(url, body, headers)
        if asked.status != _UNAUTHORIZED:
            return _unasked(asked)
        with ExitStack() as stack:
            sign_in = _begin(credential, asked, stack)
            return _take_legs(sign_in, post, url, body, headers)

    return send


def _unasked(answer: Answer) -> Answer:
    """Return a complaint as it is; but a ticket that nobody was asked for is not to be trusted."""
    if answer.status == _OK:
        raise AnswerInvalid(answer.server, "its port for Windows users asks nobody to sign in")
    return answer


def _take_legs(
    sign_in: _SignIn, post: Post, url: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    token: bytes | None = sign_in.first
    before: Answer | None = None
    for _ in range(_MOST_LEGS):
        authorization = f"{sign_in.scheme} {b64encode(token or b'').decode('ascii')}"
        answer = post(url, body, {**headers, "Authorization": authorization})
        challenge = challenges(answer).get(sign_in.scheme.lower())
        if answer.status != _UNAUTHORIZED:
            return _finished(sign_in, answer, challenge)
        if sign_in.context.complete or not challenge:
            return _refused(answer, before)
        token, before = _next(sign_in, answer, challenge), answer
    raise AnswerInvalid(server_of(url), "its sign-in has no end")


def _next(sign_in: _SignIn, answer: Answer, challenge: bytes) -> bytes | None:
    if "close" in answer.headers.get("Connection", "").lower():
        problem = "it ends the connection in the middle of the sign-in, as a balancer does"
        raise AnswerInvalid(answer.server, problem)
    token = _step(sign_in, answer, challenge)
    if token and token.startswith(_NTLM_AUTHENTICATE):
        _refuse_ntlm_v1(token)
    return token


def _step(sign_in: _SignIn, answer: Answer, challenge: bytes) -> bytes | None:
    try:
        return sign_in.context.step(challenge)
    except Exception as error:  # the library raises what its parsing happens to raise
        kind = type(error).__name__
    raise AnswerInvalid(answer.server, f"its {sign_in.scheme} token cannot be used ({kind})")


def _refuse_ntlm_v1(token: bytes) -> None:
    """The environment can bring the library to speak NTLMv1, which gives the password away."""
    if int.from_bytes(token[_NT_RESPONSE_LENGTH], "little") <= _NTLM_V1_RESPONSE:
        raise UsageError("LM_COMPAT_LEVEL asks for NTLMv1, which is not sent: unset it")


def _finished(sign_in: _SignIn, answer: Answer, proof: bytes | None) -> Answer:
    """Check the server's own proof, where it gives one; its certificate was proof enough."""
    if proof and not sign_in.context.complete:
        _step(sign_in, answer, proof)
    return answer


def _refused(answer: Answer, before: Answer | None) -> Answer:
    """Return the refusal; but one over another connection says nothing of the credentials."""
    if before is not None and before.connection != answer.connection:
        problem = "the connection broke in the middle of the sign-in"
        raise ServerUnreachable(answer.server, problem)
    return answer


def challenges(answer: Answer) -> dict[str, bytes | None]:
    """Read ``WWW-Authenticate``: by scheme, in small letters, the token that comes with it."""
    header = _QUOTED.sub("", answer.headers.get("WWW-Authenticate", ""))
    return {scheme.lower(): _decoded(text) for scheme, text in _CHALLENGE.findall(header)}


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True) or None
    except (Base64Error, ValueError):
        return None


# --- beginnings


def _begin(credential: WindowsCredential, asked: Answer, stack: ExitStack) -> _SignIn:
    case = _Case(
        credential=credential,
        host=host_of(asked.url),
        server=asked.server,
        schemes=frozenset(challenges(asked)),
        bindings=channel_bindings(asked.certificate),
        stack=stack,
    )
    silence_spnego()
    return _BEGINNINGS[credential.way](case)


def _ntlm(case: _Case) -> _SignIn:
    """Raw NTLM messages: Windows takes them under ``Negotiate``, too ([MS-N2HT] 3.2.5)."""
    scheme = "NTLM" if "ntlm" in case.schemes else "Negotiate"
    _need_scheme(case, scheme, "NTLM")
    login, password = case.credential.login, case.credential.password
    if not login or password is None:
        raise UsageError("NTLM needs an account and its password")
    try:
        context = spnego.client(
            spnego.Password(login, password),  # not plain texts: a hash would be taken for one
            hostname=case.host,
            service=SERVICE,
            channel_bindings=case.bindings,
            context_req=spnego.ContextReq.none,
            protocol="ntlm",
            options=NegotiateOptions.use_ntlm,
        )
        return _SignIn(scheme, context, context.step() or b"")
    except (spnego.exceptions.SpnegoError, ValueError) as error:
        kind = type(error).__name__
    raise UsageError(f"NTLM cannot be used with this account ({kind})")


def _kerberos(case: _Case) -> _SignIn:
    _need_scheme(case, "Negotiate", "Kerberos")
    login, password = case.credential.login, case.credential.password
    cache = case.stack.enter_context(kerberos.credential_cache(login, password))
    context, first = kerberos.begin(cache, SERVICE, case.host, case.server, case.bindings)
    return _SignIn("Negotiate", context, first)


def _negotiate(case: _Case) -> _SignIn:
    """Kerberos if it is to be had; but a password that a KDC refused is not tried by NTLM, too."""
    try:
        return _kerberos(case)
    except (NotOffered, ServerUnreachable, UsageError) as error:
        if case.credential.password is None:
            raise
        logger.debug("no Kerberos, so NTLM: %s", error)
    return _ntlm(case)


_BEGINNINGS: Mapping[Way, Callable[[_Case], _SignIn]] = {
    Way.NTLM: _ntlm,
    Way.KERBEROS: _kerberos,
    Way.NEGOTIATE: _negotiate,
}


def _need_scheme(case: _Case, scheme: str, what: str) -> None:
    if scheme.lower() not in case.schemes:
        offered = ", ".join(sorted(case.schemes)) or "nothing that is known here"
        raise NotOffered(case.server, f"{what} (it offers {offered})")


def channel_bindings(certificate: bytes) -> GssChannelBindings | None:
    """Bind the sign-in to this TLS connection by ``tls-server-end-point`` (RFC 5929 4.1).

    Args:
        certificate: What the server has shown, DER, or nothing.
    """
    if not certificate:
        return None
    parsed = x509.load_der_x509_certificate(certificate)
    try:
        signed_with = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if signed_with is None:
        return None  # RFC 5929 leaves undefined what to do for algorithms without a hash
    weak = isinstance(signed_with, hashes.MD5 | hashes.SHA1)
    digest = parsed.fingerprint(hashes.SHA256() if weak else signed_with)
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
