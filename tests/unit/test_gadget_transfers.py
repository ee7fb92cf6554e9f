"""The kernel's asynchronous I/O, on files that need no USB."""

import errno
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from usbprov.emulation import gadget_aio
from usbprov.errors import GadgetUnusable


@pytest.fixture
def transfers() -> Iterator[gadget_aio.Transfers]:
    transfers = gadget_aio.Transfers()
    yield transfers
    transfers.close()


def ended(transfers: gadget_aio.Transfers) -> list[tuple[gadget_aio.Transfer, int]]:
    assert select.select([transfers.event], [], [], 5)[0], "nothing has ended"
    return list(transfers.ended())


def test_what_is_written_is_read(transfers: gadget_aio.Transfers, tmp_path: Path) -> None:
    data = os.urandom(3000)
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        writing = transfers.write(file, data)
        assert ended(transfers) == [(writing, len(data))]
        reading = transfers.read(file, 4096)
        assert transfers.under_way == (reading,)
        assert ended(transfers) == [(reading, len(data))]
        assert reading is not None
        assert reading.data(len(data)) == data
        assert not transfers.under_way
    finally:
        os.close(file)


def test_no_bytes_are_a_transfer_too(transfers: gadget_aio.Transfers) -> None:
    reader, writer = os.pipe()
    try:
        nothing = transfers.write(writer, b"")
        assert ended(transfers) == [(nothing, 0)]
    finally:
        os.close(reader)
        os.close(writer)


def test_a_file_that_is_not_ready_says_so_at_once(transfers: gadget_aio.Transfers) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        reading = transfers.read(reader, 64)
        assert ended(transfers) == [(reading, -errno.EAGAIN)]
    finally:
        os.close(reader)
        os.close(writer)


def test_a_wrong_file_is_a_mistake_of_ours(transfers: gadget_aio.Transfers) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="io_submit"):
        transfers.read(reader, 64)
    assert not transfers.under_way


def test_waking(transfers: gadget_aio.Transfers) -> None:
    assert not select.select([transfers.event], [], [], 0)[0]
    transfers.wake()
    assert ended(transfers) == []
    assert not select.select([transfers.event], [], [], 0)[0]


def test_machines_that_are_not_known_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gadget_aio, "_CALLS", {})
    with pytest.raises(GadgetUnusable, match="is not supported"):
        gadget_aio.Transfers()
