"""Symptoms of servers that are not trusted, by this computer or by the phone: TLS-01 to TLS-07."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying

INTERMEDIATE_MISSING = Cause(
    "intermediate-missing",
    "The server sends its own certificate without the intermediate that issued it.",
    "It presents one certificate only, and that is not issued by a root that is known here.",
    "Install the intermediate on the server (certlm.msc, Intermediate Certification Authorities), and restart IIS.",
    known=("11", "T1"),
)
ROOT_UNKNOWN = Cause(
    "root-unknown",
    "The server's certificate comes from a CA that this computer does not know: a private one, or a new one.",
    "The server sends its whole chain, and none of it is issued by a root that is known here.",
    "Have the root's SHA-256 read out by the administrator, compare it, and give the root with --ca-file.",
    known=("11", "13"),
)
INSPECTED = Cause(
    "tls-inspected",
    "A firewall or proxy inspects TLS and shows a certificate of its own.",
    "The issuer shown is that of the firewall, and other servers have it, too.",
    "Except the Web Services and the Registrar from inspection; phones cannot work through it.",
)
SELF_SIGNED = Cause(
    "self-signed",
    "The server shows a certificate that it made itself, as after a fresh installation.",
    "Subject and issuer of the only certificate shown are the same.",
    "Assign the right one: Get-CsCertificate and Set-CsCertificate, or the binding of the site in IIS.",
)
WEAK = Cause(
    "algorithm-weak",
    "A certificate of the chain is signed with SHA-1, or has a key that is too short for this computer.",
    "The whole chain is there and leads to a known root; the complaint is of a key or a digest.",
    "Have the certificates issued anew with SHA-256. Until then --allow-old-tls HOST bears it for this one server.",
)
NAME_NOT_COVERED = Cause(
    "name-not-covered",
    "The server's certificate does not hold the name by which it was addressed.",
    "The names in the certificate are others than the one in the URL, in option 43 or in option 120.",
    "Use a name of the certificate, or have it reissued with this name (Request-CsCertificate -DomainName).",
    known=("30",),
)
POOL_NAME_USED = Cause(
    "pool-name-used",
    "The pool's FQDN is used where the Web Services have a name of their own.",
    "The certificate holds the Web Services' name: Get-CsService -WebServer shows InternalFqdn.",
    "Use that name in the URL and in DHCP option 43.",
    known=("7",),
)
SERVER_CERTIFICATE_EXPIRED = Cause(
    "server-certificate-expired",
    "The certificate of the server, or one above it, has expired.",
    "The end of its validity, shown above, is past; this computer's date is right.",
    "Renew it (Request-CsCertificate, then Set-CsCertificate) and restart the services that use it.",
    known=("31",),
)
OWN_CLOCK_WRONG = Cause(
    "own-clock-wrong",
    "This computer's clock is wrong.",
    "Its date differs from that of any other device; certificates of other servers fail, too.",
    "Set it (timedatectl set-ntp true, or w32tm /resync), then repeat.",
    known=("8",),
)
OLD_ROOT_CHOSEN = Cause(
    "old-root-left",
    "An expired root or intermediate of the same name is left, on the server or in the directory, and is chosen.",
    "The server's own certificate is valid, one above it is not.",
    "Remove the expired one from the server's store and from the directory, and publish revocation lists over HTTP.",
    known=("31",),
)
TLS_TOO_OLD = Cause(
    "tls-too-old",
    "The server speaks only TLS versions older than 1.2.",
    "The complaint is of the protocol version, not of a certificate.",
    "Have TLS 1.2 switched on (Schannel). Until then --allow-old-tls HOST lets this one server speak an older one.",
    known=("29",),
)
NOT_A_TLS_PORT = Cause(
    "not-a-tls-port",
    "The port is no TLS port: plain HTTP, or another service, answers.",
    "The complaint is of a wrong version number or of a handshake that is none.",
    "Use 443 for the Web Services and 5061 for the Registrar.",
)
HANDSHAKE_BROKEN = Cause(
    "handshake-broken",
    "Server and computer find no common cipher suite, or something between ends the handshake.",
    "From the servers' own network it works, or it fails there just so.",
    "Compare the cipher suites of the server (Schannel) with those of this computer; look for inspection between.",
)
PHONE_LACKS_ROOT = Cause(
    "phone-lacks-root",
    "The phone's store lacks the root of the server's CA: it is as old as the firmware.",
    "`usbprov trust plan` names the missing certificate, and where it can be got.",
    "Give the root with --ca-file; the cable is in, so `usbprov trust install` puts it into the phone.",
    known=("11", "13", "14", "T2", "T6"),
)
PHONE_LACKS_INTERMEDIATE = Cause(
    "phone-lacks-intermediate",
    "The server sends no intermediate, and the phone fetches none by itself.",
    "The root is in the phone; what is missing is between it and the server.",
    "Have the server send its whole chain; `usbprov trust install` puts the intermediate into the phone meanwhile.",
    known=("T1",),
)
CHAIN_DOWNLOAD_OFF = Cause(
    "chain-download-off",
    "The download of the certificate chain is switched off on the Web Services, or offers another chain.",
    "Get-CsWebServiceConfiguration shows EnableCertChainDownload False, or a list of roots without this one.",
    "Set-CsWebServiceConfiguration -EnableCertChainDownload $true; name other roots with New-CsWebTrustedCACertificate.",
    known=("2", "14"),
)
PHONE_TOO_OLD = Cause(
    "phone-too-old",
    "Model or firmware of the phone cannot compute a signature or a key size of the chain.",
    "`usbprov info` shows the phone's limits; no installation changes them.",
    "Update the firmware; else have the server's chain issued with RSA up to 2048 bits and SHA-1 or SHA-256.",
    known=("28", "T3"),
)
NOTHING_VOUCHES = Cause(
    "nothing-vouches",
    "The missing certificate came over a way that anybody can forge, and no root known here vouches for it.",
    "The certificates and their SHA-256 are listed above.",
    "Have the administrator read the SHA-256 out, compare it, and repeat with --fingerprint; or give --ca-file.",
    known=("2", "11"),
)

SYMPTOMS = (
    Symptom(
        "chain-weak",
        "TLS-01",
        "The chain is signed with an algorithm or a key that is too weak",
        (WEAK, ROOT_UNKNOWN),
        When(facts={"check": "algorithm"}),
        phrases=("CA md too weak", "ee key too small", "ca key too small"),
    ),
    Symptom(
        "chain-self-signed",
        "TLS-01",
        "The server shows a certificate that it signed itself",
        (SELF_SIGNED, INSPECTED),
        When(facts={"check": "self-signed"}),
        phrases=("self-signed certificate", "self signed certificate"),
    ),
    Symptom(
        "chain-root-unknown",
        "TLS-01",
        "The server's whole chain is there, its root is not known here",
        (ROOT_UNKNOWN, INSPECTED, INTERMEDIATE_MISSING),
        When(least={"presented": 2}),
        phrases=("self-signed certificate in certificate chain",),
    ),
    Symptom(
        "chain-incomplete",
        "TLS-01",
        "The chain does not lead to a root that is known here",
        (INTERMEDIATE_MISSING, ROOT_UNKNOWN, INSPECTED),
        phrases=(
            "unable to get local issuer certificate",
            "unable to verify the first certificate",
            "There was a problem verifying the certificate from the server",
        ),
    ),
    Symptom(
        "name-mismatch",
        "TLS-02",
        "The server's certificate is for another name",
        (NAME_NOT_COVERED, POOL_NAME_USED, INSPECTED),
        phrases=("hostname mismatch", "IP address mismatch"),
    ),
    Symptom(
        "certificate-not-yet-valid",
        "TLS-03",
        "The server's certificate is not valid yet",
        (OWN_CLOCK_WRONG, SERVER_CERTIFICATE_EXPIRED),
        When(words=saying(r"not yet valid")),
        phrases=("certificate is not yet valid",),
    ),
    Symptom(
        "certificate-expired",
        "TLS-03",
        "The server's certificate, or one above it, has expired",
        (SERVER_CERTIFICATE_EXPIRED, OWN_CLOCK_WRONG, OLD_ROOT_CHOSEN),
        phrases=("certificate has expired",),
    ),
    Symptom(
        "tls-version",
        "TLS-04",
        "No TLS version is common to server and computer",
        (TLS_TOO_OLD, HANDSHAKE_BROKEN),
        When(facts={"check": "protocol"}),
        phrases=("unsupported protocol", "tlsv1 alert protocol version"),
    ),
    Symptom(
        "tls-none",
        "TLS-04",
        "The TLS handshake fails",
        (NOT_A_TLS_PORT, HANDSHAKE_BROKEN, TLS_TOO_OLD),
        phrases=("wrong version number", "handshake failure"),
    ),
    Symptom(
        "download-insufficient",
        "TLS-05",
        "The chain download does not give what a phone needs to verify a server",
        (CHAIN_DOWNLOAD_OFF, PHONE_LACKS_ROOT),
        When(steps=frozenset({"chain-download"})),
    ),
    Symptom(
        "phone-distrusts",
        "TLS-05",
        "The phone would not trust the server, and what it lacks is not at hand",
        (PHONE_LACKS_ROOT, CHAIN_DOWNLOAD_OFF, PHONE_LACKS_INTERMEDIATE),
    ),
    Symptom(
        "phone-cannot-verify",
        "TLS-06",
        "The phone can never verify the server's chain",
        (PHONE_TOO_OLD,),
    ),
    Symptom(
        "source-unverified",
        "TLS-07",
        "What the phone lacks was got, but nothing vouches for it",
        (NOTHING_VOUCHES, INSPECTED),
    ),
)
