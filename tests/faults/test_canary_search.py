"""The search of the canary suite finds what is planted: every secret, encoding and place."""

import gzip
import html
import io
import json
import zipfile
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote

import pytest
from canary import secrets
from canary.search import Search, Secret, texts
from canary.stand import Stand, stand
from processes import Station

from usbprov.pki.keys import generate_rsa, to_pkcs8

SIGNATURE = bytes(range(7, 7 + 211, 3))


@pytest.fixture(scope="module")
def planted() -> dict[str, Secret]:
    """One secret of each kind."""
    key = {s.name: s for s in secrets.of_key("a key", to_pkcs8(generate_rsa(2048)))}
    typed = {s.name: s for name in secrets.MARKED for s in texts(name, secrets.MARKED[name])[:1]}
    hashes = {s.name: s for s in secrets.marked() if "hash" in s.name}
    return key | typed | hashes | {"signature": Secret("signature", SIGNATURE)}


@pytest.fixture(scope="module")
def search(planted: dict[str, Secret]) -> Search:
    return Search([*planted.values(), *secrets.marked(), *secrets.marks()])


def zipped(data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("first.txt", b"nothing " * 9)
        file.writestr("folder/second.txt", b"before" + data + b"after")
    return made.getvalue()


def in_lines(data: bytes, width: int) -> bytes:
    text = b64encode(data)
    return b"\n".join(text[at : at + width] for at in range(0, len(text), width))


def of_text(change: Callable[[str], bytes | str]) -> Callable[[bytes], bytes]:
    """Return an encoding of text; of what is none, the characters of its bytes are taken."""

    def encode(data: bytes) -> bytes:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        made = change(text)
        return made if isinstance(made, bytes) else made.encode()

    return encode


ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "base64": b64encode,
    "base64 after one byte": lambda data: b64encode(b"x" + data + b"yz"),
    "base64 after two bytes": lambda data: b64encode(b"xy" + data + b"z"),
    "base64 within words": lambda data: b"ab/" + b64encode(data) + b"/c",
    "base64 for URLs": urlsafe_b64encode,
    "base64 of PEM": lambda data: b"-----BEGIN-----\n" + in_lines(b"head" * 11 + data, 64),
    "base64 of PEM in JSON": lambda data: json.dumps(in_lines(data, 16).decode()).encode(),
    "hex": lambda data: data.hex().encode(),
    "hex in capitals": lambda data: data.hex().upper().encode(),
    "hex with colons": lambda data: data.hex(":").encode(),
    "hex with blanks": lambda data: data.hex(" ").encode(),
    "hex after a digit": lambda data: b"f" + data.hex().encode(),
    "hexadecimal number": lambda data: f"{int.from_bytes(data, 'big'):x}".encode(),
    "decimal number": lambda data: str(int.from_bytes(data, "big")).encode(),
    "list of numbers": lambda data: str(list(data)).encode(),
    "repr": lambda data: repr(data).encode(),
    "repr of a repr": lambda data: repr(repr(data)).encode(),
    "octal escapes": lambda data: "".join(f"\\{byte:03o}" for byte in data).encode(),
    "percent": lambda data: quote(data, safe="").encode(),
    "percent of all": lambda data: "".join(f"%{byte:02x}" for byte in data).encode(),
    "base64 in a URL": lambda data: quote(b64encode(data), safe="").encode(),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zip": zipped,
    "zip, broken off": lambda data: zipped(data)[:-60],
    "gzip of base64": lambda data: gzip.compress(b64encode(data)),
    "base64 of gzip of hex": lambda data: b64encode(gzip.compress(data.hex().encode())),
    "zip of gzip of base64": lambda data: zipped(gzip.compress(b64encode(data))),
    "hex in UTF-16": lambda data: data.hex().encode("utf-16"),
}
"""For any bytes."""

TEXT_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "UTF-16": of_text(lambda text: text.encode("utf-16-le")),
    "UTF-16, big-endian": of_text(lambda text: text.encode("utf-16-be")),
    "Latin-1": of_text(lambda text: text.encode("latin-1")),
    "base64 of UTF-16": of_text(lambda text: b64encode(text.encode("utf-16-le"))),
    "JSON": of_text(json.dumps),
    "JSON in JSON": of_text(lambda text: json.dumps(json.dumps(text))),
    "repr of text": of_text(ascii),
    "XML": of_text(lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace")),
    "XML, all decimal": of_text(lambda text: "".join(f"&#{ord(c)};" for c in text)),
    "XML, all hex": of_text(lambda text: "".join(f"&#x{ord(c):X};" for c in text)),
    "percent of Latin-1": of_text(lambda text: quote(text, encoding="latin-1")),
}
"""For what is typed."""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_secret_is_found_in_every_encoding(
    encoding: str, planted: dict[str, Secret], search: Search
) -> None:
    for name, secret in planted.items():
        data = b"some words, then " + ENCODINGS[encoding](secret.value) + b" and more"
        assert name in search.find(data), name


@pytest.mark.parametrize("encoding", TEXT_ENCODINGS)
def test_what_is_typed_is_found_in_every_encoding_of_texts(encoding: str, search: Search) -> None:
    for name, text in secrets.MARKED.items():
        data = b"words: " + TEXT_ENCODINGS[encoding](text.encode()) + b" (refused)"
        assert name in search.find(data), name


@pytest.mark.parametrize("start", [0, 1, 5, 100])
@pytest.mark.parametrize("encoding", ["raw", "base64", "hex", "gzip"])
def test_any_piece_of_a_key_is_found(
    encoding: str, start: int, planted: dict[str, Secret], search: Search
) -> None:
    for name in ("p of a key", "q of a key", "d of a key", "iqmp of a key"):
        piece = planted[name].value[start : start + 16]
        for before in range(8):
            data = b"........"[:before] + ENCODINGS[encoding](piece) + b" more"
            assert search.find(data) == {name}


def test_what_is_public_or_common_is_not_found(search: Search) -> None:
    common = [bytes(4096), b" " * 4096, b"0" * 4096, b"AAAA" * 999, b"words of all kinds, " * 99]
    assert [search.find(data) for data in common] == [set()] * len(common)


def test_a_lower_half_of_a_text_is_not_the_text(search: Search) -> None:
    assert search.find(secrets.PIN[:-1].encode() + b" " + secrets.PIN[1:].encode()) == set()


PLACES = (
    "home/ledger.sqlite3",
    "home/ledger.sqlite3-wal",
    "home/ledger.sqlite3.tapes/job-1.jsonl",
    "home/.cache/any",
    "work/core",
    "work/1.zip",
    "work/report.html",
    "tmp/any/where",
    "spy/kept/9-0-removed",
    "spy/acts-9.jsonl",
    "lab/lab.log",
    "lab/calls.log",
)


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_searched(place: str, tmp_path: Path) -> None:
    for name in ("lab/lab.log", "lab/calls.log", place):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("nothing")
    (tmp_path / place).write_bytes(zipped(b64encode(secrets.PIN.encode())))
    at = Stand(cast("Station", SimpleNamespace(folder=tmp_path)), {"output": b"nothing"})
    assert at.leaks() == {place: {"PIN"}}


def test_a_program_that_leaks_everywhere_is_found_out(tmp_path: Path) -> None:
    """Where the files are right, what is said and done there must come to be in them."""
    with stand(tmp_path) as at:
        who = ["--extension", "1001", "--pin-stdin"]
        leak = {"CANARY_LEAK": secrets.PASSPHRASE}
        typed = f"{secrets.PIN}\n"
        ended = at.do("provision", "1-1", *who, *at.servers, typed=typed, started=True, **leak)
        assert ended.code == 0, ended.err
        found = at.leaks()
        acts = {kind: str(at.acts(kind)) for kind in ("environment", "process", "opened")}
        elsewhere = at.written_elsewhere()
    assert set(map(frozenset, found.values())) == {frozenset({"passphrase"})}
    places = {where.partition("/kept/")[2] or where for where in found}
    for place in ("01-provision output", "01-provision errors", "01-provision processes",
                  "work/01-provision.log"):  # fmt: skip
        assert place in places
    leaky = [kind for kind, done in acts.items() if secrets.PASSPHRASE in done]
    assert leaky == ["environment", "process"]
    assert any(place.endswith("ledger.sqlite3-wal") for place in places), places
    assert any("tmp" in place for place in places), places
    assert elsewhere == {str(tmp_path / "elsewhere"), str(tmp_path / "tmp")}
