"""The options that say how a bench reads its roster, and what comes of them."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.options import with_options

if TYPE_CHECKING:
    from usbprov.bench.portmap import PortMap
    from usbprov.bench.readiness import Choices
    from usbprov.bench.roster import Roster
    from usbprov.bench.secrets import Account, KeyedPins

F = TypeVar("F", bound=Callable[..., object])

DEFAULT_MAP = Path("bench.toml")

_FILE = click.Path(path_type=Path, dir_okay=False)

map_option = click.option(
    "--map",
    "map_file",
    type=_FILE,
    help="What the ports are called (TOML); by default bench.toml here, if there is one.",
)

_OPTIONS: tuple[Callable[[F], F], ...] = (
    click.option(
        "--assign",
        type=click.Choice(["serial", "port", "next", "scan"]),
        default="next",
        show_default=True,
        help="How a phone's user is found.",
    ),
    click.option(
        "--secrets",
        "secrets_file",
        type=_FILE,
        help="PINs by extension (TOML or CSV); yours alone, of mode 0600.",
    ),
    click.option("--key-in-pins", is_flag=True, help="PINs that no file has are keyed in."),
    click.option(
        "--login",
        metavar="ACCOUNT",
        help="One Windows account that proves all users, in place of PINs.",
    ),
    click.option("--password-stdin", is_flag=True, help="Read its password from standard input."),
    click.option(
        "--password-fd",
        type=click.IntRange(min=0),
        help="Read its password from a file descriptor.",
    ),
    map_option,
)


def roster_options(function: F) -> F:
    """Add the options; the command gets them by the names of ``RosterOptions``."""
    return with_options(function, _OPTIONS)


@dataclass(frozen=True)
class RosterOptions:
    """What was given of them."""

    assign: str = "next"
    secrets_file: Path | None = None
    key_in_pins: bool = False
    login: str | None = None
    password_stdin: bool = False
    password_fd: int | None = None
    map_file: Path | None = None

    @classmethod
    def taken_from(cls, given: Mapping[str, object]) -> "RosterOptions":
        """Take them out of all that a command was given."""
        return cls(**{f.name: given[f.name] for f in fields(cls)})  # type: ignore[arg-type]

    def choices(
        self, roster: "Roster", keyed: "KeyedPins | None" = None, *, now: bool = False
    ) -> "Choices":
        """Read the secrets file and the map.

        Args:
            roster: Whose own PINs are used where the secrets file has none.
            keyed: Where PINs are kept that are keyed in.
            now: Have the account's password keyed in now, where there is a terminal; else it is
                asked for when it is needed.

        Raises:
            UsageError: The options contradict each other.
            RosterError: The secrets file cannot be used.
            PortMapInvalid: Neither can the map.
        """
        from usbprov.bench.assignment import AssignBy
        from usbprov.bench.readiness import Choices
        from usbprov.bench.secrets import Secrets, read_secrets

        account = self._account(now=now)
        file = [read_secrets(self.secrets_file)] if self.secrets_file else []
        secrets = Secrets((*file, roster, *([keyed] if keyed else [])), account)
        return Choices(AssignBy(self.assign), secrets, self.key_in_pins, self.port_map())

    def _account(self, *, now: bool) -> "Account | None":
        from usbprov.bench.secrets import Account, asked_once
        from usbprov.cli.credentials import CredentialOptions, credential_order, secret_of
        from usbprov.errors import UsageError

        given = CredentialOptions(
            login=self.login, password_stdin=self.password_stdin, password_fd=self.password_fd
        )
        if self.login is None:
            if self.password_stdin or self.password_fd is not None:
                raise UsageError("a password needs --login beside it")
            return None
        if self.secrets_file or self.key_in_pins:
            raise UsageError("--login takes the place of PINs: leave --secrets and --key-in-pins")
        account = Account(credential_order(given), asked_once(secret_of(given, None)))
        is_asked = not self.password_stdin and self.password_fd is None
        return _asked_now(account) if is_asked and now and _has_terminal() else account

    def port_map(self) -> "PortMap | None":
        """Read the map that was named, or the one that is here; None: there is none."""
        return read_port_map(self.map_file)


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _asked_now(account: "Account") -> "Account":
    """Have the password keyed in before a board takes the terminal.

    With nothing keyed in the account goes without: a Kerberos ticket may do.
    """
    from usbprov.errors import UsageError

    try:
        account.password()
    except UsageError as none:
        missing = none

        def refuse() -> str:
            raise missing

        return replace(account, password=refuse)
    return account


def read_port_map(given: Path | None) -> "PortMap | None":
    """Read the map that was named, or the one that is here, with today's numbers of the buses.

    Raises:
        PortMapInvalid: It cannot be used.
    """
    if given is None and not DEFAULT_MAP.is_file():
        return None
    from usbprov.bench.mapfile import read_map

    return read_map(given or DEFAULT_MAP).now(buses_now())


def buses_now() -> Mapping[int, str]:
    """Return what the kernel's buses are; empty where it cannot be known."""
    from usbprov.bench.portmap import bus_identities
    from usbprov.usb.sysfs import has_usb, read_tree

    return bus_identities(read_tree()) if has_usb() else {}
