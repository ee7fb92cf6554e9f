"""Many threads share few heaps of the C library, and what is free is given back at times."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from usbprov.bench import memory
from usbprov.bench.memory import Tidier, share_heaps, trim

COUNT = """
import ctypes, os, sys, threading
from usbprov.bench.memory import share_heaps
if sys.argv[1:] == ["share"]:
    share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(9)
def use():
    libc.malloc(ctypes.c_size_t(100_000))
    together.wait(30)
for _ in range(8):
    threading.Thread(target=use).start()
together.wait(30)
libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
told = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, told)
libc.fflush(told)
"""


def heaps(*arguments: str, more: Mapping[str, str] | None = None) -> int:
    """Count the heaps of a program with eight threads, as glibc tells them (malloc_info(3))."""
    plain = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    ended = subprocess.run(
        [sys.executable, "-c", COUNT, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=plain | dict(more or {}),
    )
    return ended.stdout.count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_share_two_heaps_unless_the_user_has_said_how_many() -> None:
    if not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        pytest.skip("another C library than glibc")
    assert heaps() > 2
    assert heaps("share") == 2
    assert heaps("share", more={"MALLOC_ARENA_MAX": "5"}) == 5


def test_nothing_happens_where_there_is_no_such_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", none, raising=False)
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("the library was called"))
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    share_heaps()
    trim()


def test_it_is_given_back_at_once_and_then_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now, times = [100.0], [0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])

    def count() -> None:
        times[0] += 1

    tidier = Tidier(count)
    for later, trims in ((0.0, 1), (0.5, 1), (0.6, 2), (0.1, 2), (1.0, 3)):
        now[0] += later
        tidier.tidy()
        assert times[0] == trims


def test_the_systems_own_way_is_borne_anywhere() -> None:
    trim()
