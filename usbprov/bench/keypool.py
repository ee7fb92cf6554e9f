"""Keys made by this computer, for phones that cannot make their own: a few threads, and ahead.

A key lives in memory only, as an object of OpenSSL, which overwrites the key's numbers when the
object is given up (``BN_clear_free``). A key is given out once.
"""

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from usbprov.engine.job import make_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


class KeyPool:
    """Makes RSA keys of one length. Thread-safe; close it.

    Nothing is made before ``expect`` or ``take`` is called, and no thread begun.
    """

    def __init__(
        self,
        bits: int,
        threads: int,
        ahead: int,
        make: "Callable[[int], RSAPrivateKey]" = make_key,
        most: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            bits: Length of the modulus.
            threads: How many make keys at a time.
            ahead: How many keys nobody has asked for yet are kept, once the first was expected.
            make: Makes one.
            most: How many phones there may be in all: beyond that none is made ahead.
        """
        self._bits = bits
        self._threads = threads
        self._ahead = ahead
        self._make = make
        self._most = most
        self._taken = 0
        self._news = threading.Condition()
        self._ready: deque[RSAPrivateKey] = deque()
        self._failures: deque[Exception] = deque()
        self._expected = 0
        self._spare = 0
        self._making = 0
        self._makers: list[threading.Thread] = []
        self._closed = False

    def expect(self) -> None:
        """Have a key made for somebody who will soon take it, and a few ahead for the next."""
        with self._news:
            self._expected += 1
            self._spare = self._ahead
            self._begin()

    def take(self, *, expected: bool = False) -> "RSAPrivateKey":
        """Return a key, waiting for it.

        Args:
            expected: Whether ``expect`` was called for it.

        Raises:
            RuntimeError: The pool is closed.
        """
        with self._news:
            self._expected += 0 if expected else 1
            self._begin()
            self._news.wait_for(lambda: self._ready or self._failures or self._closed)
            self._expected -= 1
            self._taken += 1
            if self._closed:
                msg = "no keys are made any more"
                raise RuntimeError(msg)
            if not self._ready:
                raise self._failures.popleft()
            key = self._ready.popleft()
            self._news.notify_all()
            return key

    def give_up(self) -> None:
        """Take back an ``expect``: the key will not be taken; it stays for the next."""
        with self._news:
            self._expected -= 1

    def close(self) -> None:
        """Give up every key that was not taken; may be called twice."""
        with self._news:
            self._closed = True
            self._ready.clear()
            self._news.notify_all()
        for maker in self._makers:
            maker.join()
        self._ready.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Begin threads, as many as are needed; the lock is held."""
        while len(self._makers) < min(self._threads, self._wanted() + self._making):
            number = len(self._makers) + 1
            maker = threading.Thread(target=self._run, name=f"keys {number}", daemon=True)
            self._makers.append(maker)
            maker.start()
        self._news.notify_all()

    def _wanted(self) -> int:
        """Return how many keys are to be begun; the lock is held."""
        return self._expected + self._ahead_now() - len(self._ready) - self._making

    def _ahead_now(self) -> int:
        """Return how many are to be ready for phones that are not there yet."""
        if self._most is None:
            return self._spare
        return min(self._spare, max(0, self._most - self._taken - self._expected))

    def _run(self) -> None:
        while self._next():
            try:
                made = self._make(self._bits)
            except Exception as failure:  # told to whoever takes it
                self._ended(None, failure)
            else:
                self._ended(made, None)
                del made

    def _next(self) -> bool:
        """Wait until a key is wanted; False when the pool is closed."""
        with self._news:
            self._news.wait_for(lambda: self._closed or self._wanted() > 0)
            self._making += 1
            return not self._closed

    def _ended(self, key: "RSAPrivateKey | None", failure: Exception | None) -> None:
        with self._news:
            self._making -= 1
            if key is not None and not self._closed:
                self._ready.append(key)
            if failure is not None:
                self._failures.append(failure)
            self._news.notify_all()
