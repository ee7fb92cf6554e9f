"""NTLM and Kerberos for the small SIP client, made of the parts of other libraries.

pyspnego does the cryptography of NTLM; put together without connection, as it does not by itself.
"""

import base64
import hashlib
import os
from dataclasses import dataclass, field

from spnego._ntlm_raw import crypto, messages, security

from doubles.sip_client import Answer, SipUser

SEQUENCE = 100
WANTED = (
    messages.NegotiateFlags.unicode
    | messages.NegotiateFlags.sign
    | messages.NegotiateFlags.datagram
    | messages.NegotiateFlags.ntlm
    | messages.NegotiateFlags.always_sign
    | messages.NegotiateFlags.extended_session_security
    | messages.NegotiateFlags.target_info
    | messages.NegotiateFlags.key_128
)


@dataclass
class NtlmUser(SipUser):
    """A user who signs in by NTLM."""

    scheme: str = "NTLM"
    flags: int = 0
    session_key: bytes = field(default=b"", repr=False)

    def sign_in(
        self, domain: str, name: str, password: str, *, key_exchange: bool = True, mic: bool = False
    ) -> Answer:
        asked = self.token(b"")
        assert asked.status == 401
        params = asked.challenge("NTLM")
        self.opaque = params["opaque"]
        challenge = base64.b64decode(params["gssapi-data"])
        self.flags = WANTED | (messages.NegotiateFlags.key_exch if key_exchange else 0)
        return self.signed(token=self.authenticate(challenge, domain, name, password, mic=mic))

    def authenticate(
        self, sent: bytes, domain: str, name: str, password: str, *, mic: bool = False
    ) -> bytes:
        challenge = messages.Challenge.unpack(sent)
        info = challenge.target_info
        if mic:
            info[messages.AvId.flags] = messages.AvFlags.mic
        owf = crypto.ntowfv2(name, crypto.ntowfv1(password), domain)
        nt, lm, key = crypto.compute_response_v2(
            owf, challenge.server_challenge, os.urandom(8), messages.FileTime.now(), info
        )
        encrypted = None
        if self.flags & messages.NegotiateFlags.key_exch:
            exported = os.urandom(16)
            encrypted, key = crypto.rc4k(key, exported), exported
        self.session_key = key
        version = messages.Version.get_current()
        made = messages.Authenticate(
            self.flags, lm, nt, domain, name, "TESTS", encrypted, version, bytes(16)
        )
        if mic:
            made.mic = crypto.hmac_md5(key, sent + made.pack())
        return made.pack()

    def sign(self, text: str) -> str:
        return self._mac("initiate", text)

    def verify(self, text: str, told: str) -> bool:
        return self._mac("accept", text) == told.lower()

    def _mac(self, usage: str, text: str) -> str:
        seal = crypto.sealkey(self.flags, self.session_key, usage)
        number = SEQUENCE.to_bytes(4, "little")
        handle = crypto.rc4init(hashlib.md5(seal + number, usedforsecurity=False).digest())
        key = crypto.signkey(self.flags, self.session_key, usage)
        return security.sign(self.flags, handle, key, SEQUENCE, text.encode()).hex()


@dataclass
class KerberosUser(SipUser):
    """A user who signs in by the ticket that this process has."""

    scheme: str = "Kerberos"
    target: str = "sip/localhost"
    context: object = field(default=None, repr=False)

    def sign_in(self, host: str, *, mutual: bool) -> Answer:
        """Sign in; without mutual authentication the first message is signed already."""
        import gssapi

        name = gssapi.Name(f"sip@{host}", gssapi.NameType.hostbased_service)
        flags = gssapi.RequirementFlag.integrity
        if mutual:
            flags |= gssapi.RequirementFlag.mutual_authentication
        self.context = gssapi.SecurityContext(name=name, usage="initiate", flags=flags)
        token = self.context.step()
        if not mutual:
            answer = self.signed(token=token)
            if answer.status == 200:
                self.opaque = answer.params("Authentication-Info", self.scheme)["opaque"]
            return answer
        answer = self.token(token)
        params = answer.challenge("Kerberos")
        self.opaque = params["opaque"]
        self.context.step(base64.b64decode(params["gssapi-data"]))
        return self.signed()

    def sign(self, text: str) -> str:
        return self.context.get_signature(text.encode()).hex()

    def verify(self, text: str, told: str) -> bool:
        self.context.verify_signature(text.encode(), bytes.fromhex(told))
        return True
