"""Kerberos over SIP: a raw GSS-API token, and signatures by ``GSS_GetMIC`` ([MS-SIPAE] 3.2.5).

The token is sent with the first proof, and the signature with it. The server is asked for no token
of its own (no mutual authentication): its signature shows that it could read ours. Needs the extra
``kerberos``.
"""

import logging
from typing import Protocol


class MicContext(Protocol):
    """A security context that is made, as ``spnego`` has it."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature."""
        ...

    def verify(self, data: bytes, mic: bytes) -> int:
        """Raise if a signature is not the other side's."""
        ...


logger = logging.getLogger(__name__)


class Kerberos:
    """The association by a Kerberos ticket."""

    scheme = "Kerberos"
    protocol = ""
    cipher = ""

    def __init__(self, context: MicContext, token: bytes) -> None:
        """Take over a context that is complete from our side.

        Args:
            context: Signs and verifies.
            token: What shows it to the server.
        """
        self._context = context
        self._first = token
        self._begun = False

    @property
    def ready(self) -> bool:
        """Whether it has begun: there is nothing to wait for."""
        return self._begun

    @property
    def committed(self) -> bool:
        """Whether the ticket has been put to use."""
        return self._begun

    def begin(self) -> bytes:
        """Return the token."""
        self._begun = True
        return self._first

    def step(self, token: bytes) -> bytes | None:
        """Take nothing: the server has no word in it."""
        return None

    def sign(self, text: bytes) -> str:
        """Return our signature, in capital hex digits."""
        return self._context.sign(text).hex().upper()

    def verify(self, text: bytes, signature: str) -> bool:
        """Say whether a signature is the server's."""
        try:
            self._context.verify(text, bytes.fromhex(signature))
        except Exception as error:  # the library raises what its parsing happens to raise
            logger.debug("a signature is not the server's: %s", type(error).__name__)
            return False
        return True
