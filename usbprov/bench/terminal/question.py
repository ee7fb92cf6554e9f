"""Secrets that are asked for on the board, by threads that wait for them."""

import threading

from usbprov.bench.terminal.hands import Hands

_PATIENCE = 2.0
"""Seconds that a line which somebody has begun to type may keep a question off."""


class _Question:
    def __init__(self, what: str) -> None:
        self.what = what
        self.answered = threading.Event()
        self.answer: str | None = None


class Questions:
    """One question at a time; the others wait for their turn.

    ``begin`` and ``answer`` are the board's thread's, ``ask`` and ``close`` anybody's.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._asked: _Question | None = None
        self._is_begun = False
        self._closed = False

    def ask(self, what: str) -> str | None:
        """Return the answer, once it was given; None when it was left out, or at the end."""
        with self._turn:
            question = _Question(what)
            self._is_begun = False
            self._asked = question
            if self._closed:
                return None
            question.answered.wait()
            return question.answer

    def begin(self, hands: Hands, at: float) -> bool:
        """Put a waiting question to the operator, unless he is typing; says whether it was put."""
        if self._asked is None or self._is_begun or hands.is_busy(at, _PATIENCE):
            return False
        self._is_begun = True
        hands.ask(self._asked.what)
        return True

    def answer(self, text: str | None) -> None:
        """Hand the answer to whoever waits for it."""
        question, self._asked = self._asked, None
        if question is not None:
            question.answer = text
            question.answered.set()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self.answer(None)
