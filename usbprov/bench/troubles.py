"""Troubles: an error as a board shows it, with the likeliest cause and what to do."""

from usbprov.bench.views import Trouble
from usbprov.engine.diagnosis.model import Context
from usbprov.engine.diagnosis.ranking import diagnose
from usbprov.errors import UsbprovError


def trouble_of(error: Exception, context: Context, *, retried: bool = False) -> Trouble:
    """Return the trouble that an error is.

    No server is asked to tell causes apart: a whole bench that fails at once would ask at once.

    Args:
        error: What stopped the job; what is no error of the tree is a bug.
        context: Where it arose.
        retried: Whether the bench tries again by itself.
    """
    if not isinstance(error, UsbprovError):
        words = f"internal error: {type(error).__name__}"
        return Trouble(UsbprovError.code, words, "This is a bug.", _REPORT, retried)
    first = diagnose(error, context).first
    return Trouble(error.code, str(error), first.says, first.remedy, retried)


_REPORT = "Repeat with --log-file FILE and report it with that."
