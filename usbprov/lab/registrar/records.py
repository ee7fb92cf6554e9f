"""TLS records as TLS-DSK's clients want them."""

from collections.abc import Iterator

HANDSHAKE = 22
CHANGE_CIPHER_SPEC = 20
LARGEST = 1 << 14
_HEADER = 5


def records(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Cut into records: type, the version's two bytes, content (RFC 5246 6.2.1)."""
    at = 0
    while at + _HEADER <= len(data):
        size = int.from_bytes(data[at + 3 : at + _HEADER])
        yield data[at], data[at + 1 : at + 3], data[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size


def record(kind: int, version: bytes, content: bytes) -> bytes:
    """Make one record."""
    return bytes([kind]) + version + len(content).to_bytes(2) + content


def repack(flight: bytes) -> bytes:
    """Put the handshake messages that stand in the clear into as few records as they need.

    OpenSSL may write a record for each. The field's stock client wants no record to begin with
    ServerHelloDone. What follows ChangeCipherSpec is encrypted and stays as it is.
    """
    made, clear, version = b"", b"", b""
    parts = list(records(flight))
    while parts and parts[0][0] == HANDSHAKE:
        _, version, content = parts.pop(0)
        clear += content
    for at in range(0, len(clear), LARGEST):
        made += record(HANDSHAKE, version, clear[at : at + LARGEST])
    return made + b"".join(record(*part) for part in parts)
