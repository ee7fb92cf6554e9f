"""What a site has settled about its servers, in the settings file: nothing here is needed to begin.

Two things: which servers may speak an older TLS than everybody else, and by which file a form of
ours that was guessed is replaced (``adapters``). Imports nothing heavy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from usbprov.errors import ConfigInvalid


class TlsVersion(StrEnum):
    """Versions of TLS, as the settings file names them."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"
    V1_3 = "1.3"


DEFAULT_TLS = TlsVersion.V1_2
"""What every server must speak at least, where nothing else is said (RFC 8996)."""

TABLES = ("servers", "adapters")
"""The settings file's tables that are read here."""

_SERVER_KEYS = frozenset({"min_tls"})
_ADAPTER_KEYS = frozenset({"pin", "chain_download"})


@dataclass(frozen=True)
class Site:
    """A site's own settings.

    Attributes:
        min_tls: The least TLS version by host, in lower case; ``DEFAULT_TLS`` for all others.
        pin_form: File that says how a PIN goes over the wire, or None for our guess.
        chain_form: File that says how the chain is downloaded, or None for our guess.
    """

    min_tls: Mapping[str, TlsVersion] = field(default_factory=dict)
    pin_form: Path | None = None
    chain_form: Path | None = None

    def least_tls(self, host: str) -> TlsVersion:
        """Return the least TLS version that a host must speak."""
        return self.min_tls.get(host.lower(), DEFAULT_TLS)

    def allowing_old_tls(self, hosts: Iterable[str]) -> Self:
        """Return these settings, with TLS 1.0 allowed for some hosts besides."""
        allowed = {host.lower().strip("[]"): TlsVersion.V1_0 for host in hosts}
        return replace(self, min_tls={**self.min_tls, **allowed})

    def old_tls(self) -> tuple[str, ...]:
        """Say for whom an older TLS is allowed than for all others, for plan and report."""
        old = sorted((h, v) for h, v in self.min_tls.items() if v < DEFAULT_TLS)
        return tuple(f"{host} (TLS {version} or newer)" for host, version in old)


def read_site(values: Mapping[str, object], source: Path) -> Site:
    """Read the tables ``[servers."host"]`` and ``[adapters]`` of a settings file.

    Args:
        values: The whole file; its other tables are passed over.
        source: Where it comes from; files that it names are looked for beside it.

    Raises:
        ConfigInvalid: A key or value is not known.
    """
    servers = _table(values, "servers", source)
    least = {
        host.lower(): _min_tls(_table(servers, host, source, within="servers."), host, source)
        for host in servers
    }
    adapters = _table(values, "adapters", source)
    _known(adapters, _ADAPTER_KEYS, "adapters", source)
    return Site(least, _file(adapters, "pin", source), _file(adapters, "chain_download", source))


def _table(
    values: Mapping[str, object], name: str, source: Path, within: str = ""
) -> Mapping[str, object]:
    table = values.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigInvalid(f"{within}{name} must be a table", str(source))
    return table


def _file(adapters: Mapping[str, object], name: str, source: Path) -> Path | None:
    """Return the file that an adapter's key names, beside the settings file."""
    file = adapters.get(name)
    if file is None:
        return None
    if not (isinstance(file, str) and file):
        raise ConfigInvalid(f"[adapters]: {name} must name a file", str(source))
    return source.parent / file


def _known(table: Mapping[str, object], keys: frozenset[str], name: str, source: Path) -> None:
    for key in table:
        if key not in keys:
            raise ConfigInvalid(f"unknown key {key!r} in [{name}]", str(source))


def _min_tls(table: Mapping[str, object], host: str, source: Path) -> TlsVersion:
    name = f'servers."{host}"'
    _known(table, _SERVER_KEYS, name, source)
    try:
        return TlsVersion(str(table.get("min_tls", DEFAULT_TLS)))  # 1.0 will do for "1.0"
    except ValueError:
        versions = ", ".join(f'"{version}"' for version in TlsVersion)
        raise ConfigInvalid(f"[{name}]: min_tls must be one of {versions}", str(source)) from None
