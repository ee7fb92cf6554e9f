"""Errors of the command line and the settings."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class UsageError(UsbprovError):
    """Raised when the command line contradicts itself or lacks something."""

    problem: str
    code: ClassVar = "CLI-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{problem}"
    cause: ClassVar = "An option is missing, or two options do not go together."
    remedy: ClassVar = "See the command's --help, which ends with examples."


@dataclass(eq=False)
class ConfigInvalid(UsageError):
    """Raised when a settings file, users file or environment variable cannot be used."""

    source: str = ""
    code: ClassVar = "CLI-02"
    template: ClassVar = "{source}: {problem}"
    cause: ClassVar = "The file is not TOML, or has a key or value that is not known."
    remedy: ClassVar = "Correct the named line; docs/configuration.md lists every key."
