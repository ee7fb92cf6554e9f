"""A recorded link: what is written down of a transfer, and when."""

from collections.abc import Iterable, Mapping

import pytest

from usbprov.errors import PhoneGone
from usbprov.phone.taping import RecordedLink
from usbprov.tape.events import Kind


class Journal:
    """A link and a recorder in one, so that the order of what happens to both is seen."""

    name = "phone 1-1"

    def __init__(self, *, gone: bool = False) -> None:
        self.happened: list[str] = []
        self._gone = gone

    def note(self, kind: Kind, body: Mapping[str, object]) -> None:
        what = str(body["op"]) if kind is Kind.CABLE else str(body["bytes"])
        self.happened.append(f"noted {kind.value} {what}")

    def hide(self, secrets: Iterable[str]) -> None:
        raise AssertionError("there is no secret here")

    def hidden(self, text: str) -> str:
        return text

    def write(self, data: bytes, timeout: float) -> None:
        self.happened.append("wrote")
        if self._gone:
            raise PhoneGone(self.name)

    def read(self, timeout: float) -> bytes:
        self.happened.append("read")
        return b"four"

    def resync(self) -> None:
        self.happened.append("resync")

    def close(self) -> None:
        self.happened.append("close")


def test_a_request_is_noted_while_the_phone_is_at_work() -> None:
    journal = Journal()
    link = RecordedLink(journal, None, journal)
    link.write(b"abc", 1)
    assert link.read(1) == b"four"
    assert journal.happened == [
        "wrote",
        f"noted {Kind.SENT.value} 3",
        "read",
        f"noted {Kind.RECEIVED.value} 4",
    ]


def test_a_request_that_could_not_be_sent_is_noted_before_why() -> None:
    journal = Journal(gone=True)
    with pytest.raises(PhoneGone):
        RecordedLink(journal, None, journal).write(b"abc", 1)
    assert journal.happened == [
        "wrote",
        f"noted {Kind.SENT.value} 3",
        f"noted {Kind.CABLE.value} write",
    ]
