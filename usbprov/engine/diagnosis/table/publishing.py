"""Symptoms of certificates that are not published, or not as asked for: WEB-04, 09, 11, CHK."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying
from usbprov.engine.diagnosis.table.answers import CERTIFICATE_SERVICE_FAULTY
from usbprov.engine.diagnosis.table.trust import CHAIN_DOWNLOAD_OFF, OWN_CLOCK_WRONG
from usbprov.errors import ReadBackDiffers

_BOOTSTRAP = "Test-CsPhoneBootstrap -PhoneOrExt NUMBER -PIN PIN -UserSipAddress URI -TargetFqdn POOL -Verbose"

STORE_SPORADIC = Cause(
    "store-sporadic",
    "The user store of the home pool did not answer this time; it comes and goes, as while a pool fails over.",
    "A repeat succeeds. `usbprov check phone-bootstrap --other-extension` of the pool fails now and then, too.",
    "Repeat: the job goes on with the same key. If it recurs, look for `data store unavailable` on every front end.",
    known=("12",),
)
STORE_LASTING = Cause(
    "store-lasting",
    "The Web Services do not reach the user store of the home pool: User Services or its database is down.",
    "It stayed through all repeats, and --other-extension of `usbprov check phone-bootstrap` fails alike.",
    "On every front end: Get-CsWindowsService -Name RTCSRV, the way to the back-end database, event `data store unavailable`.",
    known=("12",),
)
THIS_USER = Cause(
    "user-in-no-store",
    "Only this user fails: the user is being moved, or not in the pool where Web Services look.",
    "`usbprov check phone-bootstrap --other-extension` with a user of the same pool succeeds.",
    "Get-CsUser USER shows RegistrarPool; Move-CsUser again, or Get-CsManagementStoreReplicationStatus.",
    known=("32",),
)
REGISTRAR_DOWN = Cause(
    "registrar-down",
    "The Registrar of the user's pool is stopped, starting, or not reached from the Web Services.",
    "On one server of the pool run " + _BOOTSTRAP + ".",
    "Read certprov.log on every server of the pool; Get-CsWindowsService -Name RTCSRV; check the Registrar's certificate.",
)
CSR_SIZE = Cause(
    "csr-key-size",
    "The key of the request is smaller or larger than the Web Services allow.",
    "Get-CsWebServiceConfiguration shows MinCSRKeySize and MaxCSRKeySize.",
    "Repeat with --replace --key-bits within that window, or widen it with Set-CsWebServiceConfiguration.",
    known=("22",),
)
POLICY = Cause(
    "policy-forbids",
    "A policy or the state of the user forbids it: the user is disabled, or may not use this method.",
    "The server's words above name it; another user is not refused.",
    "Get-CsUser USER (Enabled, policies); change what the words name, then start again.",
)
TICKET_OF_OTHER_USER = Cause(
    "entity-not-user",
    "The certificate was asked for another user than the ticket's.",
    "The user in the settings or on the command line differs from the ticket's.",
    "Leave --user out, so that the ticket says who it is; or correct it.",
    known=("26",),
)
SERVER_CLOCK_WRONG = Cause(
    "server-clock-wrong",
    "The clock of the Web Services is ahead of this computer's, so the certificate is not valid yet.",
    "The server's own time differs from that of a third device; w32tm /query /status on the front end.",
    "Set the server's clock (w32tm /resync), then repeat. Nothing was installed.",
    known=("8",),
)
ISSUED_EXPIRED = Cause(
    "issued-expired",
    "The server gave out a certificate that has expired: an old one from its store, or its clock is far behind.",
    "The end of its validity is in the message; the server's own time is right.",
    "Revoke-CsClientCertificate -Identity USER, then repeat; look at the server's clock. Nothing was installed.",
    known=("10",),
)
ISSUED_OTHER_KEY = Cause(
    "issued-for-other-key",
    "The server answered with the certificate of another key: an older one of this user, or of another request.",
    "Get-CsClientCertificate -Identity USER lists it with an earlier date.",
    "Revoke-CsClientCertificate -Identity USER, then repeat with --replace. Nothing was installed.",
    known=("10",),
)
ISSUED_OTHER_USER = Cause(
    "issued-for-other-user",
    "The server issued the certificate to another user than the ticket's.",
    "The message has both addresses; the user may have been renamed, and one server does not know it yet.",
    "Compare Get-CsUser on every front end; wait for replication, then repeat. Nothing was installed.",
    known=("26",),
)
ISSUED_SHORT = Cause(
    "issued-too-short",
    "The server issues certificates that hold for less than an hour; phones would enrol again and again.",
    "Get-CsWebServiceConfiguration shows a DefaultValidityPeriodHours that is too short.",
    "Set-CsWebServiceConfiguration -DefaultValidityPeriodHours 4320, then repeat.",
)
PHONE_CLOCK_WRONG = Cause(
    "phone-clock-wrong",
    "The phone's clock is wrong, and cannot be set over the cable.",
    "`usbprov info` shows the phone's clock.",
    "Let the phone get the time: DHCP option 42, or DNS SRV _ntp._udp; then repeat.",
    known=("9", "T5"),
)
ISSUED_UNFIT = Cause(
    "issued-unfit",
    "The certificate is signed or made in a way that is not to be used: MD5, or a key that is too short.",
    "The message names it; certificates of other users of this pool are the same.",
    "Look at the certificate of the Web Services with which they sign (Get-CsCertificate), and renew it.",
    known=("28",),
)
STORAGE_FAULTY = Cause(
    "phone-storage-faulty",
    ReadBackDiffers.cause,
    "It happens again with the same phone, and not with others at the same port.",
    ReadBackDiffers.remedy,
)

SYMPTOMS = (
    Symptom(
        "store-lasting",
        "WEB-09",
        "Publishing fails through all repeats: the user store of the home pool does not answer",
        (STORE_LASTING, STORE_SPORADIC, THIS_USER),
        When(repeated=True),
    ),
    Symptom(
        "store-once",
        "WEB-09",
        "Publishing fails once: the user store of the home pool does not answer",
        (STORE_SPORADIC, STORE_LASTING, THIS_USER),
        numbers=frozenset({28911}),
        phrases=("data store unavailable",),
    ),
    Symptom(
        "registrar-down",
        "WEB-11",
        "Publishing fails: the Registrar of the user's pool is not available",
        (REGISTRAR_DOWN, THIS_USER),
        numbers=frozenset({28912}),
    ),
    Symptom(
        "request-key-size",
        "WEB-04",
        "The request is refused for the size of its key",
        (CSR_SIZE,),
        When(words=saying(r"key .*(?:smaller|larger|size)|key size")),
        numbers=frozenset({28925}),
    ),
    Symptom(
        "request-other-user",
        "WEB-04",
        "The request is refused: it is not for the ticket's user",
        (TICKET_OF_OTHER_USER, POLICY),
        When(words=saying(r"not the user of the")),
        numbers=frozenset({28922}),
    ),
    Symptom(
        "chain-download-refused",
        "WEB-04",
        "The chain download is refused",
        (CHAIN_DOWNLOAD_OFF,),
        When(words=saying(r"download of the certificate chain")),
        numbers=frozenset({28906}),
    ),
    Symptom(
        "request-refused",
        "WEB-04",
        "The Web Services refuse the request",
        (POLICY, CERTIFICATE_SERVICE_FAULTY),
        numbers=frozenset({28921, 28923, 28924, 28926}),
    ),
    Symptom(
        "issued-not-yet-valid",
        "CHK-01",
        "The issued certificate is not valid yet",
        (SERVER_CLOCK_WRONG, OWN_CLOCK_WRONG),
        When(facts={"check": "not-yet-valid"}),
    ),
    Symptom(
        "issued-expired",
        "CHK-01",
        "The issued certificate has expired",
        (ISSUED_EXPIRED, OWN_CLOCK_WRONG, SERVER_CLOCK_WRONG),
        When(facts={"check": "expired"}),
    ),
    Symptom(
        "issued-other-key",
        "CHK-01",
        "The issued certificate is for another key",
        (ISSUED_OTHER_KEY, CERTIFICATE_SERVICE_FAULTY),
        When(facts={"check": "key"}),
    ),
    Symptom(
        "issued-other-user",
        "CHK-01",
        "The issued certificate is for another user",
        (ISSUED_OTHER_USER, CERTIFICATE_SERVICE_FAULTY),
        When(facts={"check": "user"}),
    ),
    Symptom(
        "issued-short",
        "CHK-01",
        "The issued certificate is about to expire",
        (ISSUED_SHORT, OWN_CLOCK_WRONG),
        When(facts={"check": "short"}),
    ),
    Symptom(
        "issued-phone-clock",
        "CHK-01",
        "The issued certificate is not valid by the phone's clock",
        (PHONE_CLOCK_WRONG, SERVER_CLOCK_WRONG),
        When(facts={"check": "phone-clock"}),
    ),
    Symptom(
        "issued-unfit",
        "CHK-01",
        "The issued certificate has a weak signature or key",
        (ISSUED_UNFIT, CERTIFICATE_SERVICE_FAULTY),
    ),
    Symptom(
        "read-back-differs",
        "CHK-02",
        "The phone gives back another certificate",
        (STORAGE_FAULTY,),
    ),
)
