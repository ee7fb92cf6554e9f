"""The secrets: those that are marked beforehand, what follows from them, and what the spy saw."""

import hmac
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from pathlib import Path

from lxml import etree

from canary.search import Secret, texts
from usbprov.pki.keys import from_pkcs8
from usbprov.registrar.md4 import md4

PIN, WRONG_PIN = "902106734815", "731846209517"
PASSWORD, WRONG_PASSWORD = "Kanarienvögel-Pässw0rd", "Kanarienvögel-Wr0ng"
PASSPHRASE, NEW_PASSPHRASE = "Zeisig auf der Stange", "Stieglitz im Gebälk"

MARKED = {
    "PIN": PIN,
    "wrong PIN": WRONG_PIN,
    "password": PASSWORD,
    "wrong password": WRONG_PASSWORD,
    "passphrase": PASSPHRASE,
    "new passphrase": NEW_PASSPHRASE,
}
"""What is typed at the program; the lab's users have the right ones."""

MARKS = (b"SamlSecurityToken-", b"<saml:", b"BinarySecret", b"Username>", b"CipherValue",
         b"NTLMSSP\0", b"BEGIN PRIVATE KEY", b"BEGIN RSA PRIVATE KEY")  # fmt: skip
"""What stands around secrets: where it is not, they are not."""


def marked(users: Iterable[str] = ("alice",), domain: str = "CONTOSO") -> Iterator[Secret]:
    """Yield what is typed, and what NTLM makes of a password ([MS-NLMP] 3.3.2)."""
    for name, text in MARKED.items():
        yield from texts(name, text)
    for name in ("password", "wrong password"):
        hashed = md4(MARKED[name].encode("utf-16-le"))
        yield Secret(f"NT hash of the {name}", hashed)
        for user in users:
            for where in (domain, ""):
                owner = (user.upper() + where).encode("utf-16-le")
                made = hmac.digest(hashed, owner, "md5")
                yield Secret(f"NTLMv2 hash of the {name}", made)


def marks() -> list[Secret]:
    """Return what stands around secrets, as secrets."""
    return [Secret(f"mark {mark!r}", mark, whole=True) for mark in MARKS]


def of_key(name: str, pkcs8: bytes) -> Iterator[Secret]:
    """Yield the numbers of a private RSA key (PKCS#8, DER), which are secret, as big-endian bytes.

    Modulus and public exponent are in every certificate.
    """
    key = from_pkcs8(pkcs8).private_numbers()
    for part in ("p", "q", "d", "dmp1", "dmq1", "iqmp"):
        number: int = getattr(key, part)
        value = number.to_bytes((number.bit_length() + 7) // 8, "big")
        yield Secret(f"{part} of {name}", value)


def of_assertion(assertion: bytes) -> Iterator[Secret]:
    """Yield what of a ticket only its owner may have: what is signed or encrypted in it.

    Everything else of it, such as names and times, may be told; it stands in no place as it does
    here, though: see ``MARKS``.
    """
    root = etree.fromstring(assertion)
    for element in root.iter():
        tag = etree.QName(element).localname
        if tag in {"SignatureValue", "CipherValue"}:
            text = "".join((element.text or "").split())
            yield Secret(f"{tag} of a ticket", b64decode(text))
    yield Secret("name of a ticket", root.get("AssertionID", "").encode(), whole=True)


_LEAST = 6
"""Different bytes that a secret must have, or it is none."""

_READERS = {"pkcs8": lambda value: of_key("a key", value), "assertion": of_assertion}


def spied(notes: Path) -> dict[str, set[bytes]]:
    """Return what the spy wrote down, by its kind."""
    found: dict[str, set[bytes]] = {}
    for file in notes.glob("secrets-*.jsonl"):
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            value = b64decode(entry["data"])
            if len(set(value)) >= _LEAST:  # a replay has zeros in their place
                found.setdefault(entry["what"], set()).add(value)
    return found


def of_spied(found: dict[str, set[bytes]]) -> Iterator[Secret]:
    """Yield what must not be found of all that the spy wrote down."""
    for kind, values in found.items():
        for value in values:
            yield from _READERS[kind](value) if kind in _READERS else [Secret(kind, value)]
