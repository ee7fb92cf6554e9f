"""Transfers on endpoint files that can be taken back: the kernel's asynchronous I/O.

A read or write of a FunctionFS endpoint blocks until the host has done its part, perhaps for ever.
Only a request made with io_submit(2) can be cancelled. Linux only; no library is needed.
"""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from usbprov.errors import GadgetUnusable

assert sys.platform == "linux"  # noqa: S101 - so that mypy takes the rest for no other

_READ, _WRITE = 0, 1
_SIGNAL_EVENTFD = 1
_MOST = 16
"""Transfers under way at most."""


@dataclass(frozen=True)
class _Calls:
    """Numbers of the system calls."""

    setup: int
    destroy: int
    get_events: int
    submit: int
    cancel: int


_GENERIC = _Calls(0, 1, 4, 2, 3)
_ARM = _Calls(243, 244, 245, 246, 247)
_CALLS = {
    ("x86_64", 8): _Calls(206, 207, 208, 209, 210),
    ("aarch64", 8): _GENERIC,
    ("riscv64", 8): _GENERIC,
    ("aarch64", 4): _ARM,  # programs of 32 bits on a kernel of 64, as on many Raspberry Pis
    ("armv8l", 4): _ARM,
    ("armv7l", 4): _ARM,
    ("armv6l", 4): _ARM,
}
"""By machine and size of a pointer in bytes; all of them are little-endian."""


class _ControlBlock(ctypes.Structure):
    """struct iocb (include/uapi/linux/aio_abi.h)."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_int32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("file", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("eventfd", ctypes.c_uint32),
    )


class _Completion(ctypes.Structure):
    """struct io_event."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("block", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


class Transfer:
    """A transfer that was begun; the buffer lives until the kernel has done with it."""

    def __init__(self, number: int, buffer: "ctypes.Array[ctypes.c_char]", size: int) -> None:
        self.number = number
        self._buffer = buffer
        self.size = size
        """Bytes to send, or room for what comes."""
        self.block = _ControlBlock()

    def data(self, count: int) -> bytes:
        """Return the first ``count`` bytes of the buffer."""
        return self._buffer.raw[:count]


class Transfers:
    """Transfers of one function; used by one thread.

    ``event`` is a file that becomes readable when some have ended, and when ``wake`` was called,
    which any thread may do.
    """

    def __init__(self) -> None:
        """Set up.

        Raises:
            GadgetUnusable: The kernel has no asynchronous I/O, or this machine is not known.
        """
        machine = (os.uname().machine, ctypes.sizeof(ctypes.c_void_p))
        if machine not in _CALLS or sys.byteorder != "little":
            raise GadgetUnusable(
                f"a machine of the kind {machine[0]} is not supported",
                "Use a board with an ARM processor",
            )
        self._calls = _CALLS[machine]
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._context = ctypes.c_ulong(0)
        self._under_way: dict[int, Transfer] = {}
        self._last = 0
        if self._call(self._calls.setup, _MOST, ctypes.byref(self._context)) < 0:
            raise GadgetUnusable(
                f"asynchronous I/O: {os.strerror(ctypes.get_errno())}",
                "Use a kernel with CONFIG_AIO",
            )
        self.event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def read(self, file: int, size: int) -> Transfer | None:
        """Begin to receive up to ``size`` bytes; None if the file cannot be used now."""
        return self._begin(_READ, file, ctypes.create_string_buffer(size), size)

    def write(self, file: int, data: bytes) -> Transfer | None:
        """Begin to send ``data``, or a packet of no bytes; None if the file cannot be used now."""
        buffer = ctypes.create_string_buffer(data, max(1, len(data)))
        return self._begin(_WRITE, file, buffer, len(data))

    @property
    def under_way(self) -> tuple[Transfer, ...]:
        """Those that have not been reported as ended."""
        return tuple(self._under_way.values())

    def cancel(self, transfer: Transfer) -> None:
        """Take a transfer back; it is still reported, as cancelled or, if it was, as done."""
        result = _Completion()
        block, into = ctypes.byref(transfer.block), ctypes.byref(result)
        self._call(self._calls.cancel, self._context, block, into)

    def ended(self) -> Iterator[tuple[Transfer, int]]:
        """Yield each transfer that has ended, with the bytes moved or an errno made negative."""
        self._quieten()
        found = (_Completion * _MOST)()
        count = self._call(self._calls.get_events, self._context, 0, _MOST, found, None)
        for completion in found[: max(0, count)]:
            yield self._under_way.pop(completion.data), completion.result

    def wake(self) -> None:
        """Make ``event`` readable."""
        os.eventfd_write(self.event, 1)

    def close(self) -> None:
        """Take all transfers back and wait until the kernel has done with them."""
        self._call(self._calls.destroy, self._context)
        self._under_way.clear()
        os.close(self.event)

    def _begin(
        self, opcode: int, file: int, buffer: "ctypes.Array[ctypes.c_char]", size: int
    ) -> Transfer | None:
        self._last += 1
        transfer = Transfer(self._last, buffer, size)
        block = transfer.block
        block.data, block.opcode, block.file = self._last, opcode, file
        block.buffer, block.size = ctypes.addressof(buffer), size
        block.flags, block.eventfd = _SIGNAL_EVENTFD, self.event
        blocks = (ctypes.c_void_p * 1)(ctypes.addressof(block))
        self._under_way[transfer.number] = transfer
        if self._call(self._calls.submit, self._context, 1, blocks) == 1:
            return transfer
        del self._under_way[transfer.number]
        if ctypes.get_errno() in {errno.EBADF, errno.EINVAL, errno.EFAULT}:
            raise OSError(ctypes.get_errno(), "io_submit")  # our mistake, not the cable's
        return None

    def _quieten(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)

    def _call(self, number: int, *arguments: object) -> int:
        result: int = self._libc.syscall(ctypes.c_long(number), *map(_word, arguments))
        return result


def _word(argument: object) -> object:
    """Have plain numbers passed as words, not as the int that ctypes makes of them."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
