"""Errors of the directory: roots cannot be read from Active Directory over LDAP."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class DirectoryError(UsbprovError):
    """Raised when the directory does not give what was asked of it."""

    server: str
    reason: str


@dataclass(eq=False)
class DirectoryUnreachable(DirectoryError):
    """Raised when the directory cannot be reached over LDAP, or breaks off."""

    code: ClassVar = "DIR-01"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "the directory {server} cannot be reached: {reason}"
    cause: ClassVar = "The domain controller or the network is down, a firewall is in between, or the name or port is wrong (389 for ldap, 636 for ldaps)."
    remedy: ClassVar = "Check --ldap-url, or use another source of roots (--ca-file)."


@dataclass(eq=False)
class DirectoryRefused(DirectoryError):
    """Raised when the directory refuses the sign-in or the search. Never tried again."""

    code: ClassVar = "DIR-02"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the directory {server} refuses: {reason}"
    cause: ClassVar = "The name or password is wrong, or anonymous reading is not allowed, as is usual in Active Directory."
    remedy: ClassVar = "Sign in with --ldap-user and --password-stdin over ldaps:// or StartTLS. It was tried once only: further tries may lock the account."
