"""The system's keyring: Secret Service, KWallet, macOS Keychain, Windows Credential Locker.

Through the library ``keyring``, an extra, which is imported when it is first needed.
"""

import importlib
from typing import Any

from usbprov.errors import KeyringMissing, KeyringUnusable

_LIBRARY = "keyring"


def read(service: str, name: str) -> str | None:
    """Return a secret, or None where there is none of that name.

    Raises:
        KeyringMissing: The library is not installed.
        KeyringUnusable: The keyring is locked, or there is none.
    """
    found = _asking("get_password", service, name)
    return None if found is None else str(found)


def write(service: str, name: str, secret: str) -> None:
    """Keep a secret; raises as ``read``."""
    _asking("set_password", service, name, secret)


def _asking(act: str, *arguments: str) -> Any:
    try:
        library = importlib.import_module(_LIBRARY)
    except ImportError:
        raise KeyringMissing(_LIBRARY) from None
    try:
        return getattr(library, act)(*arguments)
    except Exception as error:  # each keyring has errors of its own; none may show the secret
        raise KeyringUnusable(type(error).__name__) from None
