"""Symptoms of sign-ins at a Registrar that do not come to their end: SIP-01 to SIP-13."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying
from usbprov.engine.diagnosis.table.credentials import PASSWORD_WRONG
from usbprov.engine.diagnosis.table.network import FIREWALL, NAME_UNKNOWN, SERVER_DOWN
from usbprov.engine.diagnosis.table.trust import OWN_CLOCK_WRONG

REGISTRAR_STOPPED = Cause(
    "registrar-stopped",
    "The Front End service, which is the Registrar, does not run or does not listen at this port.",
    "The server answers at 443, and refuses or closes the connection at 5061.",
    "Get-CsWindowsService -Name RTCSRV on every front end, Start-CsWindowsService; read certprov.log and the event log there.",
)
REGISTRAR_SLOW = Cause(
    "registrar-slow",
    "The Registrar is overloaded, or waits for a store or domain controller that it does not reach.",
    "Other users of the pool sign in slowly, too; Test-CsRegistration shows its Latency.",
    "Repeat later: the certificate is in the phone. If it stays, look at load and back-end database of the pool.",
)
HOME_POOL_DOWN = Cause(
    "home-pool-down",
    "This Registrar is well, but does not reach the user's home pool or a server behind it (SIP 504).",
    "Users of other pools sign in at the same Registrar.",
    "Get-CsPool and Get-CsWindowsService for the home pool (Get-CsUser, RegistrarPool); then repeat.",
)
ROUTE_UNTRUSTED = Cause(
    "route-untrusted",
    "The servers do not trust one another: a certificate between Director, Edge and pool has expired or is unknown.",
    "The number 1010 or 1007 is in the message; sign-in at the home pool itself succeeds.",
    "Compare Get-CsCertificate on every server on the way, and their trusted roots.",
)
CERTIFICATE_NOT_PUBLISHED = Cause(
    "certificate-not-in-home-pool",
    "The certificate is not the one published in the home pool: it was revoked or replaced, or not yet replicated.",
    "Get-CsClientCertificate -Identity USER does not list its thumbprint. Wait a minute and sign in again first.",
    "Provision the phone again with --replace: that publishes a new certificate.",
    known=("10", "32"),
)
USER_MOVED = Cause(
    "user-moved",
    "The user was moved to another pool, which does not know the certificate.",
    "Get-CsUser USER shows another RegistrarPool than the one where it was published.",
    "Provision the phone again with --replace against the new pool's Web Services.",
    known=("32",),
)
USER_CERTIFICATE_EXPIRED = Cause(
    "user-certificate-expired",
    "The phone's certificate has expired.",
    "`usbprov info` shows until when it is valid.",
    "usbprov recover with the user's PIN: the phone's key gets a new certificate.",
    known=("10",),
)
USER_UNKNOWN = Cause(
    "user-unknown",
    "The Registrar knows no such user: not enabled for SIP, removed, or of another deployment.",
    "Get-CsUser USER finds nobody, or SipAddress differs from the certificate's.",
    "Enable-CsUser USER with this SIP address, or provision for the right one.",
    known=("17",),
)
USER_DISABLED = Cause(
    "user-disabled",
    "The user is disabled, or may not sign in at this pool.",
    "Get-CsUser USER shows Enabled False.",
    "Set-CsUser USER -Enabled $true, then sign in again.",
    known=("17",),
)
REMOTE_ACCESS_OFF = Cause(
    "remote-access-off",
    "The user may not sign in from outside, and this is the Edge.",
    "The number 4003 is in the message; from the internal network it works.",
    "Grant-CsExternalAccessPolicy with EnableOutsideAccess, or use the internal Registrar. Provision inside first.",
    known=("T10",),
)
CREDENTIAL_OF_OTHER = Cause(
    "certificate-of-other-user",
    "Certificate or account belong to another user than the one who signs in.",
    "The number 4004 is in the message; `usbprov info` shows for whom the certificate is.",
    "Provision the phone for the right user with --replace.",
    known=("26",),
)
DSK_OFF = Cause(
    "registrar-certificate-auth-off",
    "Sign-in by certificate (TLS-DSK) is switched off at the Registrar.",
    "It offers other ways only, as the message says; no phone but the CX700 works then.",
    "Set-CsProxyConfiguration -UseCertificateForClientToProxyAuth $true on the pool.",
    known=("21", "T8"),
)
NTLM_OFF = Cause(
    "registrar-windows-auth-off",
    "Sign-in by this kind of Windows authentication is switched off at the Registrar.",
    "Get-CsProxyConfiguration shows UseNtlmForClientToProxyAuth or UseKerberosForClientToProxyAuth False.",
    "Use another --auth, or switch it on with Set-CsProxyConfiguration.",
)
REGISTRAR_FALSE = Cause(
    "registrar-not-genuine",
    "What took the sign-in does not prove that it is the Registrar: it answers in its place, or changes messages.",
    "The certificate shown in the sign-in is not the pool's (Get-CsCertificate on a front end).",
    "Do not hand the phone out. Find out what answers at that address; look for inspection of port 5061.",
)
POOL_KEYS_DIFFER = Cause(
    "pool-keys-differ",
    "Servers of one pool do not share the state of a sign-in: a balancer spreads one connection over several.",
    "At a single front end the sign-in succeeds.",
    "Switch affinity on at the balancer, or use DNS load balancing for SIP.",
)
NOT_A_REGISTRAR = Cause(
    "not-a-registrar",
    "Another service listens at this port, or something between changes the messages.",
    "A stock client fails at this address, too; the port is not 5061.",
    "Check host and port of the Registrar: Get-CsService -Registrar; DHCP option 120.",
    known=("33",),
)
POOLS_DISAGREE = Cause(
    "pools-disagree",
    "The pools do not agree where the user's home is: a move is half done, or not yet replicated.",
    "Get-CsUser USER shows another RegistrarPool on one pool than on the other.",
    "Get-CsManagementStoreReplicationStatus; finish the move (Move-CsUser), then sign in again.",
    known=("32",),
)
SIGN_IN_TLS = Cause(
    "sign-in-tls-policy",
    "The TLS versions or cipher suites that certificate sign-in needs are switched off on the front ends.",
    "Schannel's settings there lack TLS_RSA_WITH_AES_*_CBC_*, or every version that both sides know.",
    "Switch them on for the front ends (Schannel), or keep TLS 1.0 for phones that speak nothing else.",
    known=("29",),
)
REGISTRAR_POLICY = Cause(
    "registrar-policy",
    "A policy of the Registrar does not allow the sign-in, or it misses something in the request.",
    "The Registrar's words and number are in the message.",
    "Change what they name, then sign in again; the tracing of OCSLogger or CLSLogger has the whole exchange.",
)
NUMBER_OF_SEVERAL = Cause(
    "number-of-several-users",
    "Several users have the phone number from which the phone calls.",
    "The number 4002 is in the message; Get-CsUser -Filter {LineURI -like '*NUMBER*'} lists more than one.",
    "Give each user a LineURI of its own.",
    known=("19",),
)


def _number(diagnostic: int) -> When:
    return When(facts={"diagnostic": diagnostic})


SYMPTOMS = (
    Symptom(
        "registrar-name-unknown",
        "SIP-01",
        "The Registrar's name does not resolve",
        (NAME_UNKNOWN, SERVER_DOWN),
        When(words=saying(r"name is not known")),
    ),
    Symptom(
        "registrar-unreachable",
        "SIP-01",
        "The Registrar is not reached, or the connection breaks",
        (REGISTRAR_STOPPED, FIREWALL, SERVER_DOWN),
    ),
    Symptom(
        "registrar-slow",
        "SIP-02",
        "The Registrar does not answer in time",
        (REGISTRAR_SLOW, FIREWALL),
    ),
    Symptom(
        "registrar-route-untrusted",
        "SIP-03",
        "SIP 1010: no trust with the next server",
        (ROUTE_UNTRUSTED, HOME_POOL_DOWN),
        _number(1010),
        numbers=frozenset({1010}),
    ),
    Symptom(
        "registrar-stopped",
        "SIP-03",
        "The Registrar answers that its service is not available",
        (REGISTRAR_STOPPED, HOME_POOL_DOWN),
        When(facts={"status": 503}),
        phrases=("SIP 503",),
    ),
    Symptom(
        "home-pool-down",
        "SIP-03",
        "SIP 504 or 1007: the home pool, or a server on the way to it, is not reached",
        (HOME_POOL_DOWN, ROUTE_UNTRUSTED, REGISTRAR_STOPPED),
        numbers=frozenset({1007}),
        phrases=("SIP 504",),
    ),
    Symptom(
        "number-of-several",
        "SIP-04",
        "SIP 4002: several users have the phone's number",
        (NUMBER_OF_SEVERAL,),
        _number(4002),
        numbers=frozenset({4002}),
    ),
    Symptom(
        "sign-in-refused",
        "SIP-04",
        "The Registrar refuses the sign-in for a reason of its own",
        (REGISTRAR_POLICY, USER_DISABLED),
        numbers=frozenset({4010, 4011, 4012}),
    ),
    Symptom(
        "user-certificate-expired",
        "SIP-05",
        "The Registrar does not accept the certificate, which has expired",
        (USER_CERTIFICATE_EXPIRED, OWN_CLOCK_WRONG),
        When(words=saying(r"expired")),
    ),
    Symptom(
        "certificate-not-accepted",
        "SIP-05",
        "SIP 1000, Final handshake failed: the Registrar does not accept the certificate",
        (CERTIFICATE_NOT_PUBLISHED, USER_MOVED, USER_CERTIFICATE_EXPIRED),
        numbers=frozenset({1000}),
        phrases=("Final handshake failed",),
    ),
    Symptom(
        "account-not-accepted",
        "SIP-06",
        "The Registrar does not accept the Windows account",
        (PASSWORD_WRONG, USER_DISABLED),
    ),
    Symptom(
        "user-moved",
        "SIP-07",
        "SIP 4006: the user is not found in the pool",
        (USER_MOVED, POOLS_DISAGREE, USER_UNKNOWN),
        _number(4006),
        numbers=frozenset({4006}),
    ),
    Symptom(
        "user-unknown",
        "SIP-07",
        "SIP 404, 1003 or 4005: the Registrar knows no such user",
        (USER_UNKNOWN, USER_MOVED),
        numbers=frozenset({1003, 4005}),
        phrases=("SIP 404",),
    ),
    Symptom(
        "remote-access-off",
        "SIP-08",
        "SIP 4003: the user may not sign in from outside",
        (REMOTE_ACCESS_OFF,),
        _number(4003),
        numbers=frozenset({4003}),
    ),
    Symptom(
        "certificate-of-other",
        "SIP-08",
        "SIP 4004: the credential is not for this user",
        (CREDENTIAL_OF_OTHER,),
        _number(4004),
        numbers=frozenset({4004}),
    ),
    Symptom(
        "user-disabled",
        "SIP-08",
        "SIP 403 or 4141: the user may not sign in",
        (USER_DISABLED, REMOTE_ACCESS_OFF, CREDENTIAL_OF_OTHER),
        numbers=frozenset({4141}),
        phrases=("SIP 403",),
    ),
    Symptom(
        "dsk-not-offered",
        "SIP-09",
        "The Registrar does not offer sign-in by certificate",
        (DSK_OFF,),
        When(facts={"scheme": "TLS-DSK"}),
    ),
    Symptom(
        "scheme-not-offered",
        "SIP-09",
        "The Registrar does not offer the Windows sign-in that is needed",
        (NTLM_OFF,),
    ),
    Symptom(
        "registrar-unproved",
        "SIP-10",
        "The Registrar does not sign, or signs wrongly, or its handshake does not end rightly",
        (REGISTRAR_FALSE, POOL_KEYS_DIFFER),
    ),
    Symptom("not-sip", "SIP-11", "What answers does not speak SIP", (NOT_A_REGISTRAR,)),
    Symptom(
        "pools-disagree",
        "SIP-12",
        "Registrars send the user from one to the other",
        (POOLS_DISAGREE, USER_MOVED),
        phrases=("SIP 301",),
    ),
    Symptom(
        "sign-in-tls",
        "SIP-13",
        "No version or cipher suite is common in the handshake of the sign-in",
        (SIGN_IN_TLS,),
    ),
)
