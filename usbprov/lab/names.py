"""The names of the Web Services' wire: namespaces, URIs, port names and paths.

Written from the specifications only ([MS-OCAUTHWS], WS-Trust 1.3, WSS 1.1, XML-Signature); the
client has its own. A URI that looks inconsistent (2005/02 beside 200512, a trailing slash) is
what the real service uses.
"""

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
"""SOAP 1.1."""
WSA = "http://www.w3.org/2005/08/addressing"
WSP = "http://schemas.xmlsoap.org/ws/2004/09/policy"
SP = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
AUTH_CLAIMS = "http://schemas.xmlsoap.org/ws/2006/12/authorization"

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _WSS + "wssecurity-secext-1.0.xsd"
WSU = _WSS + "wssecurity-utility-1.0.xsd"
X509V3 = _WSS + "x509-token-profile-1.0#X509v3"
BASE64_BINARY = WSSE + "#Base64Binary"

WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
"""WS-Trust 1.3, as the Web ticket service uses it."""
WST_SLASH = WST + "/"
"""WS-Trust as the certificate service uses it: with a slash at the end, else it refuses."""
ISSUE_ACTION = WST + "/RST/Issue"
ISSUE_REQUEST_TYPES = frozenset(
    {"http://schemas.xmlsoap.org/ws/2005/02/trust/Issue", WST_SLASH + "Issue"}
)
SYMMETRIC_KEY = WST + "/SymmetricKey"
BEARER_KEY = WST + "/Bearer"
COMPUTED_PSHA1 = WST + "/CK/PSHA1"

SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML_TOKEN = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"  # noqa: S105
SAML_ASSERTION_ID = (
    "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
)
COMPACT_TOKEN = "urn:component:Microsoft.Rtc.WebAuthentication.2010:user-cwt-1"  # noqa: S105
HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"
BEARER = "urn:oasis:names:tc:SAML:1.0:cm:bearer"
AM_PASSWORD = "urn:oasis:names:tc:SAML:1.0:am:password"  # noqa: S105 - a URI
AM_CERTIFICATE = "urn:oasis:names:tc:SAML:1.0:am:X509-PKI"
AM_WINDOWS = "urn:federation:authentication:windows"
URI_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"
CLAIMS_DIALECT = "urn:component:Microsoft.Rtc.WebAuthentication.2010:authclaims"

DS = "http://www.w3.org/2000/09/xmldsig#"
HMAC_SHA1 = DS + "hmac-sha1"
RSA_SHA1 = DS + "rsa-sha1"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA1 = DS + "sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
KW_AES256 = XENC + "kw-aes256"

OCS_AUTH = "http://schemas.microsoft.com/OCS/AuthWebServices/"
PUBLISH_ACTION = OCS_AUTH + "GetAndPublishCert"
PKCS10 = "http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10"
WSTEP = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment"
DIAGNOSTICS = "urn:component:Microsoft.Rtc.WebAuthentication.2010"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
XML_NS = "http://www.w3.org/XML/1998/namespace"

CERTPROV_PATH = "/CertProv/CertProvisioningService.svc"
PROOF_PATH = CERTPROV_PATH + "/WebTicket_Proof_SHA1"
PROOF_PORT = "CertProvisioningServiceWebTicketProof_SHA1"
WEBTICKET_PATH = "/WebTicket/WebTicketService.svc"
WINDOWS_PORT = "WebTicketServiceWinNegotiate"
NTLM_PORT = "WebTicketServiceWinNtlm"
PIN_PORT = "WebTicketServicePin"
PASSWORD_PORT = "WebTicketServiceAuth"  # noqa: S105 - the name of a port
CERTIFICATE_PORT = "WebTicketServiceCert"
PIN_PATH = WEBTICKET_PATH + "/pin"
"""Lab choice: the real location is not publicly known; clients read it from ``/mex``."""
PASSWORD_PATH = WEBTICKET_PATH + "/Auth"
CERTIFICATE_PATH = WEBTICKET_PATH + "/cert"
"""Lab choice, as that of PIN_PATH."""
AUTODISCOVER_PATH = "/Autodiscover/AutodiscoverService.svc/root"
AUTODISCOVER_USER_PATH = AUTODISCOVER_PATH + "/user"


def tag(namespace: str, name: str) -> str:
    """Return the name in Clark notation: ``{namespace}name``."""
    return f"{{{namespace}}}{name}"
