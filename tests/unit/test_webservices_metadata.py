"""What is read out of the services' metadata, and what is refused there."""

import pytest

from usbprov.errors import AnswerInvalid, NotOffered
from usbprov.webservices.metadata import (
    Metadata,
    Offer,
    TicketMethod,
    TicketUse,
    publish_port,
    read_metadata,
    ticket_location,
    ticket_ports,
)
from usbprov.webservices.xmlsafe import parse

POOL = "https://pool.test"
PORT = f"{POOL}/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
ISSUER = f"{POOL}/WebTicket/WebTicketService.svc"

POLICY = """<wsp:Policy wsu:Id="{name}_policy"><wsp:ExactlyOne><wsp:All>
  <sp:{use}><wsp:Policy><sp:IssuedToken>
   <sp:Issuer><wsa10:Address>{issuer}</wsa10:Address></sp:Issuer>
  </sp:IssuedToken></wsp:Policy></sp:{use}>
 </wsp:All></wsp:ExactlyOne></wsp:Policy>"""
SERVICE = """<wsdl:service name="S"><wsdl:port name="{name}">
  <soap:address location="{location}"/></wsdl:port></wsdl:service>"""
HEAD = """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"
 xmlns:wsa10="http://www.w3.org/2005/08/addressing" xmlns:wsu="urn:wsu"
 xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702">"""
NAME = "CertProvisioningServiceWebTicketProof_SHA1"


def metadata(
    name: str = NAME,
    use: str = "EndorsingSupportingTokens",
    issuer: str = ISSUER,
    location: str = PORT,
) -> Metadata:
    policy = POLICY.format(name=name, use=use, issuer=issuer)
    service = SERVICE.format(name=name, location=location)
    text = f"{HEAD}{policy}{service}</wsdl:definitions>"
    return read_metadata(parse(text.encode(), "pool.test"))


def test_port_and_issuer_are_found() -> None:
    assert publish_port(metadata(), "pool.test") == (PORT, ISSUER)


def test_names_count_without_case_and_prefixes_and_within_a_wrapper() -> None:
    text = (
        "<Metadata><MetadataSection>"
        f'<Policy Id="{NAME.upper()}_Policy"><ExactlyOne><All><EndorsingSupportingTokens><Policy>'
        f"<IssuedToken><Issuer><Address> {ISSUER}/ </Address></Issuer></IssuedToken>"
        "</Policy></EndorsingSupportingTokens></All></ExactlyOne></Policy>"
        f'<service><port name="{NAME.lower()}"><address location="{PORT}"/></port></service>'
        "</MetadataSection></Metadata>"
    )
    found = read_metadata(parse(text.encode(), "pool.test"))
    assert publish_port(found, "pool.test") == (PORT, ISSUER)


def test_first_of_two_ports_of_a_name_counts() -> None:
    twice = SERVICE.format(name="P", location="https://a.test/") + SERVICE.format(
        name="P", location="https://b.test/"
    )
    found = read_metadata(parse(f"{HEAD}{twice}</wsdl:definitions>".encode(), "s"))
    assert found.locations == {"p": "https://a.test/"}


def test_bearer_tickets_are_recognised_and_not_used() -> None:
    bearer = metadata(use="SignedSupportingTokens")
    assert bearer.policies[NAME.lower()].use is TicketUse.BEARER
    with pytest.raises(NotOffered, match="tickets with proof"):
        publish_port(bearer, "pool.test")


@pytest.mark.parametrize("body", ["", "<html><body>It works</body></html>"])
def test_document_of_another_service_offers_nothing(body: str) -> None:
    found = read_metadata(parse(f"{HEAD}{body}</wsdl:definitions>".encode(), "pool.test"))
    with pytest.raises(NotOffered):
        publish_port(found, "pool.test")


def test_port_without_policy_is_not_used() -> None:
    text = f"{HEAD}{SERVICE.format(name=NAME, location=PORT)}</wsdl:definitions>"
    with pytest.raises(NotOffered):
        publish_port(read_metadata(parse(text.encode(), "pool.test")), "pool.test")


@pytest.mark.parametrize(
    "location",
    ["https://evil.test/x", "http://pool.test/x", "", "/relative", "https://pool.test:x/"],
)
def test_port_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(AnswerInvalid):
        publish_port(metadata(location=location), "pool.test")


def test_issuer_may_be_another_host_but_no_other_scheme() -> None:
    other = "https://sts.test/WebTicket/WebTicketService.svc"
    assert publish_port(metadata(issuer=other), "pool.test") == (PORT, other)
    with pytest.raises(AnswerInvalid, match="not https"):
        publish_port(metadata(issuer="http://pool.test/x"), "pool.test")


def test_methods_are_those_that_have_a_port() -> None:
    ports = ticket_ports(metadata(name="WebTicketServicePin", location=f"{ISSUER}/pin"))
    offer = Offer(PORT, ISSUER, ports)
    assert offer.methods == {TicketMethod.PIN}
    assert ticket_location(offer, TicketMethod.PIN) == f"{ISSUER}/pin"
    with pytest.raises(
        NotOffered, match=r"sign-in by win negotiate \(WebTicketServiceWinNegotiate"
    ):
        ticket_location(offer, TicketMethod.WIN_NEGOTIATE)


def test_credentials_go_to_the_issuers_host_only() -> None:
    offer = Offer(PORT, ISSUER, {TicketMethod.PIN: "https://evil.test/pin"})
    with pytest.raises(AnswerInvalid, match=r"another host, evil\.test"):
        ticket_location(offer, TicketMethod.PIN)
