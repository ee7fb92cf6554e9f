"""How the Registrar refuses: status and ``ms-diagnostics`` ([MS-OCER]), in one table.

Ids and words were read in public texts; which status goes with an id is in part the usual pairing
and not certain. What has no id here has none that is publicly known.
"""

from enum import Enum


class Refusal(Enum):
    """Why a request is refused: status, its phrase, and number and words of the diagnostics."""

    HANDSHAKE = (401, "Unauthorized", 1000, "Final handshake failed.")
    NO_USER = (404, "Not Found", 1003, "User does not exist.")
    BUSY = (504, "Server time-out", 1007, "Temporarily cannot route.")
    OTHER_USER = (
        403,
        "Forbidden",
        4004,
        "Credentials provided are not authorized to act as specified from URI.",
    )
    NOT_SIP_ENABLED = (
        404,
        "Not Found",
        4005,
        "Destination URI either not enabled for SIP or does not exist.",
    )
    NO_ENDPOINT = (400, "Bad Request", 4010, "Missing endpoint identifier.")
    NO_EPID = (400, "Bad Request", 4011, "Epid not present.")
    LONG_EPID = (400, "Bad Request", 4012, "Epid too long.")
    DISABLED = (403, "Forbidden", 4141, "User disabled.")
    ENDPOINTS_DIFFER = (400, "Inconsistent endpoint identifiers", None, "")
    MALFORMED = (400, "Bad Request", None, "")

    def __init__(self, status: int, phrase: str, number: int | None, words: str) -> None:
        self.status = status
        self.phrase = phrase
        self.number = number
        self.words = words

    def diagnostics(self, server: str) -> str:
        """Return the value of ``ms-diagnostics``; "" where there is no number."""
        if self.number is None:
            return ""
        return f'{self.number};reason="{self.words}";source="{server}"'


class Refused(Exception):
    """Ends the work on a request; becomes the response.

    Attributes:
        refusal: What the client is told.
        why: What the lab's own log is told besides; no secret, nothing of a message.
    """

    def __init__(self, refusal: Refusal, why: str = "") -> None:
        super().__init__(why or refusal.phrase)
        self.refusal = refusal
        self.why = why
