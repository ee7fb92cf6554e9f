"""Symptoms of users who are not proved to the Web Services: WEB-05, 06, 08, 12 to 14, DIR-02."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying

PIN_WRONG = Cause(
    "pin-wrong",
    "Extension and PIN do not belong together: one of them is wrong, or the PIN was never set.",
    "Get-CsClientPinInfo -Identity USER shows whether a PIN is set, expired or locked; it cannot be read back.",
    "Compare the extension with Get-CsUser USER (LineURI, ;ext=); set a PIN with Set-CsClientPin -Identity USER.",
    known=("17", "18"),
)
NUMBER_UNKNOWN = Cause(
    "number-unknown",
    "No enabled user has this extension: LineURI is missing, lacks ;ext=, or the user is not enabled.",
    "Get-CsUser -Filter {LineURI -like '*1001*'} finds nobody, or somebody with Enabled False.",
    "Correct it: Set-CsUser -LineURI tel:+…;ext=…, Enable-CsUser.",
    known=("17",),
)
TOKEN_REFUSED = Cause(
    "token-refused",
    "The server takes the security token for none: it was altered on the way, or is in a form of another version.",
    "Other methods work for the same user, and the clocks agree.",
    "Look for proxies that rewrite messages. A site's own form of the PIN is given under [adapters] in the settings.",
    known=("24",),
)
SERVER_CLOCKS_DIFFER = Cause(
    "server-clocks-differ",
    "The certificate service refuses a ticket that was just given: the clocks of the pool's servers differ.",
    "Compare the time of every front end (w32tm /stripchart); the ticket's own end is shown at the step before.",
    "Have all servers of the pool take the time from one source (w32tm /resync), then repeat.",
    known=("8", "24"),
)
TICKET_ALTERED = Cause(
    "ticket-altered",
    "The ticket was altered on the way, or it was given by a server whose tickets this one does not know.",
    "It happens behind a balancer or a proxy only, not at a single front end.",
    "Go past the balancer; see that all front ends of the pool have the same OAuth and Web Services certificates.",
    known=("24",),
)
AUTHENTICATION_LOOP = Cause(
    "authentication-loop",
    "The server, or a proxy before it, answers every sign-in with HTTP 401 and another challenge.",
    "It does so for every user and any password, and where a PIN was sent, which needs no Windows sign-in.",
    "Look at the authentication settings of the site in IIS, and for a proxy that breaks up connections.",
    known=("25",),
)
PASSWORD_WRONG = Cause(
    "password-wrong",
    "Account name or password is wrong, or the account is locked, disabled or its password expired.",
    "The domain controller's Security log has event 4625 or 4776 with the reason.",
    "Check it with the user at a computer; unlock the account if need be. Each wrong try may lock it.",
    known=("10", "24", "T13"),
)
FIRMWARE_OLD = Cause(
    "firmware-too-old",
    "The phone's firmware is too old for the servers, which then answer 401 to everything.",
    "Versions before 4.0.7577.4363 are not supported; 1.0.522 never signs in.",
    "Update the firmware; this needs two steps for very old phones.",
    known=("27", "T12"),
)
CERTIFICATE_REVOKED = Cause(
    "certificate-revoked",
    "The phone's certificate is not published any more: it was revoked, or replaced by a newer one.",
    "Get-CsClientCertificate -Identity USER does not list its thumbprint.",
    "Use another way to prove the user (--auth pin, with --extension), and --replace.",
    known=("10", "32"),
)
OTHER_USERS_CREDENTIAL = Cause(
    "credential-of-other-user",
    "Extension, account or certificate belong to another user than the one who was named.",
    "The message has both users.",
    "Correct --user, --extension or --login; Get-CsUser shows who has which number.",
    known=("26",),
)
PIN_AUTH_OFF = Cause(
    "pin-auth-off",
    "Sign-in by PIN is switched off on the Web Services.",
    "Get-CsWebServiceConfiguration shows UsePinAuth False.",
    "Set-CsWebServiceConfiguration -UsePinAuth $true; or prove the user by a Windows account: --login.",
    known=("20",),
)
WINDOWS_AUTH_OFF = Cause(
    "windows-auth-off",
    "Sign-in by Windows account is switched off on the Web Services, or at this address.",
    "Get-CsWebServiceConfiguration shows UseWindowsAuth None; the external site may differ from the internal one.",
    "Set-CsWebServiceConfiguration -UseWindowsAuth NTLM (or Negotiate); or use --extension and a PIN.",
    known=("21",),
)
CERTIFICATE_AUTH_OFF = Cause(
    "certificate-auth-off",
    "Sign-in by certificate is switched off on the Web Services.",
    "Get-CsWebServiceConfiguration shows UseCertificateAuth False.",
    "Set-CsWebServiceConfiguration -UseCertificateAuth $true; without it most phones work at a cable only.",
    known=("21", "T8"),
)
URL_OF_ANOTHER_SERVICE = Cause(
    "url-of-other-service",
    "The URL is that of another service, or of the external site, which offers other methods.",
    "Its path is not /CertProv/CertProvisioningService.svc, or its host is the external FQDN.",
    "Give the internal URL: Get-CsService -WebServer shows CAHandlerInternalUri.",
    known=("1",),
)
PIN_LOCKED = Cause(
    "pin-locked",
    "The PIN is locked: too many wrong tries, at a phone or here, or an administrator did it.",
    "Get-CsClientPinInfo -Identity USER shows IsLockedOut True.",
    "Unlock-CsClientPin -Identity USER; if the user does not know it, Set-CsClientPin.",
    known=("18", "T11"),
)
PIN_UNSET = Cause(
    "pin-unset",
    "No PIN was ever set for this user; a new user has none.",
    "Get-CsClientPinInfo -Identity USER shows IsPinSet False.",
    "Set-CsClientPin -Identity USER, or let the user set it on the dial-in conferencing page.",
    known=("18",),
)
PIN_EXPIRED = Cause(
    "pin-expired",
    "The PIN has expired by the PIN policy.",
    "Get-CsClientPinInfo -Identity USER shows PinExpirationTime in the past; Get-CsPinPolicy the rule.",
    "Set-CsClientPin -Identity USER, or let the user change it on the dial-in conferencing page.",
    known=("18",),
)
NUMBER_SHARED = Cause(
    "number-shared",
    "Several users have this number, so number and PIN do not say who it is.",
    "Get-CsUser -Filter {LineURI -like '*NUMBER*'} lists more than one.",
    "Give each an extension of its own (LineURI with ;ext=), and use that with --extension.",
    known=("19",),
)
DIRECTORY_ACCOUNT = Cause(
    "directory-account",
    "Name or password is wrong, or the directory may not be read without signing in.",
    "Active Directory allows no anonymous reading as a rule; the message says what it refused.",
    "Sign in with --ldap-user and --password-stdin over ldaps:// or StartTLS. Each wrong try may lock the account.",
)

_PUBLISH = frozenset({"publish"})
_WINDOWS = frozenset({"ntlm", "kerberos", "negotiate"})
_STATUS_401 = saying(r"HTTP status (?:401|407)")

SYMPTOMS = (
    Symptom(
        "ticket-refused-when-publishing",
        "WEB-05",
        "A ticket that was just given is refused when the certificate is asked for",
        (SERVER_CLOCKS_DIFFER, TICKET_ALTERED),
        When(steps=_PUBLISH, facts={"error_id": 28020}),
    ),
    Symptom(
        "loop-401-when-publishing",
        "WEB-05",
        "HTTP 401 with a challenge where a ticket was sent",
        (AUTHENTICATION_LOOP, TICKET_ALTERED),
        When(steps=_PUBLISH, words=_STATUS_401),
    ),
    Symptom(
        "windows-loop",
        "WEB-05",
        "A new challenge after a whole Windows sign-in",
        (AUTHENTICATION_LOOP, PASSWORD_WRONG),
        When(words=saying(r"another challenge"), ways=_WINDOWS),
    ),
    Symptom(
        "windows-refused",
        "WEB-05",
        "HTTP 401 at the end of a Windows sign-in",
        (PASSWORD_WRONG, AUTHENTICATION_LOOP, FIRMWARE_OLD),
        When(words=_STATUS_401, ways=_WINDOWS),
        phrases=("HTTP 401",),
    ),
    Symptom(
        "loop-401",
        "WEB-05",
        "HTTP 401 where a PIN was sent, which needs no sign-in by HTTP",
        (AUTHENTICATION_LOOP, URL_OF_ANOTHER_SERVICE, PASSWORD_WRONG),
        When(words=_STATUS_401),
    ),
    Symptom(
        "certificate-refused",
        "WEB-05",
        "The phone's own certificate earns no ticket",
        (CERTIFICATE_REVOKED, SERVER_CLOCKS_DIFFER),
        When(ways=frozenset({"certificate"})),
    ),
    Symptom(
        "password-refused",
        "WEB-05",
        "User name and password earn no ticket",
        (PASSWORD_WRONG, OTHER_USERS_CREDENTIAL),
        When(ways=frozenset({"password"})),
    ),
    Symptom(
        "credential-refused",
        "WEB-05",
        "28020, No valid security token: extension and PIN earn no ticket",
        (PIN_WRONG, NUMBER_UNKNOWN, TOKEN_REFUSED),
        numbers=frozenset({28020}),
        phrases=("No valid security token", "could not get web ticket"),
    ),
    Symptom(
        "wrong-user",
        "WEB-06",
        "The ticket is for another user",
        (OTHER_USERS_CREDENTIAL,),
    ),
    Symptom(
        "service-not-offered",
        "WEB-08",
        "There is no certificate service at the URL",
        (URL_OF_ANOTHER_SERVICE,),
        When(words=saying(r"metadata at|with proof")),
    ),
    Symptom(
        "pin-not-offered",
        "WEB-08",
        "The Web Services do not offer tickets by PIN",
        (PIN_AUTH_OFF, URL_OF_ANOTHER_SERVICE),
        When(words=saying(r"\bPIN\b")),
    ),
    Symptom(
        "certificate-not-offered",
        "WEB-08",
        "The Web Services do not offer tickets by certificate",
        (CERTIFICATE_AUTH_OFF, URL_OF_ANOTHER_SERVICE),
        When(words=saying(r"certificate")),
    ),
    Symptom(
        "windows-not-offered",
        "WEB-08",
        "The Web Services do not offer tickets by Windows account or password",
        (WINDOWS_AUTH_OFF, URL_OF_ANOTHER_SERVICE),
    ),
    Symptom("pin-locked", "WEB-12", "The PIN is locked", (PIN_LOCKED,), numbers=frozenset({28901})),
    Symptom(
        "pin-expired",
        "WEB-13",
        "The PIN has expired",
        (PIN_EXPIRED, PIN_UNSET),
        When(words=saying(r": .*\bexpired\b")),
        numbers=frozenset({28903}),
    ),
    Symptom(
        "pin-unset",
        "WEB-13",
        "No PIN is set",
        (PIN_UNSET, PIN_EXPIRED),
        numbers=frozenset({28902}),
    ),
    Symptom(
        "number-shared",
        "WEB-14",
        "Number and PIN fit more than one user",
        (NUMBER_SHARED,),
        numbers=frozenset({28904}),
    ),
    Symptom(
        "directory-refused",
        "DIR-02",
        "The directory refuses the sign-in or the search",
        (DIRECTORY_ACCOUNT, PASSWORD_WRONG),
    ),
)
