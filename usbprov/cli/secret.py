"""Secrets: from a prompt, standard input or a file descriptor; never from argv or environment."""

import os
import sys
from collections.abc import Callable

from usbprov.errors import UsageError
from usbprov.pki.core_dumps import no_core_files

MOST_BYTES = 4096
"""A PIN or password is a line; more than this is not one."""


def secret_source(kind: str, *, stdin: bool, descriptor: int | None, who: str) -> Callable[[], str]:
    """Return what gives a secret when it is needed, and asks for it only then.

    Args:
        kind: ``PIN``, ``password``, ``vault passphrase``: as in the options' names.
        stdin: Whether it is the first line of standard input.
        descriptor: The file descriptor whose first line it is, or None.
        who: Whose it is, for the prompt.

    Raises:
        UsageError: Both ways were named, or, when it is called, there is none to be had.
    """
    option = _option(kind)
    if stdin and descriptor is not None:
        raise UsageError(f"{option}-stdin and {option}-fd do not go together")
    if descriptor is not None:
        return lambda: _line(descriptor, f"{option}-fd {descriptor}", kind)
    if stdin:
        return lambda: _line(_stdin(f"{option}-stdin"), f"{option}-stdin", kind)
    return lambda: _prompt(f"{kind} of {who}: ", kind)


def new_secret(kind: str, *, stdin: bool, descriptor: int | None, who: str) -> str:
    """Return a secret that is made now; on a terminal it is asked for twice.

    Raises:
        UsageError: As ``secret_source``; or it was typed in two ways.
    """
    ask = secret_source(kind, stdin=stdin, descriptor=descriptor, who=who)
    first = ask()
    if not stdin and descriptor is None and _prompt(f"{kind} again: ", kind) != first:
        raise UsageError(f"the {kind} was typed in two ways")
    return first


def no_secret() -> str:
    """Be the secret of a job that proves nothing to a server.

    Raises:
        UsageError: Always.
    """
    raise UsageError("nothing is proved to a server here")


def _option(kind: str) -> str:
    return "--" + kind.lower().replace(" ", "-")


def _stdin(option: str) -> int:
    if sys.stdin is None:  # closed by whoever started the program
        raise UsageError(f"{option}: there is no standard input")
    return sys.stdin.fileno()


def _line(descriptor: int, option: str, kind: str) -> str:
    data = b""
    try:
        while b"\n" not in data and len(data) < MOST_BYTES:
            chunk = os.read(descriptor, MOST_BYTES - len(data))
            if not chunk:
                break
            data += chunk
    except OSError as error:
        raise UsageError(f"{option}: {error.strerror}") from None
    return _checked(data.partition(b"\n")[0].rstrip(b"\r"), option, kind)


def _checked(line: bytes, option: str, kind: str) -> str:
    no_core_files()
    try:
        secret = line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{option}: the {kind} is not UTF-8 text") from None
    if not secret:
        raise UsageError(f"{option}: there is no {kind}")
    return secret


def _prompt(text: str, kind: str) -> str:
    import getpass

    if sys.stdin is None or not sys.stdin.isatty():
        options = f"{_option(kind)}-stdin or {_option(kind)}-fd"
        raise UsageError(f"no {kind}: use {options} where there is no terminal")
    return _checked(getpass.getpass(text).encode(), "the prompt", kind)
