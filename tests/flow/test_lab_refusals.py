"""Everything that the lab's Web Services must refuse, and how they say it."""

import base64
import logging
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from lab_client import (
    PUBLISH_ACTION,
    RST_ACTION,
    Client,
    certificate,
    first,
    p_hash,
    publish_message,
    request,
    rst,
    running_lab,
    security,
    shared_key,
    signature,
    text,
    uri_claim,
)

from usbprov.lab.store import published, unlock

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), synthetic_users=200) as lab:
        yield lab


@pytest.fixture
def client(lab):
    with Client(lab) as client:
        yield client


@pytest.fixture(scope="module")
def fresh(lab):
    return iter(lab.facts.users)


@pytest.fixture
def user(fresh):
    """A user whom no other test has: wrong PINs are counted."""
    return next(fresh)


@pytest.fixture
def other(fresh):
    return next(fresh)


def fault_code(answer):
    assert answer.status == 500, answer.body
    return first(answer.body, "faultcode").text.partition(":")[2]


def assert_no_token(answer):
    """The fault of the field: FailedAuthentication or the like, with diagnostics id 28020."""
    fault_code(answer)
    assert text(answer.body, "ErrorId") == "28020"
    assert text(answer.body, "Reason") == "No valid security token."


def reason(answer):
    assert answer.status == 200, answer.body
    assert first(answer.body, "BinarySecurityToken") is None
    return text(answer.body, "Reason")


# --- the ticket service ---


def test_a_wrong_pin(client, user):
    answer = client.ask_ticket(user.extension, "000000")
    assert_no_token(answer)
    assert fault_code(answer) == "FailedAuthentication"
    assert first(answer.body, "faultstring").get("{http://www.w3.org/XML/1998/namespace}lang")


def test_an_unknown_extension_is_answered_as_a_wrong_pin_is(client, user):
    unknown = client.ask_ticket("99999", user.pin)
    assert unknown.body == client.ask_ticket(user.extension, "000000").body


def test_the_extension_of_another_user(client, user, other):
    answer = client.ask_ticket(user.extension, user.pin, claims=uri_claim(other.sip_uri))
    assert_no_token(answer)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "<wsse:UsernameToken/>",
        "<wsse:UsernameToken><wsse:Username>{0}</wsse:Username></wsse:UsernameToken>",
        (
            "<wsse:UsernameToken><wsse:Username>alice</wsse:Username>"
            "<wsse:Password>{1}</wsse:Password></wsse:UsernameToken>"
        ),
    ],
)
def test_no_credentials(client, user, token):
    assert_no_token(client.ask_ticket(user.extension, user.pin, token=token))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"audience": "https://localhost/elsewhere"}, "InvalidScope"),
        ({"audience": ""}, "InvalidScope"),
        ({"token_type": "urn:other"}, "InvalidRequest"),
        ({"request_type": "urn:other"}, "InvalidRequest"),
        ({"key_type": "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer"}, "InvalidRequest"),
        ({"secret": ""}, "InvalidRequest"),
        ({"secret": "AAAA"}, "InvalidRequest"),
        ({"secret": "no base64!"}, "InvalidRequest"),
        ({"context": "c" * 300}, "InvalidRequest"),
        ({"claims": '<wst:Claims Dialect="urn:other"/>'}, "InvalidRequest"),
        ({"claims": uri_claim("")}, "InvalidRequest"),
    ],
)
def test_a_ticket_request_for_something_else(client, user, change, code):
    assert fault_code(client.ask_ticket(user.extension, user.pin, **change)) == code


def test_a_malformed_request_costs_no_try(client, user):
    for _ in range(6):
        client.ask_ticket(user.extension, "000000", key_type="urn:other")
    assert client.ask_ticket(user.extension, user.pin).status == 200


def test_five_wrong_pins_lock_the_user(lab, client, user):
    for _ in range(5):
        assert_no_token(client.ask_ticket(user.extension, "000000"))
    for pin in (user.pin, "000000"):
        locked = client.ask_ticket(user.extension, pin)
        assert fault_code(locked) == "FailedAuthentication"
        assert text(locked.body, "ErrorId") == "28901"
    unlock(lab.facts.ca_file.parent.parent, user.sip_uri)
    assert client.ask_ticket(user.extension, user.pin).status == 200


def test_a_right_pin_forgets_the_wrong_ones(client, user):
    for _ in range(2):
        for _ in range(4):
            client.ask_ticket(user.extension, "000000")
        assert client.ask_ticket(user.extension, user.pin).status == 200


# --- the message ---


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no XML", "Client"),
        (b"", "Client"),
        (b"<a/>", "Client"),
        (b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>', "VersionMismatch"),
        (b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>', "Client"),
    ],
)
def test_what_is_no_soap_message(client, body, code):
    assert fault_code(client.post(client.pin_port, RST_ACTION, body)) == code


@pytest.mark.parametrize(
    "dtd",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY e "720511">]>',
    ],
)
def test_a_document_type_is_refused(client, user, dtd):
    body = client.rst(user.extension, user.pin).replace('<?xml version="1.0"?>', dtd)
    assert fault_code(client.post(client.pin_port, RST_ACTION, body)) == "Client"


def test_an_unknown_mandatory_header(client, user):
    header = '<x:y xmlns:x="urn:x" soap:mustUnderstand="1"/>'
    answer = client.ask_ticket(user.extension, user.pin, header=header)
    assert fault_code(answer) == "MustUnderstand"


def test_another_soap_action(client, user):
    answer = client.post(client.pin_port, PUBLISH_ACTION, client.rst(user.extension, user.pin))
    assert fault_code(answer) == "Client"


def test_another_content_type(client, user):
    body = client.rst(user.extension, user.pin).encode()
    headers = {"Content-Type": "application/json", "SOAPAction": f'"{RST_ACTION}"'}
    assert client.ask("POST", client.pin_port, body, **headers).status == 415


def test_a_message_over_1_mib(client):
    assert client.post(client.pin_port, RST_ACTION, b"<a>" + b" " * (1 << 20)).status == 413


# --- the ticket at the certificate service ---


def test_no_ticket(client, user):
    answer = client.publish(client.ticket(user), header="")
    assert_no_token(answer)


def test_two_security_headers(client, user):
    ticket = client.ticket(user)
    message = publish_message(ticket).replace("</soap:Header>", "<wsse:Security/></soap:Header>")
    assert fault_code(client.post(client.proof_port, PUBLISH_ACTION, message)) == "InvalidSecurity"


def tampering():
    def edit(pattern, by):
        return lambda ticket: replace(ticket, assertion=re.sub(pattern, by, ticket.assertion))

    return {
        "another user": edit("sip:[^<]*<", "sip:mallory@contoso.test<"),
        "a longer life": edit('NotOnOrAfter="20', 'NotOnOrAfter="21'),
        "another audience": edit("<saml:Audience>", "<saml:Audience>x"),
        "another id": edit("SamlSecurityToken-.", "SamlSecurityToken-x"),
        "another cipher value": edit(
            "<e:CipherValue>.", lambda m: m[0][:-1] + ("B" if m[0][-1] == "A" else "A")
        ),
        "no signature": edit("(?s)<ds:Signature.*</ds:Signature>", ""),
        "a comment cannot hide": edit("sip:", "sip:mallory<!-- -->"),
        "another proof key": lambda ticket: replace(ticket, key=bytes(32)),
    }


@pytest.mark.parametrize("name", tampering())
def test_a_ticket_that_was_changed(client, user, name):
    answer = client.publish(tampering()[name](client.ticket(user)))
    assert_no_token(answer)


def test_a_comment_in_the_assertion_does_not_change_who_it_is_for(client, user):
    """Comments are not signed: with one inserted, the ticket must mean what it meant."""
    ticket = client.ticket(user)
    commented = replace(ticket, assertion=ticket.assertion.replace("@", "@<!--x-->"))
    found = certificate(client.publish(commented, entity=user.sip_uri.removeprefix("sip:")))
    assert found.subject.rfc4514_string() == f"CN={user.sip_uri.removeprefix('sip:')}"


def test_the_ticket_of_one_user_with_the_proof_of_another(client, user, other):
    mine, foreign = client.ticket(user), client.ticket(other)
    assert_no_token(client.publish(replace(foreign, key=mine.key)))


def window(created, expires):
    wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    return "".join(
        f'<{name} xmlns="{wsu}">{moment.strftime("%Y-%m-%dT%H:%M:%SZ")}</{name}>'
        for name, moment in (("Created", created), ("Expires", expires))
    )


def test_a_timestamp_outside_the_life_of_the_ticket(client, user):
    from datetime import datetime

    ticket = client.ticket(user)
    created, expires = (
        datetime.fromisoformat(m) for m in re.findall(r">([^<]+)Z<", ticket.lifetime)
    )
    hour = timedelta(hours=1)
    for window_ in (
        (created - hour, expires),
        (created, expires + hour),
        (expires, created),
        (created + hour, expires),  # not yet valid
    ):
        assert_no_token(client.publish(replace(ticket, lifetime=window(*window_))))
    inside = replace(ticket, lifetime=window(created, created + hour))
    assert certificate(client.publish(inside))


def test_a_timestamp_without_times(client, user):
    assert_no_token(client.publish(replace(client.ticket(user), lifetime="")))


# --- signature wrapping ---


def test_a_second_timestamp(client, user):
    ticket = client.ticket(user)
    header = security(ticket)
    stamp = re.match(r"<wsu:Timestamp.*</wsu:Timestamp>", header).group(0)
    for extra in (stamp, stamp.replace('"timestamp"', '"other"')):
        assert_no_token(client.publish(ticket, header=extra + header))


def test_the_signed_timestamp_moved_aside(client, user):
    """The signed element elsewhere, an unsigned one in its place, with its id or another."""
    ticket = client.ticket(user)
    header = security(ticket)
    stamp = re.match(r"<wsu:Timestamp.*</wsu:Timestamp>", header).group(0)
    forged = re.sub(r"(<Expires[^>]*>)\d{4}", r"\g<1>2099", stamp)
    for unsigned in (forged, forged.replace('"timestamp"', '"other"')):
        aside = f"{unsigned}<x:Aside xmlns:x='urn:x'>{stamp}</x:Aside>"
        assert_no_token(client.publish(ticket, header=header.replace(stamp, aside)))


def test_a_forged_assertion_around_the_signed_one(client, user, other):
    """The verified assertion is the used one: a forgery beside or around it gains nothing."""
    ticket = client.ticket(user)
    forged = ticket.assertion.replace(user.sip_uri, other.sip_uri)
    evil_id = forged.replace(ticket.assertion_id, "SamlSecurityToken-evil")
    opened = evil_id.rpartition("</saml:Assertion>")[0]
    around = f"{opened}{ticket.assertion}</saml:Assertion>"
    entity = other.sip_uri.removeprefix("sip:")
    for assertion in (forged + ticket.assertion, ticket.assertion + evil_id, around, evil_id):
        answer = client.publish(replace(ticket, assertion=assertion), entity=entity)
        assert_no_token(answer)


def test_a_shortened_hmac_is_refused(client, user):
    """HMACOutputLength 0 would make every signature right (CVE-2009-0217)."""
    ticket = client.ticket(user)
    header = security(ticket).replace(
        'hmac-sha1"></SignatureMethod>',
        'hmac-sha1"><HMACOutputLength>0</HMACOutputLength></SignatureMethod>',
    )
    empty = re.sub("<SignatureValue>[^<]*", "<SignatureValue>", header)
    for forged in (header, empty):
        assert_no_token(client.publish(ticket, header=forged))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("xmldsig#sha1", "xmldsig#md5"),
        ("xml-exc-c14n#", "xml-exc-c14n#WithComments"),
        ('URI="#timestamp"', 'URI=""'),
        ("profile-1.0#SAMLAssertionID", "profile-1.1#SAMLID"),
        ("<DigestValue>", "<DigestValue>AAAA"),
        ("<SignatureValue>", "<SignatureValue>AAAA"),
    ],
)
def test_a_signature_of_another_kind(client, user, old, new):
    ticket = client.ticket(user)
    stamp, assertion, signed = security(ticket).partition(ticket.assertion)
    assert old in signed
    header = stamp + assertion + signed.replace(old, new)
    assert_no_token(client.publish(ticket, header=header))


def test_a_signature_that_names_another_assertion(client, user):
    ticket = client.ticket(user)
    stamp = security(ticket).partition(ticket.assertion)[0]
    header = stamp + ticket.assertion + signature(stamp, ticket.key, "SamlSecurityToken-other")
    assert_no_token(client.publish(ticket, header=header))


# --- the request for a certificate ---


def bad_signature():
    der = bytearray(request(shared_key(), "x"))
    der[-1] ^= 1
    return bytes(der)


REFUSED = {
    "entity of another user": ({"entity": "nobody@contoso.test"}, "not the user"),
    "entity with its scheme": ({"entity": "sip:user0001@contoso.test"}, "not the user"),
    "no entity": ({"entity": "", "csr": b"x"}, "malformed"),
    "device without braces": ({"device": "124841e4-264d-52e8-96c5-d22aa8cdc316"}, "device"),
    "device that is no UUID": ({"device": "{phone}"}, "device"),
    "WS-Trust namespace without the slash": (
        {"wst": "http://docs.oasis-open.org/ws-sx/ws-trust/200512"},
        "malformed",
    ),
    "CSR with a wrong signature": ({"csr": bad_signature}, "certificate request"),
    "CSR that is none": ({"csr": b"0\x03\x02\x01\x00"}, "certificate request"),
    "key of 1024 bits": ({"csr": lambda: request(shared_key(1024), "x")}, "smaller or larger"),
    "no base64": ({"encoded": "!"}, "malformed"),
    "another value type": ({"value_type": "urn:other"}, "malformed"),
    "request id too long": ({"request_id": "i" * 300}, "malformed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_certificate_request_that_is_refused(lab, client, user, name):
    changes, words = REFUSED[name]
    made = {key: value() if callable(value) else value for key, value in changes.items()}
    assert words in reason(client.publish(client.ticket(user), **made))
    rows = published(lab.facts.ca_file.parent.parent)
    assert user.sip_uri not in {row.sip_uri for row in rows}


def test_another_operation_in_the_body(client, user):
    message = publish_message(client.ticket(user)).replace("GetAndPublishCert", "Revoke")
    assert fault_code(client.post(client.proof_port, PUBLISH_ACTION, message)) == "Client"


# --- secrets ---


def test_nothing_secret_is_logged(client, user, caplog):
    with caplog.at_level(logging.DEBUG):
        entropy = bytes(range(7, 39))
        answer = client.post(
            client.pin_port, RST_ACTION, client.rst(user.extension, user.pin, entropy)
        )
        client.ask_ticket(user.extension, user.pin + "9")
        certificate(client.publish(client.ticket(user)))
    secret = base64.b64decode(text(answer.body, "BinarySecret"))
    logged = caplog.text
    assert "/WebTicket/WebTicketService.svc/pin" in logged
    assert user.pin not in logged
    assert user.password not in logged
    for value in (entropy, secret, p_hash(entropy, secret)[:32]):
        assert base64.b64encode(value).decode() not in logged
        assert value.hex() not in logged
    assert first(answer.body, "Assertion").get("AssertionID") not in logged


def test_the_test_client_is_right_when_nothing_is_changed(client, user):
    """Or all of the refusals above might be for a reason of its own."""
    assert certificate(client.publish(client.ticket(user)))
    assert rst(user.extension, user.pin, bytes(32), audience=client.proof_port)
