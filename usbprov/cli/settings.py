"""Settings: the options common to all commands, from the command line, environment and file."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from usbprov.ledger.address import LedgerPlace
    from usbprov.ledger.ledger import Ledger
    from usbprov.net.site import Site
    from usbprov.phone.candidates import Candidate, Reach
    from usbprov.phone.holding import HeldPhone
    from usbprov.usb.devices import Bus

ENVIRONMENT_PREFIX = "USBPROV"
_SITE = "usbprov.site"


class Invocation:
    """What must be known of a command line when it fails: whether JSON was asked for."""

    KEY = "usbprov.invocation"

    def __init__(self) -> None:
        self.as_json = False


class Settings(NamedTuple):
    """The options that stand before the command.

    Attributes:
        bus_uris: Where phones are looked for; none means the kernel's bus.
        ledger_file: Where the ledger is, or None for the default file.
        verbosity: 0 quiet, 1 normal, 2 verbose, 3 debug.
        link: The kind of cable to speak over, or None for the best there is.
        lock_dir: Where the locks of phones are, or None for the system's place.
    """

    bus_uris: tuple[str, ...]
    ledger_file: "LedgerPlace | None"
    verbosity: int
    link: str | None = None
    lock_dir: Path | None = None

    def find(self, selector: str | None) -> "Candidate":
        """Search the buses for the one phone that is meant."""
        from usbprov.phone.selection import select

        buses = self.buses()
        return select(self.candidates(buses), selector, buses)

    @contextlib.contextmanager
    def held(self, selector: str | None) -> "Iterator[HeldPhone]":
        """Find the one phone that is meant, and hold it open within the block."""
        from usbprov.phone.holding import hold

        with hold(self.find(selector)) as phone:
            yield phone

    def candidates(self, buses: "Sequence[Bus]") -> "list[Candidate]":
        """Search buses, and join every device with its driver and the way to reach it."""
        from usbprov.phone.candidates import candidates

        return candidates(buses, self.reach())

    def reach(self) -> "Reach":
        """Return how phones are to be reached."""
        from usbprov.phone.candidates import Reach
        from usbprov.usb.devices import LinkKind
        from usbprov.usb.locks import PhoneLocks

        return Reach(LinkKind(self.link) if self.link else None, PhoneLocks(self.lock_dir))

    def buses(self) -> "list[Bus]":
        """Open the buses that are to be searched."""
        from usbprov.usb.buses import DEFAULT_BUS, open_bus

        return [open_bus(uri) for uri in self.bus_uris or (DEFAULT_BUS,)]

    def ledger(self) -> "Ledger":
        """Open the ledger."""
        from usbprov.ledger.ledger import Ledger

        return Ledger(self.ledger_file or default_ledger())


def ledger_place(text: str) -> "LedgerPlace":
    """Read the value of ``--ledger``: a file, or the URL of a PostgreSQL database.

    Raises:
        LedgerAddressInvalid: It is a URL that cannot be used, or that holds a password.
    """
    from usbprov.ledger.address import parse_place

    return parse_place(text)


def default_ledger() -> Path:
    """Return the ledger's file where none is named: in the user's state folder (XDG)."""
    import platformdirs

    return platformdirs.user_state_path("usbprov") / "ledger.sqlite3"


def default_lab() -> Path:
    """Return the lab's folder where none is named: in the user's state folder (XDG)."""
    import platformdirs

    return platformdirs.user_state_path("usbprov") / "lab"


def current() -> Settings:
    """Return the settings of the command that runs."""
    settings = click.get_current_context().find_object(Settings)
    return settings or Settings(bus_uris=(), ledger_file=None, verbosity=1)


def site(allow_old_tls: Sequence[str]) -> "Site":
    """Return what is settled about the servers, in the settings file and by ``--allow-old-tls``."""
    from usbprov.net.site import Site

    settled: Site = click.get_current_context().meta.get(_SITE) or Site()
    return settled.allowing_old_tls(allow_old_tls)


def load_config(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Click callback: make the settings file's values the defaults of all options.

    Raises:
        ConfigInvalid: The file cannot be read, is not TOML, or has an unknown key at its top.
    """
    source = path or _default_config()
    if path is None and not _is_there(source):
        return None
    import tomllib

    from usbprov.errors import ConfigInvalid
    from usbprov.net.site import read_site

    try:
        values = tomllib.loads(source.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(str(error), str(source)) from None
    _check_top(ctx, values, source)
    ctx.default_map = values
    ctx.meta["usbprov.config"] = source
    ctx.meta[_SITE] = read_site(values, source)
    return source


def _is_there(path: Path) -> bool:
    """Say whether there is such a file; one in another user's home (`sudo -u`) is none."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def _default_config() -> Path:
    import platformdirs

    return platformdirs.user_config_path("usbprov") / "config.toml"


def _check_top(ctx: click.Context, values: dict[str, Any], source: Path) -> None:
    from usbprov.cli.lazy import name_settings
    from usbprov.net.site import TABLES

    group = ctx.command
    commands: Sequence[str] = group.list_commands(ctx) if isinstance(group, click.Group) else ()
    options = name_settings(values, group) - {"config", "version"}
    known = options | {*commands, *TABLES}
    for key in values:
        if key not in known:
            from usbprov.errors import ConfigInvalid

            raise ConfigInvalid(f"unknown key {key!r}", str(source))
