"""Windows sign-in at the HTTP level: NTLM and Negotiate (RFC 4559), connection by connection."""

import asyncio
import base64
import collections
import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from usbprov.lab.accounts import Accounts
from usbprov.lab.calls import note
from usbprov.lab.refusals import Refusal
from usbprov.lab.users import LabUser

NEGOTIATE, NTLM = "Negotiate", "NTLM"
_NTLM_V2_ONLY = "5"
_STOP_SECONDS = 10.0
_numbers = itertools.count(1)


@dataclass
class Connection:
    """A TCP connection, as far as a sign-in is bound to it.

    Attributes:
        transport: Its transport, for faults that reset it.
        dropped: Whether a fault has reset it.
        number: Its own.
        when_lost: What is to be called when it is gone.
    """

    transport: asyncio.Transport
    dropped: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    when_lost: list[Callable[[], None]] = field(default_factory=list)

    def lost(self) -> None:
        """Say that it is gone."""
        for call in self.when_lost:
            call()
        self.when_lost.clear()


@dataclass(frozen=True)
class Step:
    """What became of a client's token: an answer to it, a user who is proved, or an error."""

    token: str | None = None
    user: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Admitted:
    """A user who is proved, and the headers that his answer must have."""

    user: LabUser
    headers: Mapping[str, str]


def environment(accounts: Path, keytab: Path | None) -> dict[str, str]:
    """Return the variables that the acceptor needs beside those that it inherits.

    Args:
        accounts: The file that ``Accounts.write`` has written.
        keytab: Of the service principal ``HTTP/host@REALM``; without it no Kerberos is taken,
            even if this computer has a keytab.
    """
    return {
        "NTLM_USER_FILE": str(accounts),
        "LM_COMPAT_LEVEL": _NTLM_V2_ONLY,
        "KRB5_KTNAME": f"FILE:{keytab.absolute() if keytab else os.devnull}",
    }


class Acceptor:
    """Holds the acceptor's process, which is started by the first token."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Say what the process finds in its environment, see ``environment``."""
        self._variables = variables
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._forgotten: collections.deque[int] = collections.deque()

    def step(self, number: int, token: str) -> Step:
        """Hand on a token (base64) that came over the connection of that number."""
        with self._lock:
            process = self._running()
            forgotten = [self._forgotten.popleft() for _ in range(len(self._forgotten))]
            request = {"number": number, "token": token, "forget": forgotten}
            if process.stdin is None or process.stdout is None:
                return Step(error="no acceptor")
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                return Step(**json.loads(process.stdout.readline()))
            except (OSError, ValueError):
                return Step(error="the acceptor has ended")

    def forget(self, number: int) -> None:
        """Say that a connection is gone; never waits."""
        self._forgotten.append(number)

    def close(self) -> None:
        """End the process; may be called twice."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            if process.stdin:
                with contextlib.suppress(OSError):
                    process.stdin.close()  # the end of its input tells it to stop
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            # A session of its own: Ctrl-C at the terminal is for the lab, which then ends it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "usbprov.lab.acceptor"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env=os.environ | self._variables,
            )
        return self._process


class WindowsAuthentication:
    """Takes a request's sign-in a step further.

    Every request signs in anew; only the legs of one sign-in belong to a connection.
    """

    def __init__(
        self, accounts: Accounts, acceptor: Acceptor, fqdn: str, schemes: Sequence[str]
    ) -> None:
        """Put it together.

        Args:
            accounts: Whose accounts there are.
            acceptor: Takes the tokens.
            fqdn: This server, for the diagnostics.
            schemes: What is offered; ``NTLM`` is taken where ``Negotiate`` is offered too.
        """
        self._accounts = accounts
        self._acceptor = acceptor
        self._fqdn = fqdn
        self._schemes = schemes

    async def admit(self, request: Request) -> Admitted | Response:
        """Return the user, or the answer that asks for more or refuses."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        offered = next((s for s in self._schemes if s.lower() == scheme.lower()), None)
        if offered is None or not token.strip():
            return self._unauthorized()
        step = await run_in_threadpool(self._step, request.state.connection, token.strip())
        if step.error is not None:
            note(f"Windows sign-in refused: {step.error}")
            return self._refused()
        if step.user is None:
            return challenged(offered, step.token or "")
        user = self._accounts.find(step.user)
        if user is None:
            note("Windows sign-in refused: unknown account")
            return self._refused()
        headers = {"WWW-Authenticate": f"{offered} {step.token}"} if step.token else {}
        return Admitted(user, headers)

    def _step(self, connection: Connection, token: str) -> Step:
        if not connection.when_lost:
            connection.when_lost.append(lambda: self._acceptor.forget(connection.number))
        return self._acceptor.step(connection.number, token)

    def _unauthorized(self) -> Response:
        return unauthorized(self._schemes)

    def _refused(self) -> Response:
        response = self._unauthorized()
        refusal = Refusal.TOKEN
        response.headers["X-Ms-diagnostics"] = diagnostics(
            refusal, self._fqdn, "wsse:FailedAuthentication"
        )
        return response


def unauthorized(schemes: Sequence[str]) -> Response:
    """Ask for a sign-in by one of the schemes."""
    response = Response(status_code=401)
    for scheme in schemes:
        response.headers.append("WWW-Authenticate", scheme)
    return response


def challenged(scheme: str, token: str) -> Response:
    """Ask for the next token of a sign-in (base64)."""
    return Response(status_code=401, headers={"WWW-Authenticate": f"{scheme} {token}".strip()})


def diagnostics(refusal: Refusal, fqdn: str, code: str) -> str:
    """Return the value of ``X-Ms-diagnostics`` ([MS-OCAUTHWS] 3.2.4.1)."""
    return f'{refusal.error_id};"{fqdn}";"{refusal.reason}";"{code}"'


def any_challenge() -> str:
    """Make an NTLM challenge (base64) that no answer to it will satisfy ([MS-NLMP] 2.2.1.2)."""
    flags, header = 0x02898205, 56
    target = b"\x00\x00\x00\x00"
    message = b"NTLMSSP\x00" + (2).to_bytes(4, "little")
    message += bytes(4) + header.to_bytes(4, "little") + flags.to_bytes(4, "little")
    message += os.urandom(8) + bytes(8)
    message += len(target).to_bytes(2, "little") * 2 + header.to_bytes(4, "little")
    message += bytes.fromhex("0a00000000000f00") + target
    return base64.b64encode(message).decode()
