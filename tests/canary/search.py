"""Finds secrets in what a program has left: short ones whole, long ones by any piece of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from canary.views import views

PIECE = 15
"""Bytes of a long secret that are enough to be found, wherever in it they are from."""

_STEP = 8
"""Whatever has 15 bytes of a secret has 8 of them at a multiple of 8."""

VARIETY = 6
"""Different bytes that a piece must have: zeros and blanks are in everything."""

CHARSETS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")


@dataclass(frozen=True)
class Secret:
    """What must be found nowhere.

    Attributes:
        name: What it is, for whoever reads that it was found.
        value: Its bytes; of a text all forms of ``CHARSETS`` are looked for.
        whole: Whether it is found only as a whole; else a piece of it is enough.
    """

    name: str
    value: bytes = field(repr=False)
    whole: bool = False


def texts(name: str, text: str) -> list[Secret]:
    """Return a text in its charsets; it is one secret, that is found as a whole."""
    forms = {text.encode(charset, "replace") for charset in CHARSETS}
    return [Secret(name, form, whole=True) for form in forms]


class Search:
    """Looks for any number of secrets at once."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._whole: dict[bytes, str] = {}
        self._pieces: dict[bytes, list[tuple[Secret, int]]] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Look for one more."""
        if secret.whole or len(secret.value) <= PIECE:
            assert len(secret.value) >= 6, "what is shorter is found by chance"
            self._whole[secret.value] = secret.name
            return
        for at in range(len(secret.value) - _STEP + 1):
            piece = secret.value[at : at + _STEP]
            places = self._pieces.setdefault(piece, []) if len(set(piece)) > 2 else []
            if (secret, at) not in places:
                places.append((secret, at))

    def find(self, data: bytes) -> set[str]:
        """Return the names of the secrets that are in some data, in whatever encoding."""
        return {name for view in views(data) for name in self._found(view)}

    def _found(self, view: bytes) -> set[str]:
        found = {name for value, name in self._whole.items() if value in view}
        pieces = self._pieces
        for at in range(0, len(view) - _STEP + 1, _STEP):
            places = pieces.get(view[at : at + _STEP])
            if places:
                found |= {s.name for s, there in places if _common(view, at, s.value, there)}
        return found


def _common(view: bytes, at: int, value: bytes, there: int) -> bool:
    """Say whether view and secret are alike for long enough around a place."""
    before = after = 0
    while before < min(at, there) and view[at - before - 1] == value[there - before - 1]:
        before += 1
    most = min(len(view) - at, len(value) - there)
    while after < most and view[at + after] == value[there + after]:
        after += 1
    piece = value[there - before : there + after]
    return len(piece) >= PIECE and len(set(piece)) >= VARIETY
