"""Symptoms of servers that are not found, and of what phones show on their own display."""

from usbprov.engine.diagnosis.model import Cause, Symptom
from usbprov.engine.diagnosis.table.credentials import (
    CERTIFICATE_AUTH_OFF,
    CERTIFICATE_REVOKED,
    FIRMWARE_OLD,
    NUMBER_UNKNOWN,
    PASSWORD_WRONG,
    PIN_AUTH_OFF,
    PIN_WRONG,
)
from usbprov.engine.diagnosis.table.network import FIREWALL, SERVER_DOWN
from usbprov.engine.diagnosis.table.publishing import PHONE_CLOCK_WRONG
from usbprov.engine.diagnosis.table.registrar import REMOTE_ACCESS_OFF
from usbprov.engine.diagnosis.table.trust import (
    CHAIN_DOWNLOAD_OFF,
    PHONE_LACKS_INTERMEDIATE,
    PHONE_LACKS_ROOT,
    PHONE_TOO_OLD,
    POOL_NAME_USED,
)

OTHER_NETWORK = Cause(
    "other-network",
    "This computer is on another network than the phones, or no SIP domain was given.",
    "At a port of the phones' network the same command finds the servers.",
    "Give --user or --domain, or ask from the phones' network; else give --web-services-url.",
)
OPTION_43_WRONG = Cause(
    "option-43-wrong",
    "DHCP option 43 is wrong, missing or outdated, so the phone has no URL of the certificate service.",
    "`usbprov discover` shows the option as the phone gets it, byte by byte, and tries the URL.",
    "Write it anew with `usbprov dhcp encode`, then reset the phone. At the cable, usbprov needs no DHCP.",
    known=("1", "33", "T9"),
)
OPTION_120_WRONG = Cause(
    "option-120-wrong",
    "DHCP option 120 is missing, or gives an IP address instead of the Registrar's name.",
    "`usbprov discover` shows it; the encoding byte must be 00.",
    "Set it to the pool's FQDN with `usbprov dhcp encode`, then reset the phone.",
    known=("3", "33", "T9"),
)
VENDOR_CLASS_WRONG = Cause(
    "vendor-class-wrong",
    "The vendor class is not exactly MS-UC-Client, so the option is not given to phones.",
    "`usbprov dhcp decode` shows the class; upper and lower case count.",
    "Make the vendor class anew with the ASCII data MS-UC-Client, and bind option 43 to it.",
    known=("4",),
)
CLASSES_MIXED = Cause(
    "vendor-classes-mixed",
    "One option 43 answers both CPE-OCPHONE and MS-UC-Client, so the phone takes a wrong voice VLAN.",
    "`usbprov dhcp decode` shows a VLAN among the certificate service's sub-options.",
    "Make a class each, or give the VLAN by LLDP-MED.",
    known=("5",),
)
RESPONDER_OFF = Cause(
    "responder-off",
    "Neither the Registrar's own DHCP responder is on, nor are the options set on the DHCP servers.",
    "Get-CsRegistrarConfiguration shows EnableDHCPServer False.",
    "Set-CsRegistrarConfiguration -EnableDHCPServer $true, or set options 43 and 120.",
    known=("33",),
)
NOT_RELAYED = Cause(
    "dhcp-not-relayed",
    "The relay agents of the phones' network do not forward DHCPINFORM to the Registrar's responder.",
    "In the Registrar's own network phones find it.",
    "Set the options on the DHCP servers instead.",
    known=("34",),
)
OPTION_BY_HAND = Cause(
    "option-made-by-hand",
    "The option's value was put together by hand: a wrong length byte, a space, a line break, a quotation mark.",
    "`usbprov dhcp decode` marks the byte.",
    "Write it anew with `usbprov dhcp encode`.",
    known=("6",),
)
EXCHANGE_OTHER_CA = Cause(
    "exchange-other-ca",
    "Exchange's certificate comes from another CA than the Web Services', and the phone lacks its root.",
    "Sign-in works, only calendar and voice mail fail.",
    "New-CsWebTrustedCACertificate -Thumbprint … -CAStore TrustedRootCA, Set-CsWebServiceConfiguration; or `usbprov trust install`.",
    known=("14", "T6"),
)
EXCHANGE_NO_CERTIFICATE = Cause(
    "exchange-takes-no-certificate",
    "Exchange takes no sign-in by certificate, and a phone signed in by PIN has no password for it.",
    "Phones that were signed in at a cable with a Windows account have their calendar.",
    "It is to be expected; sign in once at a cable with the Windows account where the calendar is needed.",
    known=("15", "T7"),
)
NO_ETHERNET = Cause(
    "phone-without-network",
    "The phone has no Ethernet, or no DHCP lease: the cable does not carry its registration.",
    "Its display shows no network; its switch port has no link.",
    "Connect it to its network; the cable only gives it credentials.",
    known=("16", "T4"),
)
TIME_MISSING = Cause(
    "phone-without-time",
    "The phone gets no time, so it rejects every certificate.",
    "Its display shows a wrong date; NTP to its time server is closed.",
    "Give DHCP option 42, or DNS SRV _ntp._udp; usbprov sets the clock over the cable where the phone takes it.",
    known=("9", "T5"),
)

_SCREEN = "Only a real phone shows it on its display; no lab has one."

SYMPTOMS = (
    Symptom(
        "servers-not-found",
        "DIS-01",
        "Nothing names the Web Services",
        (OTHER_NETWORK, OPTION_43_WRONG, RESPONDER_OFF, NOT_RELAYED, VENDOR_CLASS_WRONG),
    ),
    Symptom(
        "registrar-not-found",
        "DIS-04",
        "Nothing names the Registrar",
        (OPTION_120_WRONG, RESPONDER_OFF, OTHER_NETWORK),
    ),
    Symptom(
        "option-invalid",
        "DIS-03",
        "A DHCP option cannot be used",
        (OPTION_BY_HAND, VENDOR_CLASS_WRONG, CLASSES_MIXED),
    ),
    Symptom(
        "screen-not-located",
        "",
        "The phone shows: Unable to locate Lync Certificate Web service",
        (OPTION_43_WRONG, VENDOR_CLASS_WRONG, SERVER_DOWN, FIREWALL, POOL_NAME_USED),
        phrases=(
            "Unable to locate Lync Certificate Web service",
            "Locating the server to download the certificate",
        ),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-chain",
        "",
        "The phone shows: Error downloading certificate chain from OCS Registrar. Please try again",
        (CHAIN_DOWNLOAD_OFF, SERVER_DOWN),
        phrases=("Error downloading certificate chain from OCS Registrar",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-no-pin",
        "",
        "The phone never asks for a PIN",
        (OPTION_120_WRONG, PIN_AUTH_OFF, CERTIFICATE_AUTH_OFF),
        phrases=("phone never asks for PIN",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-vlan",
        "",
        "The phone is in a wrong VLAN, or in none",
        (CLASSES_MIXED, OPTION_BY_HAND),
        phrases=("wrong voice VLAN",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-personal-certificate",
        "",
        "The phone or client shows: There was a problem acquiring a personal certificate required to sign in",
        (PHONE_CLOCK_WRONG, CERTIFICATE_REVOKED, PASSWORD_WRONG),
        phrases=("problem acquiring a personal certificate",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-no-account",
        "",
        "The phone shows that no account matches number and PIN",
        (NUMBER_UNKNOWN, PIN_WRONG),
        phrases=("account matching this phone number cannot be found",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-dates",
        "",
        "The phone shows a wrong date, and trusts no server",
        (TIME_MISSING,),
        phrases=("wrong date on the phone",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-circles",
        "",
        "The phone goes through locating, downloading and installing again and again",
        (PHONE_TOO_OLD, PHONE_LACKS_INTERMEDIATE, PHONE_LACKS_ROOT, FIRMWARE_OLD),
        phrases=("Locating Domain Controller", "Installing Certificate"),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-exchange",
        "",
        "The phone shows: Connection to Microsoft Exchange is unavailable",
        (EXCHANGE_NO_CERTIFICATE, EXCHANGE_OTHER_CA),
        phrases=("Connection to Microsoft Exchange is unavailable",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-nothing",
        "",
        "Nothing happens when a phone is connected to a computer with a signed-in client",
        (NO_ETHERNET, FIRMWARE_OLD),
        phrases=("nothing happens when tethered",),
        untested=_SCREEN,
    ),
    Symptom(
        "screen-outside",
        "",
        "The first sign-in from outside fails",
        (REMOTE_ACCESS_OFF,),
        phrases=("first sign-in from outside",),
        untested=_SCREEN,
    ),
)
