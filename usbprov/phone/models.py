"""What is known of phone models that do not say it themselves."""

from collections.abc import Mapping

from usbprov.phone.contract import PhoneInfo
from usbprov.pki.limits import NO_LIMITS, ChainLimits, SignatureKind

_SHA1_AND_2048 = ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)

CHAIN_LIMITS: Mapping[str, ChainLimits] = {
    # Reported of the Tanjay phones: with a chain of SHA-2 or a root of 4096 bits they go through
    # their sign-in phases for ever. That 2048 bits are taken is from phones in use with such.
    "cx700": _SHA1_AND_2048,
    "ip8540": _SHA1_AND_2048,
}
"""By model name in lower case."""


def chain_limits(info: PhoneInfo) -> ChainLimits:
    """Return what a phone can verify: as it says, else as its model is known for, else anything."""
    return info.limits or model_limits(info.model)


def model_limits(model: str) -> ChainLimits:
    """Return what phones of a model are known to verify; without limits where nothing is known."""
    return CHAIN_LIMITS.get(model.lower(), NO_LIMITS)
