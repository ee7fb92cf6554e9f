"""Looking up: which rows of the table are meant by a code, a number, or words."""

import difflib
import re
from collections.abc import Iterable, Sequence

from usbprov.engine.diagnosis.model import Symptom
from usbprov.engine.diagnosis.ranking import error_classes, general_cause
from usbprov.engine.diagnosis.table import SYMPTOMS
from usbprov.errors import UsageError

_CODE = re.compile(r"([A-Z]{3})[- ]?(\d{1,2})")
_NUMBER = re.compile(r"\d{3,6}")
_LEAST_WORDS = 4
"""Characters; what is shorter would be found in anything."""


def look_up(asked: str) -> Sequence[Symptom]:
    """Return the rows that are meant, in the table's order.

    Args:
        asked: An error's code (``WEB-09``), a diagnostic number (``28020``), words of a TLS
            library or of a phone's display, or the id of a symptom or cause.

    Raises:
        UsageError: Nothing fits; the message says what may have been meant.
    """
    wanted = " ".join(asked.split())
    code = _CODE.fullmatch(wanted.upper())
    if code:
        found = of_code(f"{code[1]}-{int(code[2]):02d}")
    elif _NUMBER.fullmatch(wanted):
        found = [row for row in SYMPTOMS if int(wanted) in row.numbers or _names(row, wanted)]
    else:
        found = _by_words(wanted.lower())
    if not found:
        raise UsageError(f"nothing is known of {asked!r}{_hint(wanted)}")
    return found


def of_code(code: str) -> list[Symptom]:
    """Return the rows of an error's code; one of its class's own words where there is none."""
    rows = [row for row in SYMPTOMS if row.code == code]
    kind = error_classes().get(code)
    if rows or kind is None:
        return rows
    sentence = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    says = sentence.removeprefix("Raised when ").rstrip(".")
    return [Symptom(code.lower(), code, says[:1].upper() + says[1:], (general_cause(code),))]


def _names(row: Symptom, number: str) -> bool:
    return any(phrase.endswith(f" {number}") for phrase in row.phrases)


def _by_words(words: str) -> list[Symptom]:
    exact = [row for row in SYMPTOMS if words in {row.id, *(cause.id for cause in row.causes)}]
    if exact or len(words) < _LEAST_WORDS:
        return exact
    return [row for row in SYMPTOMS if any(_alike(words, text) for text in _texts(row))]


def _alike(words: str, text: str) -> bool:
    """Say whether one is within the other: people copy more, or less, than the text itself."""
    return words in text or (len(text) >= _LEAST_WORDS and text in words)


def _texts(row: Symptom) -> Iterable[str]:
    return (text.lower() for text in row.phrases)


def _hint(wanted: str) -> str:
    near = difflib.get_close_matches(wanted.lower(), _known(), n=1, cutoff=0.6)
    if near:
        return f"; did you mean {_known()[near[0]]!r}?"
    return "; give a code (WEB-09), a number (28020), or the words of a message"


def _known() -> dict[str, str]:
    """Return everything that can be asked for, as it is written, by its small letters."""
    texts = [*error_classes()]
    for row in SYMPTOMS:
        numbers = map(str, row.numbers)
        texts += [row.id, *row.phrases, *numbers, *(cause.id for cause in row.causes)]
    return {text.lower(): text for text in texts}
