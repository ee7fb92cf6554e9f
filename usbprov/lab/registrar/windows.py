"""NTLM over SIP: sign-in by a Windows account ([MS-SIPAE] 3.1)."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from usbprov.lab.accounts import Accounts
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.ntlm import (
    Authenticate,
    NtlmError,
    SessionKeys,
    challenge_message,
    read_authenticate,
    verify_proof,
)
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.users import LabUser

NTLM = "NTLM"
_WRONG_LENGTH = 16


@dataclass(frozen=True)
class Ntlm:
    """The scheme.

    Attributes:
        accounts: Who there is.
        host: The server's DNS name.
        domain: NetBIOS name of its domain.
    """

    accounts: Accounts
    host: str
    domain: str

    @property
    def name(self) -> str:
        """As in ``WWW-Authenticate``."""
        return NTLM

    def target(self, host: str) -> str:
        """Return the server's name."""
        return host

    def offer(self) -> str:
        """Return nothing: there is no more to say."""
        return ""

    def begin(self) -> "NtlmSignIn":
        """Make a challenge."""
        challenge = secrets.token_bytes(8)
        message = challenge_message(challenge, self.domain, self.host)
        return NtlmSignIn(self.accounts, challenge, message)


class NtlmSignIn:
    """One sign-in: an empty token, the challenge, the proof."""

    def __init__(self, accounts: Accounts, challenge: bytes, message: bytes) -> None:
        self._accounts = accounts
        self._challenge = challenge
        self._message = message
        self._asked = False
        self._user: LabUser | None = None
        self._keys: tuple[SessionKeys, SessionKeys] | None = None

    @property
    def complete(self) -> bool:
        """Whether the proof has been verified."""
        return self._keys is not None

    @property
    def details(self) -> tuple[str, str]:
        """Nothing: there is no TLS inside."""
        return "", ""

    def step(self, token: bytes) -> bytes:
        """Answer the empty token with the challenge, and verify the proof.

        Raises:
            Refused: It is wrong; the client is not told whether the account or the password is.
        """
        if not self._asked:
            self._asked = True
            return self._message
        try:
            sent = read_authenticate(token)
            self._user, self._keys = self._verified(sent)
        except NtlmError as error:
            raise Refused(Refusal.HANDSHAKE, f"NTLM: {error}") from None
        return b""

    def prove(self, claim: Claim, now: datetime) -> None:
        """See that the account is that of the user of ``From``.

        Raises:
            Refused: It is another's.
        """
        if self._user is None or claim.user is None or self._user.sip_uri != claim.user.sip_uri:
            raise Refused(Refusal.OTHER_USER, "the account is not that of the From URI")

    def sign(self, text: str, *, wrongly: bool = False) -> str:
        """Sign with the server's keys; wrongly: with nobody's."""
        _, server = self._both()
        if wrongly:
            nobody = secrets.token_bytes(_WRONG_LENGTH)
            server = SessionKeys(nobody, nobody, server.encrypted)
        return server.sign(text.encode()).hex()

    def verify(self, text: str, told: str) -> bool:
        """Compare with the client's keys."""
        client, _ = self._both()
        made = client.sign(text.encode()).hex()
        return hmac.compare_digest(made.encode(), told.lower().encode())

    def _verified(self, sent: Authenticate) -> tuple[LabUser, tuple[SessionKeys, SessionKeys]]:
        name = f"{sent.domain}\\{sent.user}" if sent.domain else sent.user
        user = self._accounts.find(name)
        password = user.password if user else secrets.token_hex()
        keys = verify_proof(sent, self._challenge, password, self._message)
        if user is None:
            raise NtlmError("the account does not exist")
        return user, keys

    def _both(self) -> tuple[SessionKeys, SessionKeys]:
        if self._keys is None:
            raise Refused(Refusal.HANDSHAKE, "not complete")
        return self._keys
