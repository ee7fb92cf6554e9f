"""The board's token, and what is made of it: what the browser keeps, and what a command needs."""

import hashlib
import hmac
import secrets


class BoardKeys:
    """Checks who may look and who may command. Its ``repr`` shows no secret.

    The token comes with the link, behind the ``#``, so that no server and no proxy sees it in an
    address. It is changed for a cookie that scripts cannot read, and for a command key that the
    page asks for and sends as a header, which no page elsewhere can do.
    """

    def __init__(self, token: str | None = None) -> None:
        """Take a token, or make one of 256 random bits."""
        self.token = token or secrets.token_urlsafe(32)
        self.cookie = self._derive(b"cookie")
        self.command = self._derive(b"command")

    def _derive(self, purpose: bytes) -> str:
        return hmac.new(self.token.encode(), purpose, hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Say whether this is the token; takes the same time whatever is given."""
        return _same(given, self.token)

    def is_cookie(self, given: str) -> bool:
        """Say whether this is the cookie that was given for the token."""
        return _same(given, self.cookie)

    def is_command(self, given: str) -> bool:
        """Say whether this is the key that commands need."""
        return _same(given, self.command)


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode())
