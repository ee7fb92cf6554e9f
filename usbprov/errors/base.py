"""The root of the tree, and the exit codes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says to its caller; stable, documented in ``docs/errors.md``."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PHONE = 3
    REFUSED = 4
    UNREACHED = 5
    TRUST = 6
    CREDENTIAL = 7
    CHECK = 8
    INTERRUPTED = 9
    SOME_FAILED = 10


@dataclass(eq=False)
class UsbprovError(Exception):
    """Raised when usbprov cannot do what was asked; the root of the tree, never raised itself.

    ``template`` is formatted with the fields to say what happened. ``retryable`` says whether
    the same request may succeed later without anybody changing anything.
    """

    code: ClassVar[str] = "GEN-00"
    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
    retryable: ClassVar[bool] = False
    template: ClassVar[str] = ""
    cause: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.template.format(**vars(self))

    def facts(self) -> Mapping[str, object]:
        """Return the typed fields by name, for ``--json`` and the ledger; never a secret."""
        return dict(vars(self))


@dataclass(eq=False)
class CallError(UsbprovError):
    """Raised when a call to a server does not end in a usable answer.

    ``attempts`` says how often the same call was made before this error was taken for an answer.
    """

    server: str
    attempts: int = field(default=1, kw_only=True)

    def __str__(self) -> str:
        tried = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return super().__str__() + tried
