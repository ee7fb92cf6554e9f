"""What every scheme does to prove a user, and then to sign: the contract. No I/O."""

from typing import Protocol


class Association(Protocol):
    """A security association that is made, and then signs and verifies ([MS-SIPAE] 3.2).

    Attributes:
        scheme: Name in the headers: ``TLS-DSK``, ``NTLM``, ``Kerberos``.
        ready: Whether it can sign and verify.
        committed: Whether the user's credential has been put to use.
        protocol: Version of an inner TLS, or ``""``.
        cipher: Cipher suite of an inner TLS, or ``""``.
    """

    @property
    def scheme(self) -> str:
        """Name in the headers."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it can sign and verify."""
        ...

    @property
    def committed(self) -> bool:
        """Whether what was sent so far holds or uses the user's credential."""
        ...

    @property
    def protocol(self) -> str:
        """Version of an inner TLS, or ``""``."""
        ...

    @property
    def cipher(self) -> str:
        """Cipher suite of an inner TLS, or ``""``."""
        ...

    def begin(self) -> bytes:
        """Return the first ``gssapi-data``; it may be empty, and is sent all the same."""
        ...

    def step(self, token: bytes) -> bytes | None:
        """Take the server's ``gssapi-data``; return ours, or None when there is none to send.

        Raises:
            RegistrarError: The token is no use, or proves nothing.
        """
        ...

    def sign(self, text: bytes) -> str:
        """Return our signature over a text, in hex digits."""
        ...

    def verify(self, text: bytes, signature: str) -> bool:
        """Say whether a signature (hex digits of either case) is the server's over a text."""
        ...
