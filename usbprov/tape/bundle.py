"""The bundle: one ZIP file with a tape and what is known around it; hostile when it is read.

A bundle comes from a stranger. Its members are known names, each has a size that is checked while
it is unpacked, and nothing of it is ever written to a file.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from usbprov.errors import BundleInvalid, BundleNotWritten
from usbprov.files import write_whole
from usbprov.tape.events import Json
from usbprov.tape.reader import MAX_BYTES, Tape, read_tape

FORMAT = 1
"""The format of the bundle that this version writes and reads."""

MANIFEST, TAPE = "manifest.json", "tape.jsonl"

MEMBERS: Mapping[str, int] = {
    "README.txt": 64 * 1024,
    MANIFEST: 1024 * 1024,
    "host.json": 1024 * 1024,
    "bus.json": 1024 * 1024,
    "ledger.json": 4 * 1024 * 1024,
    TAPE: MAX_BYTES,
}
"""Everything that may be in a bundle, with the most bytes that each may have unpacked."""

_MAX_FILE = 32 * 1024 * 1024
_DATE = (1980, 1, 1, 0, 0, 0)
"""ZIP wants one for every member; the manifest has the real one."""


def write_bundle(path: Path, members: Mapping[str, bytes]) -> None:
    """Write a bundle, whole or not at all, for its owner only.

    Raises:
        BundleNotWritten: The disk is full, or the folder cannot be written to.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            file.writestr(entry, content)
    try:
        write_whole(path, packed.getvalue(), 0o600)
    except OSError as error:
        raise BundleNotWritten(str(path), error.strerror or "it failed") from None


class Bundle:
    """A bundle that was read into memory."""

    def __init__(self, source: str, members: Mapping[str, bytes]) -> None:
        self.source = source
        self._members = members

    @property
    def has_tape(self) -> bool:
        """Whether there is a tape in it."""
        return TAPE in self._members

    def tape(self) -> Tape:
        """Return the tape.

        Raises:
            BundleInvalid: There is none, or it cannot be read.
        """
        if not self.has_tape:
            raise BundleInvalid(self.source, "there is no tape in it")
        return read_tape(self._members[TAPE], self.source)

    def manifest(self) -> dict[str, Json]:
        """Return the manifest.

        Raises:
            BundleInvalid: It is none, or of another format.
        """
        try:
            found = json.loads(self._members[MANIFEST])
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise BundleInvalid(self.source, f"its {MANIFEST} cannot be read")
        if found.get("format") != FORMAT:
            raise BundleInvalid(self.source, f"it is not of format {FORMAT}")
        return found


def read_bundle(path: Path) -> Bundle:
    """Read a bundle; members that no bundle has are refused.

    Raises:
        BundleInvalid: It is no bundle, is damaged, or is larger than one can be.
    """
    source = str(path)
    try:
        if path.stat().st_size > _MAX_FILE:
            raise BundleInvalid(source, f"it is larger than {_MAX_FILE} bytes")
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as file:
            entries = _entries(file, source)
            members = {entry.filename: _member(file, entry, source) for entry in entries}
    except OSError as error:
        raise BundleInvalid(source, error.strerror or "it cannot be read") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        raise BundleInvalid(source, "it is no ZIP file, or a damaged one") from None
    bundle = Bundle(source, members)
    _compare(bundle.manifest().get("files"), members, source)
    return bundle


def _compare(digests: Json, members: Mapping[str, bytes], source: str) -> None:
    """See that no file was changed since; it keeps off accidents, not whoever means it."""
    told = digests if isinstance(digests, dict) else {}
    for name, content in members.items():
        fixed = name in {MANIFEST, "README.txt"}
        if not fixed and told.get(name) != sha256(content).hexdigest():
            raise BundleInvalid(source, f"{name} is not as the manifest says")
    missing = told.keys() - members.keys()
    if missing:
        raise BundleInvalid(source, f"{', '.join(sorted(missing))[:200]} is missing")


def _entries(file: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """Return the members, all of them known, each once."""
    entries = file.infolist()
    names = [entry.filename for entry in entries]
    if len(names) != len(set(names)) or not set(names) <= MEMBERS.keys():
        raise BundleInvalid(source, "it has members that no bundle has")
    if MANIFEST not in names:
        raise BundleInvalid(source, f"it has no {MANIFEST}")
    return entries


def _member(file: zipfile.ZipFile, entry: zipfile.ZipInfo, source: str) -> bytes:
    """Unpack a member, however large it says that it is, up to what it may be."""
    most = MEMBERS[entry.filename]
    if entry.flag_bits & 1:
        raise BundleInvalid(source, f"{entry.filename} is encrypted")
    with file.open(entry) as packed:
        content = packed.read(most + 1)
    if len(content) > most:
        raise BundleInvalid(source, f"{entry.filename} is larger than {most} bytes")
    return content
