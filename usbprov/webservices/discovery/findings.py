"""Every fault and oddity that discovery can name: one table of words, causes and remedies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"
    """A phone does not sign in with this."""
    WARNING = "warning"
    """It may work, but is not what the servers' own tools would write."""
    NOTE = "note"
    """Worth knowing, harmless."""


class FindingKind(Enum):
    """What was found, under its stable name in ``--json``."""

    OPTION_HEADER = "option-header"
    HEX_AS_TEXT = "hex-as-text"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    TRAILING_ZERO = "trailing-zero"
    LINE_BREAK = "line-break"
    SPACES = "spaces"
    QUOTES = "quotes"
    UTF16 = "utf-16"
    NOT_TEXT = "not-text"
    EMPTY_VALUE = "empty-value"
    END_MARK = "end-mark"
    AFTER_END = "after-end"
    UNKNOWN_SUBOPTION = "unknown-sub-option"
    REPEATED_SUBOPTION = "repeated-sub-option"
    MISSING_SUBOPTION = "missing-sub-option"
    VENDOR_CLASS_CASE = "vendor-class-case"
    VENDOR_CLASS = "vendor-class"
    MIXED_CLASSES = "mixed-classes"
    IDENTIFIER = "identifier"
    SCHEME = "scheme"
    PORT_INVALID = "port-invalid"
    PORT_UNUSUAL = "port-unusual"
    PATH_UNUSUAL = "path-unusual"
    NAME_IS_ADDRESS = "name-is-address"
    NAME_INVALID = "name-invalid"
    NAME_NOT_QUALIFIED = "name-not-qualified"
    VLAN_INVALID = "vlan-invalid"
    ADDRESS_IN_120 = "address-in-120"
    TEXT_IN_120 = "text-in-120"
    ENCODING_MISSING = "encoding-missing"
    ENCODING_UNKNOWN = "encoding-unknown"
    LABEL_INVALID = "label-invalid"
    SEVERAL_NAMES = "several-names"
    NO_43 = "no-43"
    NO_120 = "no-120"
    ANSWERS_DIFFER = "answers-differ"
    SOURCES_DISAGREE = "sources-disagree"
    POOL_NAME = "pool-name"
    NOT_RESOLVABLE = "not-resolvable"
    UNREACHABLE = "unreachable"
    WRONG_NAME = "wrong-name"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NO_TLS = "no-tls"
    NOT_THE_SERVICE = "not-the-service"
    OTHER_DOMAIN = "other-domain"
    SERVICE_DENIED = "service-denied"
    UNVOUCHED_REDIRECT = "unvouched-redirect"


@dataclass(frozen=True)
class Meaning:
    """What is said of a finding.

    Attributes:
        severity: How much it matters.
        says: What was found; ``{where}`` and ``{value}`` are filled in.
        cause: How it comes about.
        remedy: What to do.
    """

    severity: Severity
    says: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """One fault or oddity.

    Attributes:
        kind: Which one.
        where: The part that it is about, such as ``sub-option 3 (WebServerFqdn)``.
        value: What stands there, or should.
    """

    kind: FindingKind
    where: str = ""
    value: str = ""

    @property
    def meaning(self) -> Meaning:
        """The table's row."""
        return MEANINGS[self.kind]

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.meaning.severity

    def __str__(self) -> str:
        return self.meaning.says.format(where=self.where, value=self.value)


_REGENERATE = "Write the value anew with `usbprov dhcp encode`."
_WEB_FQDN = "Put the pool's internal Web Services FQDN there (Get-CsService -WebServer shows it)."
_BY_HAND = "The value was put together by hand."

MEANINGS: Mapping[FindingKind, Meaning] = {
    FindingKind.OPTION_HEADER: Meaning(
        Severity.ERROR,
        "the value begins with the option's own code and length ({value})",
        "The whole option was copied from a packet; the server adds code and length itself.",
        "Take the first two bytes away.",
    ),
    FindingKind.HEX_AS_TEXT: Meaning(
        Severity.ERROR,
        "the value is the text of hex digits, not the bytes that they stand for",
        "The hex was entered into a field for text.",
        "Enter it into a field for binary or hex data, or define the option as binary.",
    ),
    FindingKind.TRUNCATED: Meaning(
        Severity.ERROR,
        "{where} is cut off: {value}",
        "A length byte is too large, or the end was lost in copying.",
        _REGENERATE,
    ),
    FindingKind.WRONG_LENGTH: Meaning(
        Severity.ERROR,
        "the length byte of {where} is wrong: {value}",
        f"{_BY_HAND} The length counts the bytes of the value only, in hexadecimal.",
        _REGENERATE,
    ),
    FindingKind.TRAILING_ZERO: Meaning(
        Severity.ERROR,
        "a zero byte stands at the end of {where}",
        "The server or its editor ends texts with a zero, or the value was typed so.",
        "Define the sub-option as binary, or leave the zero out and shorten the length byte.",
    ),
    FindingKind.LINE_BREAK: Meaning(
        Severity.ERROR,
        "{where} holds a line break",
        "The text was pasted with the end of its line.",
        "Delete it, and shorten the length byte.",
    ),
    FindingKind.SPACES: Meaning(
        Severity.ERROR,
        "{where} holds spaces: {value}",
        "The text was pasted with a space before, after or within it.",
        "Delete them, and shorten the length byte.",
    ),
    FindingKind.QUOTES: Meaning(
        Severity.ERROR,
        "{where} stands in quotation marks: {value}",
        "The server takes quotation marks as a part of the value.",
        "Delete them, and shorten the length byte.",
    ),
    FindingKind.UTF16: Meaning(
        Severity.ERROR,
        "{where} is written with two bytes a character (UTF-16)",
        "The server stores texts as UTF-16 where the option is defined as a string.",
        "Define the sub-option as binary and enter ASCII.",
    ),
    FindingKind.NOT_TEXT: Meaning(
        Severity.ERROR,
        "{where} is no ASCII text: {value}",
        "A number was entered as binary, or bytes of a neighbour were taken along.",
        _REGENERATE,
    ),
    FindingKind.EMPTY_VALUE: Meaning(
        Severity.ERROR, "{where} is empty", "Nothing was entered.", _REGENERATE
    ),
    FindingKind.END_MARK: Meaning(
        Severity.NOTE,
        "the list ends with the end mark FF",
        "RFC 2132 allows it at the end of encapsulated options.",
        "Nothing has to be done.",
    ),
    FindingKind.AFTER_END: Meaning(
        Severity.WARNING,
        "bytes follow the end mark FF: {value}",
        "Values were joined, each with its own end mark.",
        "Keep one end mark, at the very end, or none.",
    ),
    FindingKind.UNKNOWN_SUBOPTION: Meaning(
        Severity.WARNING,
        "{where} is not known",
        "A length byte before it is wrong, or another product's options are mixed in.",
        "Give each vendor class an option 43 of its own.",
    ),
    FindingKind.REPEATED_SUBOPTION: Meaning(
        Severity.WARNING,
        "{where} stands there more than once",
        "Values were joined; phones may take the first or the last.",
        "Keep one of each.",
    ),
    FindingKind.MISSING_SUBOPTION: Meaning(
        Severity.ERROR,
        "{where} is missing",
        "It was never defined, or not given a value in this scope.",
        _REGENERATE,
    ),
    FindingKind.VENDOR_CLASS_CASE: Meaning(
        Severity.ERROR,
        "the vendor class {value} differs from the phones' in upper and lower case or spaces",
        "Vendor classes are compared byte by byte; phones send MS-UC-Client or CPE-OCPHONE.",
        "Make the vendor class anew, exactly as phones send it.",
    ),
    FindingKind.VENDOR_CLASS: Meaning(
        Severity.ERROR,
        "the option is bound to the vendor class {value}, which no phone sends",
        "The class's display name (MSUCClient) was taken for its data, or it is another product's.",
        "Bind it to the vendor class with the data MS-UC-Client.",
    ),
    FindingKind.MIXED_CLASSES: Meaning(
        Severity.WARNING,
        "{where} belongs to the vendor class {value}",
        "One option 43 is given to every vendor class; phones may take the wrong voice VLAN.",
        "Make a class each for MS-UC-Client and CPE-OCPHONE, or give the VLAN by LLDP-MED.",
    ),
    FindingKind.IDENTIFIER: Meaning(
        Severity.ERROR,
        "{where} must be MS-UC-Client and is {value}",
        "Phones compare it byte by byte, and pass over the whole option if it differs.",
        _REGENERATE,
    ),
    FindingKind.SCHEME: Meaning(
        Severity.ERROR,
        "{where} must be https and is {value}",
        "The scheme stands without a colon and slashes, and certificates come over https only.",
        "Write https there.",
    ),
    FindingKind.PORT_INVALID: Meaning(
        Severity.ERROR,
        "{where} is no port number: {value}",
        "The port is written in decimal digits as text: 443 is the bytes 34 34 33.",
        "Write the port as text.",
    ),
    FindingKind.PORT_UNUSUAL: Meaning(
        Severity.WARNING,
        "{where} is {value}, where the internal Web Services listen on 443",
        "4443 is the port of the external web site, which refuses phones of the network.",
        "Write 443, if there is no reverse proxy of your own at that port.",
    ),
    FindingKind.PATH_UNUSUAL: Meaning(
        Severity.WARNING,
        "{where} is {value}, not /CertProv/CertProvisioningService.svc",
        "It was mistyped, lacks its first slash, or is that of another service.",
        "Write the usual path.",
    ),
    FindingKind.NAME_IS_ADDRESS: Meaning(
        Severity.ERROR,
        "{where} is an IP address: {value}",
        "TLS needs a name that stands in the server's certificate.",
        "Write the server's FQDN there.",
    ),
    FindingKind.NAME_INVALID: Meaning(
        Severity.ERROR,
        "{where} is no host name: {value}",
        "A URL, a port or foreign characters were put where only a host name belongs.",
        _WEB_FQDN,
    ),
    FindingKind.NAME_NOT_QUALIFIED: Meaning(
        Severity.WARNING,
        "{where} is no fully qualified name: {value}",
        "Certificates hold full names, and phones may have no DNS suffix.",
        "Write the name with its domain, without a dot at the end.",
    ),
    FindingKind.VLAN_INVALID: Meaning(
        Severity.ERROR,
        "{where} is no VLAN from 1 to 4094: {value}",
        _BY_HAND,
        "Write the voice VLAN as a number of two bytes.",
    ),
    FindingKind.ADDRESS_IN_120: Meaning(
        Severity.ERROR,
        "option 120 gives IP addresses: {value}",
        "Encoding 1 (addresses) was chosen; phones need a name for TLS and never ask for a PIN.",
        "Use encoding 0 with the FQDN of the pool's Registrar.",
    ),
    FindingKind.TEXT_IN_120: Meaning(
        Severity.ERROR,
        "option 120 holds the name as plain text: {value}",
        "The option wants the encoding byte 00, then each label with its length (RFC 3361).",
        "Define option 120 as binary, and write the value with `usbprov dhcp encode`.",
    ),
    FindingKind.ENCODING_MISSING: Meaning(
        Severity.ERROR,
        "option 120 lacks its first byte, the encoding",
        "The name is in the form of DNS, but RFC 3361 wants 00 before it.",
        "Put 00 before the value.",
    ),
    FindingKind.ENCODING_UNKNOWN: Meaning(
        Severity.ERROR,
        "option 120 has the unknown encoding {value}",
        "RFC 3361 knows 0 (names) and 1 (addresses) only.",
        _REGENERATE,
    ),
    FindingKind.LABEL_INVALID: Meaning(
        Severity.ERROR,
        "{where} cannot be read as a name in the form of DNS: {value}",
        f"{_BY_HAND} Each label wants its length before it, and the name a zero at its end.",
        _REGENERATE,
    ),
    FindingKind.SEVERAL_NAMES: Meaning(
        Severity.WARNING,
        "option 120 holds several names, and phones expect one: {value}",
        "A list of front ends was given instead of the pool.",
        "Give the FQDN of the pool (of the Director pool, if there is one).",
    ),
    FindingKind.NO_43: Meaning(
        Severity.ERROR,
        "{where} answers, but without option 43",
        "It is not set in this scope, or not for the vendor class MS-UC-Client, byte by byte.",
        "Set it with `usbprov dhcp encode`; phones cannot locate the certificate service.",
    ),
    FindingKind.NO_120: Meaning(
        Severity.ERROR,
        "{where} gives option 43, but no option 120",
        "Only the Web Services were set up; phones then never ask for a PIN.",
        "Set option 120 to the FQDN of the pool's Registrar.",
    ),
    FindingKind.ANSWERS_DIFFER: Meaning(
        Severity.ERROR,
        "servers answer differently: {value}",
        "Several DHCP servers serve this network and are not configured alike.",
        "Configure them alike, or take the one away that should not answer.",
    ),
    FindingKind.SOURCES_DISAGREE: Meaning(
        Severity.WARNING,
        "{where} disagree: {value}",
        "One of them is outdated, or there are several pools.",
        "Correct the outdated one; phones follow DHCP, computers follow DNS.",
    ),
    FindingKind.POOL_NAME: Meaning(
        Severity.WARNING,
        "the name of the Web Services is that of the Registrar, {value}",
        "The pool's FQDN was put where the Web Services' own FQDN belongs.",
        _WEB_FQDN,
    ),
    FindingKind.NOT_RESOLVABLE: Meaning(
        Severity.ERROR,
        "the name {value} cannot be resolved",
        "It is mistyped, or the DNS servers of this network do not know it.",
        "Add the record, or correct the name.",
    ),
    FindingKind.UNREACHABLE: Meaning(
        Severity.ERROR,
        "{where} cannot be reached: {value}",
        "The Web Services are down, the port is wrong, or a firewall is in between.",
        "Check the port and the firewall, and that IIS runs on the servers.",
    ),
    FindingKind.WRONG_NAME: Meaning(
        Severity.ERROR,
        "the certificate of {where} is for another name: {value}",
        "The pool's name is used where the Web Services' is meant, or the certificate lacks it.",
        _WEB_FQDN + " Or have the certificate reissued with this name.",
    ),
    FindingKind.UNTRUSTED: Meaning(
        Severity.WARNING,
        "this computer does not trust the certificate of {where}: {value}",
        "A private CA issued it; a phone that downloads its chain may still trust it.",
        "Give the CA's certificate with --ca-file.",
    ),
    FindingKind.EXPIRED: Meaning(
        Severity.ERROR,
        "the certificate of {where} is not valid now: {value}",
        "It has expired, or this computer's clock is wrong.",
        "Have it renewed.",
    ),
    FindingKind.NO_TLS: Meaning(
        Severity.ERROR,
        "no TLS connection with {where}: {value}",
        "The port is no TLS port, or the server speaks old versions only.",
        "Check the port.",
    ),
    FindingKind.NOT_THE_SERVICE: Meaning(
        Severity.ERROR,
        "{where} is not the certificate service: {value}",
        "The path is wrong, the service is switched off, or another web server has this name.",
        "Check name and path, and that certificate authentication is on.",
    ),
    FindingKind.OTHER_DOMAIN: Meaning(
        Severity.WARNING,
        "{where} names {value}, which is outside the SIP domain",
        "Clients refuse it, or ask the user: anybody on the network may have answered.",
        "Let the records of a SIP domain name servers of that domain.",
    ),
    FindingKind.SERVICE_DENIED: Meaning(
        Severity.WARNING,
        '{where} says that there is no such service (target ".")',
        "The record was set so on purpose (RFC 2782).",
        "Remove it, if the service is there.",
    ),
    FindingKind.UNVOUCHED_REDIRECT: Meaning(
        Severity.WARNING,
        "{where} leads to {value} over plain HTTP, and is not followed",
        "Anybody on the network may have answered, so only the user's own domain is followed.",
        "If it is right, give the address with --web-services-url.",
    ),
}
