"""Errors of the result: what came back is not what was asked for."""

from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class CheckFailed(UsbprovError):
    """Raised when what came back is not what was asked for."""

    exit_code: ClassVar = ExitCode.CHECK


@dataclass(eq=False)
class CertificateUnfit(CheckFailed):
    """Raised when the issued certificate is for another key or user, or not valid.

    ``check`` names what failed: ``key``, ``user``, ``not-yet-valid``, ``expired``, ``short``,
    ``signature``, ``phone-clock``, ``key-size``.
    """

    problem: str
    check: str = field(default="", kw_only=True)
    code: ClassVar = "CHK-01"
    template: ClassVar = "the issued certificate cannot be used: {problem}"
    cause: ClassVar = "The server answered another request, or its clock or policy is wrong."
    remedy: ClassVar = "Nothing was installed. If it is the phone's clock that is wrong, set it; else show this to the administrator of the Web Services."


@dataclass(eq=False)
class ReadBackDiffers(CheckFailed):
    """Raised when the certificate read back from the phone is not the one installed."""

    phone: str
    code: ClassVar = "CHK-02"
    template: ClassVar = "{phone} gives back another certificate than was installed"
    cause: ClassVar = "The phone's storage is faulty, or another program wrote to it."
    remedy: ClassVar = "Repeat the job with --replace; do not hand the phone out before it passes."


@dataclass(eq=False)
class PossessionUnproved(CheckFailed):
    """Raised when the phone's signature over a fresh nonce does not verify."""

    phone: str
    code: ClassVar = "CHK-03"
    template: ClassVar = "{phone} does not prove that it holds the key of its certificate"
    cause: ClassVar = (
        "Key and certificate in the phone do not belong together, or the phone is not genuine."
    )
    remedy: ClassVar = "Repeat the job with --replace; do not hand the phone out before it passes."


@dataclass(eq=False)
class ObjectUnreadable(CheckFailed):
    """Raised when bytes that should be a key, request or certificate cannot be parsed as one."""

    what: str
    problem: str
    code: ClassVar = "CHK-04"
    template: ClassVar = "{what} cannot be read: {problem}"
    cause: ClassVar = (
        "The file or answer is damaged, or in another encoding (DER and PEM are known)."
    )
    remedy: ClassVar = "Look at it with `openssl x509` or `openssl req`, and get it anew."


@dataclass(eq=False)
class InstalledUnfit(CheckFailed):
    """Raised when the certificate that a phone holds is none, not valid now, or not its user's."""

    phone: str
    problem: str
    code: ClassVar = "CHK-06"
    template: ClassVar = "{phone} cannot sign in with what it holds: {problem}"
    cause: ClassVar = (
        "The phone was never provisioned, or its certificate has expired and was not renewed."
    )
    remedy: ClassVar = "Provision it again: with --replace, where its slot is taken."
