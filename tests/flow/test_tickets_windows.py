"""Windows sign-in against a server that takes NTLM, and against servers that misbehave in it.

The other side is pyspnego's acceptor behind a canned pool; Kerberos has a KDC of its own in
``tests/interop``.
"""

import hashlib
import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError
from test_webservices_canned import (
    ALICE,
    ENDPOINT,
    PUBLISH_PATH,
    WEBTICKET,
    Handler,
    Pool,
    Reply,
    Seen,
    canned,
    certify,
    phone_request,
    root,
    server_certificate,
    ticket_answer,
    webticket_mex,
)

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    NotOffered,
    RedirectRefused,
    ServerUnreachable,
    UsageError,
    UsbprovError,
)
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.webservices.session import Answer
from usbprov.webservices.windows import challenges, channel_bindings

PASSWORD = "Canary-Passw0rd"
ALICES = WindowsCredential(Way.NTLM, "CONTOSO\\alice", PASSWORD)
BOBS = WindowsCredential(Way.NTLM, "bob@contoso.test", "Canary-of-Bob")
ACCOUNTS = f"CONTOSO:alice:{PASSWORD}\n:bob@contoso.test:Canary-of-Bob\n"


def bindings_of(certificate: bytes) -> GssChannelBindings:
    digest = hashlib.sha256(certificate).digest()
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


@dataclass
class WindowsPort:
    """A ticket port that signs users in, one connection at a time.

    Attributes:
        schemes: What it asks for.
        bindings: What a sign-in must be bound to, or None.
        challenge: Gives the answer to a first token instead, if it is not None.
        verdict: Gives the answer to a last token instead, if it is not None.
    """

    schemes: str = "NTLM"
    bindings: GssChannelBindings | None = None
    challenge: Reply | None = None
    verdict: Reply | None = None
    contexts: dict[int, spnego.ContextProxy] = field(default_factory=dict)
    users: list[str | None] = field(default_factory=list)

    def __call__(self, handler: Handler, request: Seen) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            handler.reply(401, WWW_Authenticate=self.schemes)
            return
        is_last = request.connection in self.contexts
        instead = self.verdict if is_last else self.challenge
        if not is_last:
            made = spnego.server(protocol="ntlm", channel_bindings=self.bindings)
            self.contexts[request.connection] = made
        if instead is not None:
            instead(handler, request)
        else:
            self.step(handler, request, scheme, b64decode(token))

    def step(self, handler: Handler, request: Seen, scheme: str, token: bytes) -> None:
        context = self.contexts[request.connection]
        try:
            answer = context.step(token)
        except (SpnegoError, ValueError):
            handler.reply(401, WWW_Authenticate=scheme)
            return
        if not context.complete:
            handler.reply(401, WWW_Authenticate=f"{scheme} {b64encode(answer or b'').decode()}")
            return
        self.users.append(context.client_principal)
        handler.reply(200, ticket_answer(request), Content_Type="text/xml")


@pytest.fixture
def port() -> WindowsPort:
    return WindowsPort()


@pytest.fixture
def pool(tmp_path: Path, port: WindowsPort, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    accounts = tmp_path / "accounts"
    accounts.write_text(ACCOUNTS)
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts))
    with Pool(folder=tmp_path) as running:
        mex = webticket_mex(running.base, WEBTICKET, "WebTicketServiceWinNegotiate")
        running.answers[f"{WEBTICKET}/mex"] = canned(200, mex)
        running.answers[WEBTICKET] = port
        yield running


def failure_of(pool: Pool, credential: WindowsCredential = ALICES) -> UsbprovError:
    with pool.client() as services, pytest.raises(UsbprovError) as caught:
        services.ticket(credential, ENDPOINT, None)
    error = caught.value
    assert error.__context__ is None
    assert "anary" not in str(error) + repr(error) + str(error.facts())
    return error


def tokens(pool: Pool) -> list[bytes]:
    """Return the tokens that were sent, in their order; a bare request has none."""
    headers = (post.headers.get("Authorization", "") for post in pool.posts())
    return [b64decode(header.partition(" ")[2]) for header in headers]


def passwords_sent(pool: Pool) -> int:
    """Count the NTLM messages that answer a challenge out of the password."""
    return sum(token.startswith(b"NTLMSSP\0\3") for token in tokens(pool))


# --- as it should be


@pytest.mark.parametrize("schemes", ["NTLM", "Negotiate, NTLM", 'Basic realm="a, NTLM b", NTLM'])
def test_account_earns_a_ticket_over_one_connection(
    pool: Pool, port: WindowsPort, schemes: str
) -> None:
    port.schemes = schemes
    with pool.client() as services:
        assert services.ticket(ALICES, ENDPOINT, ALICE).sip_uri == ALICE
    assert [len(token) > 0 for token in tokens(pool)] == [False, True, True]
    assert {post.connection for post in pool.seen} == {0}
    assert len({post.body for post in pool.posts()}) == 1
    assert all(post.headers.get("Authorization", "NTLM")[:4] == "NTLM" for post in pool.posts())
    assert port.users == ["CONTOSO\\alice"]


def test_ntlm_is_taken_under_negotiate(pool: Pool, port: WindowsPort) -> None:
    port.schemes = "Negotiate"
    with pool.client() as services:
        assert services.ticket(ALICES, ENDPOINT, None).sip_uri == ALICE
    assert [post.headers.get("Authorization", "")[:9] for post in pool.posts()] == [
        "",
        "Negotiate",
        "Negotiate",
    ]


def test_account_without_a_domain_is_sent_as_it_was_typed(pool: Pool, port: WindowsPort) -> None:
    with pool.client() as services:
        services.ticket(BOBS, ENDPOINT, None)
    assert port.users == ["bob@contoso.test"]


def test_negotiate_without_kerberos_is_ntlm(
    pool: Pool, port: WindowsPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usbprov.net.kerberos.installed", lambda: False)
    port.schemes = "Negotiate, NTLM"
    with pool.client() as services:
        services.ticket(
            WindowsCredential(Way.NEGOTIATE, "CONTOSO\\alice", PASSWORD), ENDPOINT, None
        )
    assert port.users == ["CONTOSO\\alice"]


def test_sign_in_is_bound_to_the_certificate_that_was_shown(pool: Pool, port: WindowsPort) -> None:
    port.bindings = bindings_of(server_certificate().der)
    with pool.client() as services:
        assert services.ticket(ALICES, ENDPOINT, None).sip_uri == ALICE


def test_sign_in_over_anothers_connection_is_noticed(pool: Pool, port: WindowsPort) -> None:
    port.bindings = bindings_of(root().der)
    assert isinstance(failure_of(pool), CredentialRefused)


def test_second_user_gets_a_connection_of_his_own(pool: Pool, port: WindowsPort) -> None:
    """Servers take a connection that has signed in for its user's, whoever asks next."""
    with pool.client() as services:
        services.ticket(ALICES, ENDPOINT, None)
        services.ticket(BOBS, ENDPOINT, None)
    assert port.users == ["CONTOSO\\alice", "bob@contoso.test"]
    connections = [post.connection for post in pool.posts()]
    assert set(connections[:3]).isdisjoint(connections[3:])


def test_cookies_go_along_with_the_sign_in(pool: Pool, port: WindowsPort) -> None:
    mex = webticket_mex(pool.base, WEBTICKET, "WebTicketServiceWinNegotiate")
    pool.answers[f"{WEBTICKET}/mex"] = canned(200, mex, Set_Cookie="pool=fe01; path=/")
    with pool.client() as services:
        services.ticket(ALICES, ENDPOINT, None)
    assert [post.headers.get("Cookie") for post in pool.posts()] == ["pool=fe01"] * 3


def test_password_that_looks_like_a_hash_is_a_password(
    pool: Pool, tmp_path: Path, port: WindowsPort
) -> None:
    password = f"{'0' * 32}:{'1' * 32}"
    (tmp_path / "accounts").write_text(smbpasswd("alice", password))
    with pool.client() as services:
        services.ticket(WindowsCredential(Way.NTLM, "alice", password), ENDPOINT, None)
    assert port.users == ["alice"]


def smbpasswd(user: str, password: str) -> str:
    """Write an account by its password's hash: with colons in it, it cannot stand there itself."""
    from spnego._ntlm_raw.crypto import ntowfv1

    return f"{user}:1000:{'0' * 32}:{ntowfv1(password).hex().upper()}:[U]:LCT-0\n"


# --- refusals are final


def test_wrong_password_is_tried_once(pool: Pool, port: WindowsPort) -> None:
    wrong = WindowsCredential(Way.NTLM, "CONTOSO\\alice", "Wrong-Canary")
    with pool.client() as services:
        with pytest.raises(CredentialRefused, match="401"):
            services.ticket(wrong, ENDPOINT, None)
        with pytest.raises(CredentialRefused, match="not sent again"):
            services.ticket(wrong, ENDPOINT, None)
    assert len(pool.posts()) == 3
    assert passwords_sent(pool) == 1


def test_reason_in_the_header_is_told(pool: Pool, port: WindowsPort) -> None:
    diagnostics = '28020;"fe01";"No valid security token.";"wsse:FailedAuthentication"'
    port.verdict = canned(401, b"", WWW_Authenticate="NTLM", X_Ms_diagnostics=diagnostics)
    error = failure_of(pool)
    assert isinstance(error, CredentialRefused)
    assert (error.error_id, error.words) == (28020, "No valid security token.")


def test_endless_challenges_end_after_one_sign_in(pool: Pool, port: WindowsPort) -> None:
    first = spnego.client("alice", "-", protocol="ntlm").step() or b""

    def another_challenge(handler: Handler, request: Seen) -> None:
        port.contexts[request.connection] = spnego.server(protocol="ntlm")
        port.step(handler, request, "NTLM", first)

    port.verdict = another_challenge
    assert isinstance(failure_of(pool), CredentialRefused)
    assert passwords_sent(pool) == 1


# --- what gives no password away


def test_port_that_asks_for_something_else_gets_nothing(pool: Pool, port: WindowsPort) -> None:
    port.schemes = 'Basic realm="NTLM"'
    error = failure_of(pool)
    assert isinstance(error, NotOffered)
    assert tokens(pool) == [b""]


def test_port_that_asks_nobody_is_not_believed(pool: Pool) -> None:
    pool.answers[WEBTICKET] = lambda handler, request: handler.reply(200, ticket_answer(request))
    error = failure_of(pool)
    assert isinstance(error, AnswerInvalid)
    assert "asks nobody to sign in" in str(error)


def test_complaint_before_the_sign_in_is_told_as_it_is(pool: Pool) -> None:
    pool.answers[WEBTICKET] = canned(302, b"", Location="https://elsewhere.test/")
    assert isinstance(failure_of(pool), RedirectRefused)
    assert tokens(pool) == [b""]


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize(
    "token", [b"garbage", b"NTLMSSP\0\2\0\0\0", b"NTLMSSP\0\2" + b"\xff" * 60, b"\xa1\x82"]
)
def test_token_that_makes_no_sense_is_not_answered(
    pool: Pool, port: WindowsPort, scheme: str, token: bytes
) -> None:
    port.schemes = scheme
    header = f"{scheme} {b64encode(token).decode()}"
    port.challenge = canned(401, b"", WWW_Authenticate=header)
    assert isinstance(failure_of(pool), AnswerInvalid)
    assert passwords_sent(pool) == 0


def test_connection_that_is_to_be_closed_is_no_place_to_sign_in(
    pool: Pool, port: WindowsPort
) -> None:
    def closing(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        port.step(Closing(handler), request, "NTLM", tokens(pool)[-1])

    port.challenge = closing
    error = failure_of(pool)
    assert isinstance(error, AnswerInvalid)
    assert "ends the connection" in str(error)
    assert passwords_sent(pool) == 0


class Closing:
    """A handler that says of each answer that the connection ends with it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self._handler.reply(status, body, Connection="close", **headers)


def test_connection_that_is_lost_is_no_refusal(pool: Pool, port: WindowsPort) -> None:
    def silently(handler: Handler, request: Seen) -> None:
        handler.close_connection = True
        port.step(handler, request, "NTLM", tokens(pool)[-1])

    port.challenge = silently
    assert isinstance(failure_of(pool), ServerUnreachable)


def test_redirect_in_the_middle_is_not_followed(pool: Pool, port: WindowsPort) -> None:
    port.verdict = canned(307, b"", Location=f"{pool.base}/elsewhere")
    assert isinstance(failure_of(pool), RedirectRefused)
    assert {post.path for post in pool.posts()} == {WEBTICKET}


def test_port_on_another_host_gets_nothing(pool: Pool) -> None:
    mex = webticket_mex("https://elsewhere.test", WEBTICKET, "WebTicketServiceWinNegotiate")
    pool.answers[f"{WEBTICKET}/mex"] = canned(200, mex)
    assert isinstance(failure_of(pool), AnswerInvalid)
    assert pool.posts() == []


@pytest.mark.parametrize("level", ["0", "2"])
def test_ntlm_of_version_1_is_not_sent(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setenv("LM_COMPAT_LEVEL", level)
    error = failure_of(pool)
    assert isinstance(error, UsageError)
    assert "LM_COMPAT_LEVEL" in str(error)
    assert passwords_sent(pool) == 0


@pytest.mark.parametrize("login", [None, "CONTOSO\\alice"])
def test_ntlm_without_a_password_is_not_begun(pool: Pool, login: str | None) -> None:
    error = failure_of(pool, WindowsCredential(Way.NTLM, login))
    assert isinstance(error, UsageError)
    assert tokens(pool) == [b""]


def test_no_log_has_a_token(
    pool: Pool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pool.client() as services:
        services.ticket(ALICES, ENDPOINT, None)  # the libraries are loaded now
        with caplog.at_level(logging.DEBUG):
            for name in ("spnego", "spnego._ntlm", "urllib3", "requests", "usbprov"):
                caplog.set_level(logging.DEBUG, name)
            services.ticket(ALICES, ENDPOINT, None)
    sent = [b64encode(token).decode() for token in tokens(pool) if token]
    assert len(sent) == 4
    lines = [record.getMessage() for record in caplog.records if not by_the_acceptor(record)]
    told = "\n".join(lines) + "".join(capfd.readouterr())
    assert any(f"{WEBTICKET}: 200" in line for line in lines)
    assert [text for text in [*sent, PASSWORD, "TlRMTVNT"] if text in told] == []


def by_the_acceptor(record: logging.LogRecord) -> bool:
    """The test's own server is in this process, too; it runs in other threads."""
    return record.threadName != "MainThread"


# --- reading what servers say


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("NTLM", {"ntlm": None}),
        ("ntlm, NEGOTIATE", {"ntlm": None, "negotiate": None}),
        ("Negotiate YWJj", {"negotiate": b"abc"}),
        ("Negotiate YWJj, NTLM", {"negotiate": b"abc", "ntlm": None}),
        ("NTLM YW=Jj", {"ntlm": None}),
        ('Basic realm="x, NTLM YWJj"', {}),
        ("Bearer NTLM", {}),
        ("NTLMv3", {}),
    ],
)
def test_challenges_are_read(header: str, found: dict[str, bytes | None]) -> None:
    assert challenges(Answer("https://x/", 401, {"WWW-Authenticate": header}, b"")) == found


def test_binding_is_the_hash_that_the_certificate_is_signed_with() -> None:
    certificate = certify("other", root()).der
    bound = channel_bindings(certificate)
    assert bound is not None
    assert bound.application_data == bindings_of(certificate).application_data
    assert re.fullmatch(rb"tls-server-end-point:.{32}", bound.application_data, re.DOTALL)


def test_nothing_to_bind_to_binds_nothing() -> None:
    assert channel_bindings(b"") is None


def test_the_certificate_service_is_asked_without_signing_in(pool: Pool) -> None:
    with pool.client() as services:
        services.publish(services.ticket(ALICES, ENDPOINT, None), phone_request(), ENDPOINT)
    last = pool.posts()[-1]
    assert last.path == PUBLISH_PATH
    assert "Authorization" not in last.headers
