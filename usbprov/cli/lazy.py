"""Groups of commands: imported when they are used, their settings checked, with did-you-mean."""

from collections.abc import Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click


class CheckedGroup(click.Group):
    """A group that refuses settings its commands do not have, and suggests what was meant."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find the command, and check the settings file's table for it."""
        command = self.find_command(ctx, cmd_name)
        if command is not None:
            _check_settings(ctx, cmd_name, command)
        return command

    def find_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Find the command, if there is one of that name."""
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(CheckedGroup):
    """A group over a table: name → (``module:attribute``, the line for ``--help``)."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order, which is the order of use."""
        return list(self._table)

    def find_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command, if there is one of that name."""
        if name not in self._table:
            return None
        module, _, attribute = self._table[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])


def _check_settings(ctx: click.Context, name: str, command: click.Command) -> None:
    """Refuse settings that the command does not have: a mistyped key must not pass silently."""
    settings = (ctx.default_map or {}).get(name)
    if settings is None:
        return
    from usbprov.errors import ConfigInvalid

    source = str(ctx.find_root().meta.get("usbprov.config", "the settings file"))
    if not isinstance(settings, MutableMapping):
        raise ConfigInvalid(f"[{_table(ctx, name)}] must be a table", source)
    known = name_settings(settings, command)
    if isinstance(command, click.Group):
        known |= set(command.list_commands(ctx))
    for key in settings:
        if key not in known:
            raise ConfigInvalid(f"unknown key {key!r} in [{_table(ctx, name)}]", source)


def _table(ctx: click.Context, name: str) -> str:
    """Return the settings file's table of a command: ``lab.up``."""
    return ".".join([*ctx.command_path.split()[1:], name])


def name_settings(settings: MutableMapping[str, Any], command: click.Command) -> set[str]:
    """Let settings be named as the options are: ``dir`` for ``--dir``. Returns the known names."""
    for parameter in command.params:
        for option in parameter.opts:
            key = option.lstrip("-").replace("-", "_")
            if key in settings and not isinstance(settings[key], Mapping):
                settings[parameter.name or key] = settings.pop(key)
    return {parameter.name or "" for parameter in command.params}
