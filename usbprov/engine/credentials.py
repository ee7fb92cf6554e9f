"""Credentials out of an order: a secret is asked for when its credential is made."""

from collections.abc import Callable, Mapping

from usbprov.net.credentials import (
    Credential,
    PasswordCredential,
    PinCredential,
    Way,
    WindowsCredential,
)

WORDS: Mapping[Way, str] = {
    Way.PIN: "PIN",
    Way.NTLM: "NTLM",
    Way.KERBEROS: "Kerberos",
    Way.NEGOTIATE: "Kerberos or NTLM",
    Way.PASSWORD: "user name and password",
    Way.CERTIFICATE: "the phone's certificate",
}
"""The ways to prove a user, in words."""


def secret_credential(way: Way, name: str | None, secret: Callable[[], str]) -> Credential:
    """Make the credential of a way that goes with a secret, or with a Kerberos ticket.

    Args:
        way: Any but ``CERTIFICATE``.
        name: Extension or Windows account; None for the Kerberos ticket that is here already.
        secret: Gives the PIN or password.

    Raises:
        UsageError: There is no secret to be had.
    """
    if way is Way.PIN:
        return PinCredential(name or "", secret())
    if way is Way.PASSWORD:
        return PasswordCredential(name or "", secret())
    return WindowsCredential(way, name, secret() if name else None)
