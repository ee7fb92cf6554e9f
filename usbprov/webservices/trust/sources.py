"""Where roots and intermediates come from. Each source says what it gave, or why nothing."""

import logging
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography import x509

from usbprov.errors import ConfigInvalid, ObjectUnreadable, UsbprovError
from usbprov.pki.bundles import MAX_BUNDLE, load_bundle
from usbprov.pki.certificates import load_certificate

logger = logging.getLogger(__name__)

Certificates = tuple[x509.Certificate, ...]


class SourceName(StrEnum):
    """The sources' names, as ``--source`` takes them, in the order in which they are asked."""

    FILE = "file"
    SYSTEM = "system"
    SERVER = "server"
    DIRECTORY = "directory"
    DOWNLOAD = "download"


class Source(Protocol):
    """One place that certificates come from."""

    @property
    def name(self) -> SourceName:
        """What kind of place."""
        ...

    @property
    def where(self) -> str:
        """Which one: a file, a URL, a host."""
        ...

    @property
    def protected(self) -> bool:
        """Whether nobody on the way can have forged what it gives.

        What an unprotected source gives is installed only if something else vouches for it.
        """
        ...

    def fetch(self) -> Certificates:
        """Return its certificates; raises errors of the tree."""
        ...


@dataclass(frozen=True)
class Gathered:
    """What a source gave.

    Attributes:
        certificates: In its own order.
        error: Why it gave nothing, or None.
    """

    name: SourceName
    where: str
    protected: bool
    certificates: Certificates = ()
    error: UsbprovError | None = None


def gather(source: Source) -> Gathered:
    """Ask a source; its failure is a part of what is reported, and stops nothing."""
    told = Gathered(source.name, source.where, source.protected)
    try:
        found = source.fetch()
    except UsbprovError as error:
        logger.debug("source %s (%s): %s", source.name, source.where, error.code)
        return Gathered(told.name, told.where, told.protected, error=error)
    logger.debug("source %s (%s): %d certificates", source.name, source.where, len(found))
    return Gathered(told.name, told.where, told.protected, found)


@dataclass(frozen=True)
class GivenSource:
    """Certificates that are here already: a server's own chain, this computer's anchors."""

    name: SourceName
    where: str
    certificates: Certificates
    protected: bool

    def fetch(self) -> Certificates:
        """Return them."""
        return self.certificates


@dataclass(frozen=True)
class FileSource:
    """A file that the user names, and so answers for: PEM, DER or PKCS#7."""

    path: Path
    name: SourceName = SourceName.FILE
    protected: bool = True

    @property
    def where(self) -> str:
        """Its path."""
        return str(self.path)

    def fetch(self) -> Certificates:
        """Read it.

        Raises:
            ConfigInvalid: It cannot be read.
            ObjectUnreadable: There are no certificates in it, or damaged ones.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BUNDLE + 1)
        except OSError as error:
            raise ConfigInvalid(error.strerror or "it cannot be read", self.where) from None
        return tuple(load_bundle(data, f"the file {self.path}"))


@dataclass(frozen=True)
class SystemSource:
    """The trust anchors of this computer's operating system."""

    name: SourceName = SourceName.SYSTEM
    where: str = "this computer"
    protected: bool = True

    def fetch(self) -> Certificates:
        """Read them; one that cannot be parsed is left out."""
        return tuple(dict.fromkeys(_system_anchors()))


def _system_anchors() -> Iterator[x509.Certificate]:
    if sys.platform in {"win32", "darwin"}:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        yield from readable(context.get_ca_certs(binary_form=True))
    else:
        yield from _anchors_in_files()


def _anchors_in_files() -> Iterator[x509.Certificate]:
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.openssl_capath)
    # OpenSSL finds an anchor in the folder by the hash of its name, as 0123abcd.0
    files = sorted(folder.glob("????????.[0-9]")) if folder.is_dir() else []
    for path in (Path(paths.openssl_cafile), *files):
        with suppress(OSError, ObjectUnreadable):
            yield from load_bundle(path.read_bytes(), str(path))


def readable(ders: Sequence[bytes]) -> Certificates:
    """Parse certificates (DER), leaving out those that cannot be."""
    found = []
    for der in ders:
        with suppress(ObjectUnreadable):
            found.append(load_certificate(der))
    return tuple(found)
