"""The ``/mex`` documents of both services (WSDL 1.1 with WS-Policy).

``Policy`` and ``service`` are direct children of the root and there is one ``service``: clients
in the field look nowhere else. Only what the lab offers is in them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from usbprov.lab.names import (
    AUTODISCOVER_PATH,
    AUTODISCOVER_USER_PATH,
    CERTIFICATE_PATH,
    CERTIFICATE_PORT,
    CERTPROV_PATH,
    NTLM_PORT,
    OCS_AUTH,
    PASSWORD_PATH,
    PASSWORD_PORT,
    PIN_PATH,
    PIN_PORT,
    PROOF_PATH,
    PROOF_PORT,
    SP,
    WEBTICKET_PATH,
    WINDOWS_PORT,
    WSA,
    WSDL,
    WSDL_SOAP,
    WSP,
    WST,
    WSU,
    tag,
)

_TEMPURI = "http://tempuri.org/"


@dataclass(frozen=True)
class Port:
    """One port of a service: its name, its URL, and what its policy asserts."""

    name: str
    location: str
    policy: Callable[[etree._Element], None]


@dataclass(frozen=True)
class Endpoints:
    """The URLs of a front end.

    Attributes:
        base: ``https://host:port``, as clients reach it.
        plain: ``http://host:port``, for what is anonymous.
    """

    base: str
    plain: str = ""

    @property
    def certprov(self) -> str:
        """The certificate provisioning service."""
        return self.base + CERTPROV_PATH

    @property
    def webticket(self) -> str:
        """The Web ticket service; also the issuer named in tickets."""
        return self.base + WEBTICKET_PATH

    @property
    def proof_port(self) -> str:
        """Where ``GetAndPublishCert`` goes; also the audience of tickets."""
        return self.base + PROOF_PATH

    @property
    def password_port(self) -> str:
        """Where a ticket is asked for with user name and password."""
        return self.base + PASSWORD_PATH

    @property
    def chain(self) -> str:
        """Where the chain of the server's certificate is, without TLS."""
        return self.plain + CERTPROV_PATH

    @property
    def autodiscover(self) -> str:
        """Where a client begins that has found the server by its name."""
        return self.base + AUTODISCOVER_PATH

    @property
    def autodiscover_user(self) -> str:
        """What a user is told who has a ticket for it."""
        return self.base + AUTODISCOVER_USER_PATH


def certprov_metadata(endpoints: Endpoints) -> bytes:
    """Describe the certificate provisioning service ([MS-OCAUTHWS] 3.1.4.1)."""

    def proof(policy: etree._Element) -> None:
        supporting = etree.SubElement(policy, tag(SP, "EndorsingSupportingTokens"))
        inner = etree.SubElement(supporting, tag(WSP, "Policy"))
        issuer = etree.SubElement(
            etree.SubElement(inner, tag(SP, "IssuedToken")), tag(SP, "Issuer")
        )
        etree.SubElement(issuer, tag(WSA, "Address")).text = endpoints.webticket

    root = _definitions(OCS_AUTH)
    ports = [Port(PROOF_PORT, endpoints.proof_port, proof)]
    _policies(root, ports)
    _operation(
        root,
        "CertProvisioningService",
        "GetAndPublishCert",
        ("GetAndPublishCertMsg", "GetAndPublishCertResponseMsg"),
    )
    _service(root, "CertProvisioningService", ports)
    return _encode(root)


def webticket_metadata(endpoints: Endpoints, off: frozenset[str], *, ntlm: bool = False) -> bytes:
    """Describe the Web ticket service ([MS-OCAUTHWS] 3.2.4.1).

    Args:
        endpoints: The URLs.
        off: The ways to get a ticket that are not offered.
        ntlm: Whether the Windows port takes NTLM only.
    """
    root = _definitions(_TEMPURI)
    every = {
        "windows": Port(NTLM_PORT if ntlm else WINDOWS_PORT, endpoints.webticket, _windows),
        "pin": Port(PIN_PORT, endpoints.base + PIN_PATH, _user_name),
        "password": Port(PASSWORD_PORT, endpoints.password_port, _user_name),
        "certificate": Port(CERTIFICATE_PORT, endpoints.base + CERTIFICATE_PATH, _certificate),
    }
    ports = [port for method, port in every.items() if method not in off]
    _policies(root, ports)
    operation = _operation(
        root,
        "IWebTicketService",
        "IssueToken",
        ("IWebTicketService_IssueToken_InputMessage", "IWebTicketService_IssueToken_OutputMessage"),
    )
    for part, action in zip(operation, ("/RST/Issue", "/RSTRC/IssueFinal"), strict=True):
        part.set(tag(_WSAW, "Action"), WST + action)
    _service(root, "WebTicketService", ports)
    return _encode(root)


def _windows(policy: etree._Element) -> None:
    negotiate = "http://schemas.microsoft.com/ws/06/2004/policy/http"
    etree.SubElement(policy, tag(negotiate, "NegotiateAuthentication"), nsmap={"http": negotiate})


def _user_name(policy: etree._Element) -> None:
    supporting = etree.SubElement(policy, tag(SP, "SignedSupportingTokens"))
    inner = etree.SubElement(supporting, tag(WSP, "Policy"))
    etree.SubElement(inner, tag(SP, "UsernameToken"))


def _certificate(policy: etree._Element) -> None:
    supporting = etree.SubElement(policy, tag(SP, "EndorsingSupportingTokens"))
    inner = etree.SubElement(supporting, tag(WSP, "Policy"))
    etree.SubElement(inner, tag(SP, "X509Token"))


_WSAW = "http://www.w3.org/2006/05/addressing/wsdl"


def _definitions(target: str) -> etree._Element:
    nsmap = {
        "wsdl": WSDL,
        "soap": WSDL_SOAP,
        "wsp": WSP,
        "wsa10": WSA,
        "wsaw": _WSAW,
        "wsu": WSU,
        "sp": SP,
        "tns": target,
    }
    root = etree.Element(tag(WSDL, "definitions"), nsmap=nsmap)
    root.set("targetNamespace", target)
    return root


def _policies(root: etree._Element, ports: Sequence[Port]) -> None:
    for port in ports:
        policy = etree.SubElement(root, tag(WSP, "Policy"))
        policy.set(tag(WSU, "Id"), f"{port.name}_policy")
        one = etree.SubElement(policy, tag(WSP, "ExactlyOne"))
        port.policy(etree.SubElement(one, tag(WSP, "All")))


def _operation(
    root: etree._Element, port_type: str, name: str, messages: tuple[str, str]
) -> etree._Element:
    parent = etree.SubElement(root, tag(WSDL, "portType"), name=port_type)
    operation = etree.SubElement(parent, tag(WSDL, "operation"), name=name)
    for direction, message in zip(("input", "output"), messages, strict=True):
        etree.SubElement(operation, tag(WSDL, direction), message=f"tns:{message}")
    return operation


def _service(root: etree._Element, name: str, ports: Sequence[Port]) -> None:
    service = etree.SubElement(root, tag(WSDL, "service"), name=name)
    for port in ports:
        element = etree.SubElement(service, tag(WSDL, "port"), name=port.name)
        etree.SubElement(element, tag(WSDL_SOAP, "address"), location=port.location)


def _encode(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")
