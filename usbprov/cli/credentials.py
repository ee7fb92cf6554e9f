"""The options by which a command is told how to prove the user, and where the secret comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import click

from usbprov.cli.options import with_options
from usbprov.cli.secret import secret_source
from usbprov.engine.order import CredentialOrder
from usbprov.errors import UsageError
from usbprov.net.credentials import Way

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True)
class CredentialOptions:
    """What was given of them; the secret itself is not among it."""

    auth: str | None = None
    extension: str | None = None
    login: str | None = None
    pin_stdin: bool = False
    pin_fd: int | None = None
    password_stdin: bool = False
    password_fd: int | None = None


@dataclass(frozen=True)
class _Kind:
    """A kind of secret, and by which option its owner is named."""

    secret: str
    option: str


_PIN = _Kind("PIN", "--extension")
_PASSWORD = _Kind("password", "--login")

_NEEDED: Mapping[Way, _Kind | None] = {
    Way.PIN: _PIN,
    Way.NTLM: _PASSWORD,
    Way.PASSWORD: _PASSWORD,
    Way.KERBEROS: None,
    Way.NEGOTIATE: None,
    Way.CERTIFICATE: None,
}
"""What a way cannot do without."""

_TAKEN: Mapping[Way, frozenset[_Kind]] = {
    **{way: frozenset({kind} if kind else ()) for way, kind in _NEEDED.items()},
    Way.KERBEROS: frozenset({_PASSWORD}),
    Way.NEGOTIATE: frozenset({_PASSWORD}),
}
"""What it can do something with."""

_BY_OWNER: Mapping[_Kind | None, tuple[Way, ...]] = {
    _PIN: (Way.PIN,),
    _PASSWORD: (Way.NEGOTIATE, Way.NTLM, Way.PASSWORD),
    None: (Way.CERTIFICATE, Way.KERBEROS),
}
"""What is tried where ``--auth`` does not say: the first that the server offers, too."""

_BECAUSE: Mapping[_Kind | None, str] = {
    _PIN: "--extension is given",
    _PASSWORD: "--login is given",
    None: "neither --extension nor --login is given",
}


def credential_options(function: F) -> F:
    """Add the options; the command gets them as ``**given``, for ``CredentialOptions``."""
    return with_options(function, _OPTIONS)


_OPTIONS: tuple[Callable[[F], F], ...] = (
    click.option("--extension", help="The user's extension or phone number; goes with a PIN."),
    click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input."),
    click.option(
        "--pin-fd", type=click.IntRange(min=0), help="Read the PIN from a file descriptor."
    ),
    click.option(
        "--login",
        metavar="ACCOUNT",
        help="The user's Windows account: DOMAIN\\user or user@realm; goes with a password.",
    ),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--password-fd",
        type=click.IntRange(min=0),
        help="Read the password from a file descriptor.",
    ),
    click.option(
        "--auth",
        type=click.Choice([way.value for way in Way]),
        help="How the user is proved; by default what is given here and offered by the server.",
    ),
)


def credential_order(given: CredentialOptions) -> CredentialOrder:
    """Say by what the user is to be proved.

    Raises:
        UsageError: The options contradict each other, or lack something.
    """
    kind = _owner(given)
    _check_secrets(given, kind)
    name = given.extension or given.login
    if given.auth is None:
        return CredentialOrder(_BY_OWNER[kind], name, _BECAUSE[kind])
    way = Way(given.auth)
    needed = _NEEDED[way]
    if needed and kind is not needed:
        raise UsageError(f"--auth {way} needs {needed.option}")
    if kind and kind not in _TAKEN[way]:
        raise UsageError(f"--auth {way} and {kind.option} do not go together")
    return CredentialOrder((way,), name, f"--auth {way} is given")


def secret_of(given: CredentialOptions, user: str | None) -> Callable[[], str]:
    """Return what gives the PIN or password when it is needed; ``user`` is named in the prompt.

    Raises:
        UsageError: Two sources were named, or, when it is called, there is no secret to be had.
    """
    if _owner(given) is _PASSWORD:
        return secret_source(
            "password",
            stdin=given.password_stdin,
            descriptor=given.password_fd,
            who=given.login or "",
        )
    who = user or f"extension {given.extension}"
    return secret_source("PIN", stdin=given.pin_stdin, descriptor=given.pin_fd, who=who)


def _owner(given: CredentialOptions) -> _Kind | None:
    if given.extension and given.login:
        raise UsageError(
            "--extension and --login do not go together: one goes with a PIN, the "
            "other with a password"
        )
    if given.extension:
        return _PIN
    return _PASSWORD if given.login else None


def _check_secrets(given: CredentialOptions, kind: _Kind | None) -> None:
    """Refuse a source for a secret that nobody will ask for."""
    sources = {
        _PIN: given.pin_stdin or given.pin_fd is not None,
        _PASSWORD: given.password_stdin or given.password_fd is not None,
    }
    for which, is_given in sources.items():
        if is_given and kind is not which:
            raise UsageError(f"a {which.secret} needs {which.option} beside it")
