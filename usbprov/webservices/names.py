"""Namespaces and URIs of the Web Services' messages (``protocol.md`` 3 to 5), by usual prefix."""

from typing import Final

WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WST: Final = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
"""WS-Trust 1.3, as the ticket service writes it: without a slash at the end."""
WST_SLASH: Final = f"{WST}/"
"""WS-Trust 1.3, as the certificate service wants it: with a slash at the end."""
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"

ANONYMOUS: Final = f"{WSA}/anonymous"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
HMAC_SHA1: Final = f"{DSIG}hmac-sha1"
SHA1: Final = f"{DSIG}sha1"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"

ISSUE_ACTION: Final = f"{WST}/RST/Issue"
PUBLISH_ACTION: Final = "http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert"

SAML_TOKEN: Final = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"  # noqa: S105
SAML_ASSERTION_ID: Final = (
    "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
)
X509_TOKEN: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"  # noqa: S105
)
PASSWORD_TEXT: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"  # noqa: S105
BASE64_BINARY: Final = f"{WSSE}#Base64Binary"
"""With a capital B, against the standard, as the service and its clients write it."""
STANDARD_BASE64: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)
"""The encoding as WSS 1.1 names it, for tokens that are the standard's own."""
PKCS10: Final = "http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10"

REQUEST_ISSUE: Final = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
"""The request type of a ticket: WS-Trust of 2005/02 within a request of 2005/12."""
REQUEST_ISSUE_CERTIFICATE: Final = f"{WST}/Issue"
SYMMETRIC_KEY: Final = f"{WST}/SymmetricKey"
CLAIMS_DIALECT: Final = "urn:component:Microsoft.Rtc.WebAuthentication.2010:authclaims"
URI_CLAIM: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"
"""The claim whose value is the user's SIP URI."""
