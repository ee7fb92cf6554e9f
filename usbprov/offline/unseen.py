"""A phone that nobody has seen yet: what can be said of it by what stands on its label."""

from usbprov.phone.contract import Capability, PhoneInfo
from usbprov.phone.models import CHAIN_LIMITS
from usbprov.pki.keys import RSA_SIZES

_SUPPOSED = frozenset(
    {
        Capability.IMPORT_KEY,
        Capability.CONFIGURE,
        Capability.TRUST_STORE,
        Capability.SET_CLOCK,
    }
)
"""Our choice: what a phone needs to be provisioned in one round. What it lacks of these is found
out when the file is applied, before anything is written to it."""


def unseen_phone(mac: str, serial: str | None, model: str | None) -> PhoneInfo:
    """Describe it: it trusts nobody yet, so that all that it may lack is taken along.

    Args:
        mac: Lower-case hex with colons.
        serial: Its serial number, or None: any phone of that MAC.
        model: Its model, or None; some are known for what they cannot verify.
    """
    return PhoneInfo(
        vendor="unseen",
        model=model or "phone",
        firmware="unknown",
        serial=serial or "",
        mac=mac,
        capabilities=_SUPPOSED,
        rsa_bits=RSA_SIZES,
        clock=None,
        slots=(),
        limits=CHAIN_LIMITS.get((model or "").lower()),
    )
