"""The acceptor of NTLM and Kerberos tokens: a process of its own.

``python -m usbprov.lab.acceptor`` reads one JSON object a line from standard input and answers each
with one. The library learns accounts and keytab from environment variables only, which are a
process's own: so two labs in one program do not take each other's users.
"""

import base64
import binascii
import json
import sys
from collections.abc import Iterable
from typing import TextIO

import spnego
from spnego.exceptions import NegotiateOptions


class Contexts:
    """The sign-ins that are going on, by the number of their connection."""

    def __init__(self) -> None:
        self._contexts: dict[int, spnego.ContextProxy] = {}

    def step(self, number: int, token: bytes) -> dict[str, str | None]:
        """Take a client's token.

        Returns:
            ``token``: the answer, base64, or None; ``user``: the account, when it is proved;
            ``error``: why it is refused.
        """
        context = self._contexts.get(number) or _new_context()
        self._contexts[number] = context
        try:
            answer = context.step(token)
        except Exception as error:  # whatever a hostile token may raise in the library
            self.forget([number])
            return {"error": type(error).__name__}
        encoded = base64.b64encode(answer).decode() if answer else None
        if not context.complete:
            return {"token": encoded}
        self.forget([number])
        return {"token": encoded, "user": context.client_principal}

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop the sign-ins of connections that are gone."""
        for number in numbers:
            self._contexts.pop(number, None)


def _new_context() -> spnego.ContextProxy:
    return spnego.server(protocol="negotiate", options=NegotiateOptions.use_negotiate)


def main(requests: TextIO, answers: TextIO) -> None:
    """Serve until the requests end."""
    contexts = Contexts()
    for line in requests:
        request = json.loads(line)
        contexts.forget(request["forget"])
        try:
            token = base64.b64decode(request["token"], validate=True)
            answer = contexts.step(request["number"], token)
        except binascii.Error:
            answer = {"error": "no base64"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
