"""For each row of the table of symptoms an error, and where it arose, that must find that row."""

from usbprov import errors as e
from usbprov.engine.diagnosis.model import Context
from usbprov.errors import UsbprovError

POOL = "pool.contoso.test"
LINES = ("CN=pool", "CN=intermediate")
PUBLISH = Context(step="publish")
PIN = Context(step="ticket", ways=frozenset({"pin"}))
NTLM = Context(step="ticket", ways=frozenset({"ntlm", "kerberos"}))
STATUS = "HTTP status 401 Unauthorized"


def unfit(check: str) -> tuple[UsbprovError, Context]:
    return e.CertificateUnfit("it is not", check=check), Context(step="check")


def here(error: UsbprovError) -> tuple[UsbprovError, Context]:
    return error, Context()


EXAMPLES: dict[str, tuple[UsbprovError, Context]] = {
    # --- network
    "web-name-unknown": here(e.ServerUnreachable(POOL, "the name is not known")),
    "web-refused": here(e.ServerUnreachable(POOL, "it refuses the connection")),
    "web-broken": here(
        e.ServerUnreachable(POOL, "the connection broke before the whole answer was here")
    ),
    "web-unreachable": here(e.ServerUnreachable(POOL, "no connection within 10 s")),
    "web-endless": here(e.ServerTimeout(POOL, 60.0, answering=True)),
    "web-slow": here(e.ServerTimeout(POOL, 60.0)),
    "web-fails-at-publishing": (e.ServerFailed(POOL, 500), PUBLISH),
    "web-fails": (e.ServerFailed(POOL, 500), PIN),
    "web-busy": here(e.ServerBusy(POOL, "HTTP status 503")),
    "directory-unreachable": here(e.DirectoryUnreachable("dc.contoso.test", "refused")),
    # --- answers
    "answer-hostile": here(e.AnswerInvalid(POOL, "it is larger than 1048576 bytes")),
    "answer-damaged": here(e.AnswerInvalid(POOL, "it is not well-formed XML (line 1, column 9)")),
    "answer-mixed-up": here(e.AnswerInvalid(POOL, "it is a ticket for another request")),
    "answer-no-certificate": here(e.AnswerInvalid(POOL, "what it calls a certificate is none")),
    "answer-without-sign-in": here(e.AnswerInvalid(POOL, "its port asks nobody to sign in")),
    "answer-sign-in-broken": here(e.AnswerInvalid(POOL, "its sign-in has no end")),
    "answer-other": here(e.AnswerInvalid(POOL, "it is not HTTP")),
    "redirect-loop": here(e.RedirectRefused(POOL, "there is no end of them")),
    "redirect-elsewhere": here(e.RedirectRefused(POOL, "HTTP status 302 Found to other.test")),
    # --- trust
    "chain-weak": here(e.ChainUntrusted(POOL, "CA md too weak", check="algorithm")),
    "chain-self-signed": here(
        e.ChainUntrusted(POOL, "self-signed certificate", check="self-signed")
    ),
    "chain-root-unknown": here(
        e.ChainUntrusted(
            POOL, "unable to get local issuer certificate", check="chain", presented=LINES
        )
    ),
    "chain-incomplete": here(
        e.ChainUntrusted(
            POOL, "unable to get local issuer certificate", check="chain", presented=LINES[:1]
        )
    ),
    "name-mismatch": here(e.NameMismatch(POOL, "hostname mismatch", check="name")),
    "certificate-not-yet-valid": here(
        e.ServerCertificateExpired(POOL, "certificate is not yet valid", check="expiry")
    ),
    "certificate-expired": here(
        e.ServerCertificateExpired(POOL, "certificate has expired", check="expiry")
    ),
    "tls-version": here(e.HandshakeFailed(POOL, "unsupported protocol", check="protocol")),
    "tls-none": here(e.HandshakeFailed(POOL, "wrong version number", check="handshake")),
    "download-insufficient": (
        e.PhoneDistrusts(POOL, "CN=root is not in it", phone="a phone"),
        Context(step="chain-download"),
    ),
    "phone-distrusts": here(e.PhoneDistrusts(POOL, "CN=root is missing", phone="phone 1-1")),
    "phone-cannot-verify": here(e.PhoneCannotVerify(POOL, "SHA-256", phone="phone 1-1")),
    "source-unverified": here(e.SourceUnverified(POOL, "CN=root leads to no trusted root")),
    # --- credentials
    "ticket-refused-when-publishing": (
        e.CredentialRefused(POOL, "No valid security token.", 28020),
        PUBLISH,
    ),
    "loop-401-when-publishing": (e.CredentialRefused(POOL, STATUS), PUBLISH),
    "windows-loop": (e.CredentialRefused(POOL, f"{STATUS}, with another challenge"), NTLM),
    "windows-refused": (e.CredentialRefused(POOL, STATUS), NTLM),
    "loop-401": (e.CredentialRefused(POOL, STATUS), PIN),
    "certificate-refused": (
        e.CredentialRefused(POOL, "No valid security token.", 28020),
        Context(step="ticket", ways=frozenset({"certificate"})),
    ),
    "password-refused": (
        e.CredentialRefused(POOL, "No valid security token.", 28020),
        Context(step="ticket", ways=frozenset({"password"})),
    ),
    "credential-refused": (e.CredentialRefused(POOL, "No valid security token.", 28020), PIN),
    "wrong-user": here(e.WrongUser(POOL, "sip:a@contoso.test", "sip:b@contoso.test")),
    "service-not-offered": here(e.NotOffered(POOL, f"metadata at https://{POOL}/x/mex")),
    "pin-not-offered": here(e.NotOffered(POOL, "sign-in by PIN (PinAuth)")),
    "certificate-not-offered": here(e.NotOffered(POOL, "sign-in by certificate")),
    "windows-not-offered": here(e.NotOffered(POOL, "sign-in by ntlm")),
    "pin-locked": here(e.PinLocked(POOL, "The PIN of this user is locked.", 28901)),
    "pin-expired": here(e.PinUnset(POOL, "The PIN of this user has expired.", 28903)),
    "pin-unset": here(e.PinUnset(POOL, "No PIN is set for this user.", 28902)),
    "number-shared": here(e.NumberShared(POOL, "Several users share this number.", 28904)),
    "directory-refused": here(e.DirectoryRefused("dc.contoso.test", "invalid credentials")),
    # --- publishing
    "store-lasting": (e.StoreUnreachable(POOL, "unavailable", 28911, attempts=3), PUBLISH),
    "store-once": (e.StoreUnreachable(POOL, "unavailable", 28911), PUBLISH),
    "registrar-down": (e.RegistrarUnavailable(POOL, "not available", 28912, attempts=3), PUBLISH),
    "request-key-size": (
        e.RequestRefused(POOL, "The key of the request is smaller or larger than allowed.", 28925),
        PUBLISH,
    ),
    "request-other-user": (
        e.RequestRefused(POOL, "The entity is not the user of the Web ticket.", 28922),
        PUBLISH,
    ),
    "chain-download-refused": here(
        e.RequestRefused(POOL, "The download of the certificate chain is disabled.", 28906)
    ),
    "request-refused": (e.RequestRefused(POOL, "The user does not exist.", 28926), PUBLISH),
    "issued-not-yet-valid": unfit("not-yet-valid"),
    "issued-expired": unfit("expired"),
    "issued-other-key": unfit("key"),
    "issued-other-user": unfit("user"),
    "issued-short": unfit("short"),
    "issued-phone-clock": unfit("phone-clock"),
    "issued-unfit": unfit("signature"),
    "read-back-differs": here(e.ReadBackDiffers("phone 1-1")),
    # --- the Registrar
    "registrar-name-unknown": here(e.RegistrarUnreachable(POOL, "the name is not known")),
    "registrar-unreachable": here(e.RegistrarUnreachable(POOL, "it refuses the connection")),
    "registrar-slow": here(e.RegistrarTimeout(POOL, 30.0)),
    "registrar-route-untrusted": here(e.RegistrarFailed(POOL, 504, "", diagnostic=1010)),
    "registrar-stopped": here(e.RegistrarFailed(POOL, 503, "Service Unavailable")),
    "home-pool-down": here(e.RegistrarFailed(POOL, 504, "Server time-out")),
    "number-of-several": here(e.SignInRefused(POOL, 403, "", diagnostic=4002)),
    "sign-in-refused": here(e.SignInRefused(POOL, 400, "Epid not present.", diagnostic=4011)),
    "user-certificate-expired": here(e.CertificateNotAccepted(POOL, "the certificate expired")),
    "certificate-not-accepted": here(
        e.CertificateNotAccepted(POOL, "Final handshake failed.", diagnostic=1000)
    ),
    "account-not-accepted": here(e.AccountNotAccepted(POOL, "401 Unauthorized")),
    "user-moved": here(e.UserUnknown(POOL, "sip:a@contoso.test", "", diagnostic=4006)),
    "user-unknown": here(e.UserUnknown(POOL, "sip:a@contoso.test", "", diagnostic=1003)),
    "remote-access-off": here(e.UserNotAllowed(POOL, "sip:a@contoso.test", "", diagnostic=4003)),
    "certificate-of-other": here(e.UserNotAllowed(POOL, "sip:a@contoso.test", "", diagnostic=4004)),
    "user-disabled": here(e.UserNotAllowed(POOL, "sip:a@contoso.test", "403 Forbidden")),
    "dsk-not-offered": here(e.SchemeNotOffered(POOL, "TLS-DSK", "NTLM")),
    "scheme-not-offered": here(e.SchemeNotOffered(POOL, "NTLM", "TLS-DSK")),
    "registrar-unproved": here(e.RegistrarUnproved(POOL, "unsigned", check="unsigned")),
    "not-sip": here(e.RegistrarAnswerInvalid(POOL, "it is no SIP")),
    "pools-disagree": here(e.RedirectsEndless(POOL, "there is no end of them")),
    "sign-in-tls": here(e.HandshakeNotAgreed(POOL, "no common cipher suite")),
    # --- the cable and the phone
    "no-phone": here(e.NoPhone("kernel")),
    "phone-ambiguous-serial": here(e.AmbiguousPhone("serial:0123456789ABCDEF", ("1-1", "1-2"))),
    "phone-ambiguous": here(e.AmbiguousPhone("the only phone", ("1-1", "1-2"))),
    "phone-busy-modem": here(e.PhoneBusy("phone 1-1", "ModemManager (process 7)")),
    "phone-busy": here(e.PhoneBusy("phone 1-1")),
    "phone-denied": here(e.AccessDenied("phone 1-1")),
    "phone-gone": here(e.PhoneGone("phone 1-1")),
    "job-interrupted": here(e.Interrupted("1", "key", "phone 1-1 was unplugged or lost power")),
    "phone-silent": here(e.LinkTimeout("phone 1-1", "GET", 5.0)),
    "link-broken": here(e.LinkBroken("phone 1-1", "stall")),
    "protocol-broken": here(e.ProtocolViolation("phone 1-1", "no CBOR")),
    "slot-occupied": here(e.SlotOccupied("phone 1-1", 0, "a certificate")),
    "key-generation": here(e.KeyGenerationFailed("phone 1-1", "no randomness")),
    "transfer-corrupt": here(e.TransferCorrupt("phone 1-1", "the certificate")),
    "commit-clock": here(e.CredentialMismatch("phone 1-1", 0, "not valid by the phone's clock")),
    "commit-mismatch": here(e.CredentialMismatch("phone 1-1", 0, "another key")),
    "phone-changed": here(e.PhoneChanged("1-1", "serial A", "serial B")),
    "lpe-phone": here(e.NoPublicProtocol("phone 1-1", "Polycom CX600")),
    "possession-unproved": here(e.PossessionUnproved("phone 1-1")),
    # --- finding the servers
    "servers-not-found": here(e.NothingFound("DHCP, DNS")),
    "registrar-not-found": here(e.RegistrarNotFound("DHCP, DNS")),
    "option-invalid": here(e.OptionInvalid("option 43", "its length byte is wrong")),
}
