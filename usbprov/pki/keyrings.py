"""The system's keyring: Secret Service, KWallet, macOS Keychain, Windows Credential Locker.

Through the library ``keyring``, an extra, which is imported when it is first needed.
"""

from types import ModuleType

from usbprov.errors import KeyringMissing, KeyringUnusable


def read(service: str, name: str) -> str | None:
    """Return a secret, or None where there is none of that name.

    Raises:
        KeyringMissing: The library is not installed.
        KeyringUnusable: The keyring is locked, or there is none.
    """
    library = _library()
    try:
        found = library.get_password(service, name)
    except Exception as error:  # each keyring has errors of its own; none may show the secret
        raise KeyringUnusable(type(error).__name__) from None
    return None if found is None else str(found)


def write(service: str, name: str, secret: str) -> None:
    """Keep a secret; raises as ``read``."""
    library = _library()
    try:
        library.set_password(service, name, secret)
    except Exception as error:  # as above
        raise KeyringUnusable(type(error).__name__) from None


def _library() -> ModuleType:
    try:
        import keyring  # noqa: PLC0415 - an extra
    except ImportError:
        raise KeyringMissing("keyring") from None
    return keyring
