"""What it means when the handshake within ``gssapi-data`` fails: alerts, as errors of the tree."""

from usbprov.errors import (
    CertificateNotAccepted,
    HandshakeNotAgreed,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarUnproved,
)
from usbprov.registrar.tlslite_names import AlertDescription, TLSLocalAlert, TLSRemoteAlert

_NOT_AGREED = frozenset(
    {
        AlertDescription.handshake_failure,
        AlertDescription.protocol_version,
        AlertDescription.insufficient_security,
    }
)

NOT_ACCEPTED = frozenset(
    {
        AlertDescription.bad_certificate,
        AlertDescription.unsupported_certificate,
        AlertDescription.certificate_revoked,
        AlertDescription.certificate_expired,
        AlertDescription.certificate_unknown,
        AlertDescription.unknown_ca,
        AlertDescription.access_denied,
        AlertDescription.decrypt_error,
    }
)
"""Alerts by which a server refuses the client's certificate or its signature (RFC 5246 7.2.2)."""

_WRONG_PROOF = frozenset({AlertDescription.decrypt_error, AlertDescription.bad_record_mac})
"""Our own alerts when the server's Finished, or its signature, is not what it must be."""


def failure(error: Exception, server: str, *, committed: bool) -> RegistrarError:
    """Return the error of the tree for what the TLS library raised.

    Args:
        error: What it raised; its words are not repeated, since they may be the server's.
        server: Whom the handshake is with.
        committed: Whether the client's certificate and its signature have been made.
    """
    if isinstance(error, TLSRemoteAlert):
        return _refused(error.description, server, committed)
    if isinstance(error, TLSLocalAlert):
        return _wrong(error.description, server, committed)
    problem = f"its handshake cannot be read ({type(error).__name__})"
    return RegistrarAnswerInvalid(server, problem)


def _refused(alert: int, server: str, committed: bool) -> RegistrarError:
    words = f"it ends the handshake: {_name(alert)}"
    if alert in NOT_ACCEPTED and committed:
        return CertificateNotAccepted(server, words)
    return HandshakeNotAgreed(server, words)


def _wrong(alert: int, server: str, committed: bool) -> RegistrarError:
    if alert in _NOT_AGREED:
        return HandshakeNotAgreed(server, f"its choice is refused: {_name(alert)}")
    if alert not in _WRONG_PROOF:
        problem = f"its handshake breaks the rules of TLS: {_name(alert)}"
        return RegistrarAnswerInvalid(server, problem)
    if committed:
        reason = "its Finished does not fit the handshake"
        return RegistrarUnproved(server, reason, check="finished")
    reason = "its signature in the handshake is not that of its certificate"
    return RegistrarUnproved(server, reason, check="certificate")


def _name(alert: int) -> str:
    return str(AlertDescription.toRepr(alert) or f"alert {alert}").replace("_", " ")
