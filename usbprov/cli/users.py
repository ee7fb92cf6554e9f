"""The user, as people give one: with or without ``sip:``."""

from usbprov.errors import UsageError


def sip_uri(user: str | None) -> str | None:
    """Return a SIP URI in lower case, with its scheme; None stays None.

    Raises:
        UsageError: It has no domain, or characters that none has.
    """
    if user is None:
        return None
    address = user.lower().removeprefix("sip:")
    name, at, domain = address.partition("@")
    if not (name and at and domain) or any(c.isspace() or c == "@" for c in name + domain):
        raise UsageError(f"--user {user!r} is no SIP URI like sip:alice@contoso.com")
    return f"sip:{address}"
