"""The pseudo-random function of TLS 1.0 to 1.2 (RFC 2246 5, RFC 5246 5)."""

import hmac

TLS12 = 0x0303
"""Version number of TLS 1.2, from which on the function is made of SHA-256."""


def prf(version: int, secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """Expand a secret.

    Args:
        version: Of the protocol: 0x0301 to 0x0303.
        secret: Secret bytes.
        label: ASCII, without a zero at its end.
        seed: Bytes that need not be secret.
        size: How many bytes to make.
    """
    if version >= TLS12:
        return _expand("sha256", secret, label + seed, size)
    half = (len(secret) + 1) // 2
    first = _expand("md5", secret[:half], label + seed, size)
    second = _expand("sha1", secret[-half:], label + seed, size)
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _expand(name: str, secret: bytes, seed: bytes, size: int) -> bytes:
    """P_hash (RFC 5246 5)."""
    made, chained = b"", seed
    while len(made) < size:
        chained = hmac.digest(secret, chained, name)
        made += hmac.digest(secret, chained + seed, name)
    return made[:size]
