"""Words of somebody else's, made fit for a tape: cut, cleaned, and without what he was sent."""

import re

from usbprov.tape.deck import recorder

_MOST = 1000
_BLOB = re.compile(r"[A-Za-z0-9+/=_%-]{40,}")
"""What is no word that a person wrote, but may be what the other side was sent."""


def clean(words: str) -> str:
    """Return a text without control characters and without the secrets that are known."""
    to = recorder()
    fit = "".join(c if c.isprintable() else " " for c in words)
    return to.hidden(fit) if to is not None else fit


def without_blobs(words: str) -> str:
    """Return a text without long runs of base64 and the like: a ticket, a key, a signature."""
    return _BLOB.sub("(removed)", words)


def said(words: str) -> str:
    """Return what somebody else says freely: cut, cleaned, and without long runs of base64."""
    return without_blobs(clean(words))[:_MOST]
