"""Text that comes from a device, made fit to be shown."""


def shown(text: str) -> str | None:
    """Return the text without what upsets a terminal or hides its end, or None if none is left.

    What cannot be printed (control characters, marks of direction) becomes U+FFFD.
    """
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.strip("\0"))
    return clean.strip() or None
