"""Scope: is it this user, this pool, or everything? Another user's fate tells.

The other user is named by the operator, with a PIN of his own: the program tries nobody's PIN that
it was not given, and none twice.
"""

from usbprov.engine.diagnosis.model import Evidence
from usbprov.errors import UsbprovError

OF_THE_USER = frozenset(
    {
        "user-in-no-store",
        "user-moved",
        "user-disabled",
        "user-unknown",
        "pin-wrong",
        "number-unknown",
        "policy-forbids",
        "certificate-not-in-home-pool",
        "pools-disagree",
    }
)
"""Causes that lie with one user."""

OF_THE_POOL = frozenset(
    {
        "store-lasting",
        "registrar-down",
        "registrar-stopped",
        "registrar-slow",
        "home-pool-down",
        "part-behind-failing",
        "service-failing",
        "server-slow",
        "server-busy",
        "connection-broken",
        "token-refused",
        "server-clocks-differ",
    }
)
"""Causes that all users of a pool feel."""


def compared(error: UsbprovError, other: UsbprovError | None, who: str) -> Evidence:
    """Say what another user of the same pool tells about a failure.

    Args:
        error: What stopped the first user.
        other: What stopped the other, or None where nothing did.
        who: How the other is called.
    """
    if other is None:
        seen = f"{who} of the same pool can sign in: it is this user, or it has passed"
        return Evidence("other-user", seen, OF_THE_USER | {"store-sporadic"}, OF_THE_POOL)
    if other.code == error.code:
        seen = (
            f"{who} of the same pool is stopped alike ({other.code}): it is the pool, or everything"
        )
        return Evidence("other-user", seen, OF_THE_POOL, OF_THE_USER)
    return Evidence("other-user", f"{who} is stopped otherwise, by {other.code}: {other}")
