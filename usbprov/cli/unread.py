"""Output that nobody reads any more: whoever read it has seen enough (``| head -1``)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def may_be_unread(stream: TextIO) -> Iterator[None]:
    """End the block where the pipe is closed at its other end; what follows goes nowhere.

    Python flushes the stream at its end, and would complain there.
    """
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
