"""Secrets: from a prompt, standard input or a file descriptor; never from argv or environment."""

import os
import sys
from collections.abc import Callable

from usbprov.errors import UsageError

MOST_BYTES = 4096
"""A PIN or password is a line; more than this is not one."""


def pin_source(*, stdin: bool, descriptor: int | None, who: str) -> Callable[[], str]:
    """Return what gives the PIN when it is needed, and asks for it only then.

    Raises:
        UsageError: Both ways were named, or, when it is called, there is no PIN to be had.
    """
    if stdin and descriptor is not None:
        raise UsageError("--pin-stdin and --pin-fd do not go together")
    if descriptor is not None:
        return lambda: _line(descriptor, f"--pin-fd {descriptor}")
    if stdin:
        return lambda: _line(sys.stdin.fileno(), "--pin-stdin")
    return lambda: _prompt(f"PIN of {who}: ")


def _line(descriptor: int, option: str) -> str:
    data = b""
    try:
        while b"\n" not in data and len(data) < MOST_BYTES:
            chunk = os.read(descriptor, MOST_BYTES - len(data))
            if not chunk:
                break
            data += chunk
    except OSError as error:
        raise UsageError(f"{option}: {error.strerror}") from None
    return _checked(data.partition(b"\n")[0].rstrip(b"\r"), option)


def _checked(line: bytes, option: str) -> str:
    try:
        pin = line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{option}: the PIN is not UTF-8 text") from None
    if not pin:
        raise UsageError(f"{option}: there is no PIN")
    return pin


def _prompt(text: str) -> str:
    import getpass

    if not sys.stdin.isatty():
        raise UsageError("no PIN: use --pin-stdin or --pin-fd where there is no terminal")
    return _checked(getpass.getpass(text).encode(), "the prompt")
