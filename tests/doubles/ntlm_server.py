"""A Registrar that takes NTLM, by pyspnego's primitives: a handler for ``SipServer``."""

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvId,
    Challenge,
    FileTime,
    NegotiateFlags,
    TargetInfo,
)

from doubles.signing_registrar import SigningRegistrar, parameter
from doubles.sip_server import Asked

FLAGS = (
    NegotiateFlags.unicode
    | NegotiateFlags.sign
    | NegotiateFlags.datagram
    | NegotiateFlags.ntlm
    | NegotiateFlags.always_sign
    | NegotiateFlags.extended_session_security
    | NegotiateFlags.identity
    | NegotiateFlags.target_info
    | NegotiateFlags.key_128
    | NegotiateFlags.key_exch
    | NegotiateFlags.key_56
)


@dataclass
class NtlmRegistrar(SigningRegistrar):
    """The server's side of NTLM over SIP."""

    scheme: ClassVar[str] = "NTLM"
    passwords: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: {("CONTOSO", "alice"): "pa$$Wörd"}
    )
    flags: int = FLAGS
    tells_time: bool = True
    session_key: bytes = b""
    agreed: int = 0

    def __call__(self, asked: Asked) -> bytes:
        proof = asked.headers.get("authorization", "")
        if not proof:
            self.begin()
            return asked.answer("401 Unauthorized", self.demand())
        data = parameter(proof, "gssapi-data")
        if 'gssapi-data=""' in proof:
            text = base64.b64encode(self._challenge()).decode()
            opaque = f'opaque="{self.opaque}"'
            return asked.answer("401 Unauthorized", self.demand(opaque, f'gssapi-data="{text}"'))
        if data and not self._authenticated(Authenticate.unpack(base64.b64decode(data))):
            return asked.answer("401 Unauthorized", self.demand())
        return self.registered(asked, proof)

    def _challenge(self) -> bytes:
        info = TargetInfo()
        info[AvId.nb_domain_name] = "CONTOSO"
        info[AvId.dns_computer_name] = self.target
        if self.tells_time:
            info[AvId.timestamp] = FileTime.now()
        self.nonce = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
        challenge = Challenge(self.flags, self.nonce, target_info=info)
        return challenge.pack()

    def _authenticated(self, answer: Authenticate) -> bool:
        account = (answer.domain_name or "", answer.user_name or "")
        if account not in self.passwords:
            return False
        hashed = crypto.ntowfv1(self.passwords[account])
        secret = crypto.ntowfv2(account[1], hashed, account[0])
        proof, blob = answer.nt_challenge_response[:16], answer.nt_challenge_response[16:]
        self.agreed = answer.flags
        base_key = crypto.hmac_md5(secret, proof)
        self.session_key = crypto.rc4k(base_key, answer.encrypted_random_session_key)
        return proof == crypto.hmac_md5(secret, self.nonce + blob)

    def own_signature(self, text: str) -> str:
        return self._mac("accept", text)

    def clients_signature(self, text: str) -> str:
        return self._mac("initiate", text)

    def _mac(self, usage: str, text: str) -> str:
        number = struct.pack("<I", 100)
        signing = crypto.signkey(self.agreed, self.session_key, usage)
        sealing = crypto.sealkey(self.agreed, self.session_key, usage)
        checksum = crypto.hmac_md5(signing, number + text.encode())[:8]
        sealed = crypto.rc4k(crypto.md5(sealing + number), checksum)
        return (b"\x01\x00\x00\x00" + sealed + number).hex()
