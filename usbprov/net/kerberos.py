"""Kerberos for Windows sign-in: a ticket that is there, or one for an account with its password.

Needs the extra ``kerberos``; imports its libraries when they are used.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from usbprov.errors import (
    CredentialRefused,
    NotOffered,
    ServerUnreachable,
    UsageError,
    UsbprovError,
)
from usbprov.net.quiet import silence_spnego

if TYPE_CHECKING:
    import krb5
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings
    from spnego.exceptions import SpnegoError

# ruff: noqa: PLC0415 - an extra, and a tenth of a second

_LIBRARIES = ("gssapi", "krb5")
_HOW_TO_GET_ONE = "run kinit, or give --login with a password"

_KDC_NOT_REACHED = frozenset(
    {
        -1765328230,  # KRB5_REALM_UNKNOWN
        -1765328228,  # KRB5_KDC_UNREACH
        -1765328164,  # KRB5_REALM_CANT_RESOLVE
    }
)
_SERVICE_UNKNOWN = -1765328377  # KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN
_TICKET_EXPIRED = -1765328352  # KRB5KRB_AP_ERR_TKT_EXPIRED
_WORD = 0xFFFFFFFF

_KDC = "the Kerberos KDC"


def installed() -> bool:
    """Say whether the extra's libraries are there."""
    return all(importlib.util.find_spec(name) for name in _LIBRARIES)


def has_ticket() -> bool:
    """Say whether whoever uses this computer has signed in to Kerberos."""
    if not installed():
        return False
    import krb5

    try:
        return krb5.cc_default(krb5.init_context()).principal is not None
    except krb5.Krb5Error:
        return False


@contextmanager
def credential_cache(login: str | None, password: str | None) -> Iterator[str]:
    """Give the name of a credential cache with a ticket-granting ticket in it.

    With a password it is a cache in memory, which is destroyed in the end; the KDC is asked once.

    Args:
        login: ``user@REALM``, or None with no password.
        password: Its password, or None for the ticket that is there.

    Raises:
        UsageError: The extra is not installed, there is no ticket, or the account has no realm.
        CredentialRefused: The KDC does not accept the password.
        ServerUnreachable: No KDC of the realm can be found or reached.
    """
    if not installed():
        raise UsageError("Kerberos needs the extra usbprov[kerberos], which is not installed")
    if password is None:
        yield _default_cache()
        return
    import krb5

    context = krb5.init_context()
    cache = krb5.cc_new_unique(context, b"MEMORY")
    try:
        _fill(context, cache, login or "", password)
        yield _name(cache)
    finally:
        krb5.cc_destroy(context, cache)


def _default_cache() -> str:
    import krb5

    try:
        cache = krb5.cc_default(krb5.init_context())
        if cache.principal is not None:
            return _name(cache)
        words = "it is empty"
    except krb5.Krb5Error as error:
        words = _reason(error)
    raise UsageError(f"there is no Kerberos ticket ({words}): {_HOW_TO_GET_ONE}")


def _name(cache: "krb5.CCache") -> str:
    kind, rest = cache.cache_type or b"FILE", cache.name or b""
    return f"{kind.decode()}:{rest.decode()}"


def _fill(context: "krb5.Context", cache: "krb5.CCache", login: str, password: str) -> None:
    """Get a ticket-granting ticket; realms are written in capitals, but seldom typed so."""
    user, at, realm = login.rpartition("@")
    if not (user and at and realm) or "\\" in user:
        raise UsageError(f"Kerberos needs the account as user@REALM, not {login!r}")
    for written in dict.fromkeys((realm, realm.upper())):
        error = _initial_ticket(context, cache, f"{user}@{written}", password)
        if not isinstance(error, ServerUnreachable):
            break
    if error is not None:
        raise error


def _initial_ticket(
    context: "krb5.Context", cache: "krb5.CCache", principal: str, password: str
) -> UsbprovError | None:
    import krb5

    kdc = f"{_KDC} of {principal.rpartition('@')[2]}"
    try:
        name = krb5.parse_name_flags(context, principal.encode())
        options = krb5.get_init_creds_opt_alloc(context)
        found = krb5.get_init_creds_password(context, name, options, password=password.encode())
        krb5.cc_initialize(context, cache, found.client)
        krb5.cc_store_cred(context, cache, found)
    except krb5.Krb5Error as error:
        unreached = error.err_code in _KDC_NOT_REACHED
        return (ServerUnreachable if unreached else CredentialRefused)(kdc, _reason(error))
    return None


def _reason(error: "krb5.Krb5Error") -> str:
    """Return an error's words without the number that the library puts after them."""
    return str(error).removesuffix(str(error.err_code)).strip()


def begin(
    cache: str, service: str, host: str, server: str, bindings: "GssChannelBindings | None"
) -> "tuple[ContextProxy, bytes]":
    """Begin a sign-in by SPNEGO with Kerberos alone in it.

    Args:
        cache: Name of the credential cache.
        service: Service class of the server's principal.
        host: Host of the server's principal.
        server: The server, for errors.
        bindings: What ties it to the TLS connection.

    Returns:
        The context and its first token.

    Raises:
        NotOffered: The KDC does not know the service.
        ServerUnreachable: No KDC can be reached.
        CredentialRefused: The KDC gives no ticket for the service.
    """
    import spnego
    from spnego.exceptions import NegotiateOptions, SpnegoError

    def client(protocol: str, options: NegotiateOptions) -> tuple["ContextProxy", bytes]:
        context = spnego.client(
            spnego.KerberosCCache(cache),
            hostname=host,
            service=service,
            channel_bindings=bindings,
            context_req=spnego.ContextReq.mutual_auth,
            protocol=protocol,
            options=options,
        )
        return context, context.step() or b""

    try:
        return client("negotiate", NegotiateOptions.use_negotiate)
    except SpnegoError:
        pass  # it tells that no mechanism is left, and not why: Kerberos alone does
    try:
        return client("kerberos", NegotiateOptions.none)
    except SpnegoError as error:
        failure = _failure(error, f"{service}/{host}", server)
    raise failure


def begin_signing(cache: str, service: str, host: str, server: str) -> "tuple[ContextProxy, bytes]":
    """Begin a sign-in by Kerberos without SPNEGO and without an answer, for signing messages.

    Args:
        cache: Name of the credential cache.
        service: Service class of the server's principal.
        host: Host of the server's principal.
        server: The server, for errors.

    Returns:
        The context, complete from this side, and its one token.

    Raises:
        NotOffered: The KDC does not know the service.
        ServerUnreachable: No KDC can be reached.
        CredentialRefused: The KDC gives no ticket for the service.
    """
    import spnego
    from spnego.exceptions import NegotiateOptions, SpnegoError

    silence_spnego()
    try:
        context = spnego.client(
            spnego.KerberosCCache(cache),
            hostname=host,
            service=service,
            context_req=spnego.ContextReq.integrity,
            protocol="kerberos",
            options=NegotiateOptions.none,
        )
        return context, context.step() or b""
    except SpnegoError as error:
        failure = _failure(error, f"{service}/{host}", server)
    raise failure


def _failure(error: "SpnegoError", principal: str, server: str) -> UsbprovError:
    """Return the error of the tree, by the mechanism's own code, which comes without its sign."""
    code, words = getattr(error.base_error, "min_code", 0) & _WORD, _words(error)
    failures: dict[int, UsbprovError] = {
        _SERVICE_UNKNOWN: NotOffered(server, f"Kerberos (the KDC does not know {principal})"),
        _TICKET_EXPIRED: UsageError(f"the Kerberos ticket has expired: {_HOW_TO_GET_ONE}"),
        **dict.fromkeys(_KDC_NOT_REACHED, ServerUnreachable(_KDC, words)),
    }
    by_word = {known & _WORD: failure for known, failure in failures.items()}
    return by_word.get(code, CredentialRefused(_KDC, words))


def _words(error: "SpnegoError") -> str:
    """Return the last part of a GSS error's text, which tells the mechanism's own reason."""
    text = str(error.base_error or error)
    return text.rpartition("Minor")[2].partition(":")[2].strip(" \t.") or text
