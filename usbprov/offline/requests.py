"""The request file: what a phone's key asks for, and what is known of the phone. No I/O.

It holds no secret, so it is plain JSON that people can read. Its digest shows damage, and is shown
at both ends in a few groups, by which people can see that nobody exchanged the file on the way:
the signature in the request proves who holds the key, but nobody signs the facts.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from usbprov.errors import NotPrepared, ObjectUnreadable, PreparedAltered, PreparedNewer
from usbprov.offline.document import (
    Damaged,
    Reading,
    base64_of,
    key_value,
    parse,
    phone_value,
    read_key,
    read_phone,
    read_settings,
    settings_value,
)
from usbprov.phone.contract import KeyState, PhoneInfo, PhoneSettings
from usbprov.pki.keys import key_digest
from usbprov.pki.requests import load_request

FORMAT = "usbprov request"
VERSION = 1

MOST_BYTES = 256 * 1024
"""Of a file: a thousand roots have a third of that."""


@dataclass(frozen=True)
class RequestFile:
    """What is in a request file.

    Attributes:
        made: When, by the clock of the computer at the phone (UTC).
        phone: What the phone says of itself, without clock and slots.
        slot: The slot of the key.
        key: The key, and the nonce of the job that made it.
        existing: Whether the phone had the key before.
        request: PKCS#10 (DER), signed by the phone.
        settings: User and servers, as the technician named them.
        clock_behind: How far the phone's clock was behind this computer's, in whole seconds, or
            None where it has none.
    """

    made: datetime
    phone: PhoneInfo
    slot: int
    key: KeyState
    existing: bool
    request: bytes
    settings: PhoneSettings
    clock_behind: int | None

    def encode(self) -> bytes:
        """Write the file."""
        content = self._content()
        whole = {"format": FORMAT, "version": VERSION, "sha256": _digest(content)}
        return json.dumps(whole | {"content": content}, indent=1, ensure_ascii=False).encode()

    @property
    def fingerprint(self) -> str:
        """The beginning of its digest in groups of four, to be compared by eye: 64 bits."""
        digest = _digest(self._content())
        return " ".join(digest[at : at + 4] for at in range(0, 16, 4))

    def _content(self) -> dict[str, Any]:
        return {
            "made": self.made.isoformat(),
            "phone": phone_value(self.phone),
            "slot": self.slot,
            "key": key_value(self.key),
            "existing": self.existing,
            "request": base64_of(self.request),
            "settings": settings_value(self.settings),
            "clock_behind": self.clock_behind,
        }


def decode_request(data: bytes, name: str) -> RequestFile:
    """Read a file, and verify its digest and the phone's signature.

    Args:
        data: The file, whoever may have made it.
        name: What it is called in errors.

    Raises:
        NotPrepared: It is another kind of file, or too large.
        PreparedNewer: It is of a later version.
        PreparedAltered: Its digest or the signature in it does not fit, or it makes no sense.
    """
    if len(data) > MOST_BYTES:
        raise NotPrepared(name, f"it is larger than {MOST_BYTES} bytes")
    try:
        whole = parse(data)
        kind, version = whole.text("format"), whole.number("version", 1, 1 << 16)
    except Damaged as error:
        raise NotPrepared(name, f"it is no request file: {error}") from None
    if kind != FORMAT:
        raise NotPrepared(name, "it is no request file")
    if version > VERSION:
        raise PreparedNewer(name, version)
    try:
        return _content(whole)
    except (Damaged, ObjectUnreadable) as error:
        raise PreparedAltered(name, str(error)) from None


def _content(whole: Reading) -> RequestFile:
    of = whole.inner("content")
    if _digest(of.raw) != whole.digest("sha256"):
        raise Damaged("its digest does not fit")
    found = RequestFile(
        made=of.moment("made"),
        phone=read_phone(of.inner("phone")),
        slot=of.number("slot", 0, 16),
        key=read_key(of.inner("key")),
        existing=of.flag("existing"),
        request=of.data("request"),
        settings=read_settings(of.inner("settings")),
        clock_behind=of.seconds_or_none("clock_behind"),
    )
    if key_digest(load_request(found.request).public_key()) != found.key.sha256:
        raise Damaged("its request is for another key")
    return found


def _digest(content: Any) -> str:
    """Return the SHA-256 of the content with sorted names and no white space."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
