"""The stock smpclient from PyPI talks to the emulated phone: the OS group and INFO.

INFO is declared here anew, from PROTOCOL.md and not from our code.
"""

import asyncio
from collections.abc import Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import pytest
from smp import error as smperror
from smp import message as smpmessage
from smpclient import SMPClient
from smpclient.generics import error_v2, success
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite
from smpclient.transport import SMPTransport
from smpclient.transport.serial import Cobs, SMPSerialRawTransport, SMPSerialTransport

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.pty import PtyPort
from usbprov_drivers.smp.emulator import boot
from usbprov_drivers.smp.ports import ConsolePort, RawPort

T = TypeVar("T")
GROUP, INFO, CSR = 1360, 0, 3


class Code(IntEnum):
    EMPTY = 5


class InfoRequest(smpmessage.ReadRequest):
    _GROUP_ID = GROUP
    _COMMAND_ID = INFO


class InfoResponse(smpmessage.ReadResponse):
    _GROUP_ID = GROUP
    _COMMAND_ID = INFO

    rev: int
    vendor: str
    model: str
    fw: str
    serial: str
    mac: bytes
    slots: int
    caps: int
    bits: list[int]
    max: int
    framings: int | None = None


class ErrorV1(smperror.ErrorV1):
    _GROUP_ID = GROUP


class ErrorV2(smperror.ErrorV2[Code]):
    _GROUP_ID = GROUP


class InfoRead(InfoRequest):
    _Response = InfoResponse
    _ErrorV1 = ErrorV1
    _ErrorV2 = ErrorV2


class CsrRequest(smpmessage.ReadRequest):
    _GROUP_ID = GROUP
    _COMMAND_ID = CSR

    slot: int
    cn: str


class CsrResponse(smpmessage.ReadResponse):
    _GROUP_ID = GROUP
    _COMMAND_ID = CSR

    off: int
    len: int
    sha: bytes
    data: bytes


class CsrRead(CsrRequest):
    _Response = CsrResponse
    _ErrorV1 = ErrorV1
    _ErrorV2 = ErrorV2


class BulkTransport(SMPTransport):
    """Raw messages straight into the phone's vendor interface."""

    def __init__(self, port: RawPort) -> None:
        self._port = port

    async def connect(self, address: str, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._port.connect(self._take)

    def _take(self, data: bytes) -> None:
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, data)

    async def disconnect(self) -> None:
        self._port.reset()

    async def send(self, data: bytes) -> None:
        self._port.receive(data)

    async def receive(self) -> bytes:
        return await self._inbox.get()

    async def send_and_receive(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.receive()

    @property
    def mtu(self) -> int:
        return 256


async def converse(client: SMPClient, buffer: int) -> None:
    """Everything that a foreign host may ask without changing a phone."""
    async with client:
        for text in ("", "hello", "x" * 100):
            echo = await client.request(EchoWrite(d=text))
            assert success(echo)
            assert echo.r == text
        parameters = await client.request(MCUMgrParametersRead())
        assert success(parameters)
        assert (parameters.buf_size, parameters.buf_count) == (buffer, 1)
        info = await client.request(InfoRead())
        assert success(info)
        assert (info.rev, info.serial, info.model) == (1, "EMU0001", "EP-100")
        assert info.mac == bytes.fromhex("02005e000001")
        assert info.bits == [2048, 3072, 4096]
        refused = await client.request(CsrRead(slot=0, cn="alice@contoso.test"))
        assert error_v2(refused)
        assert (refused.err.group, refused.err.rc) == (GROUP, Code.EMPTY)
        assert success(await client.request(ResetWrite()))
        assert success(await client.request(InfoRead()))


def run(conversation: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(conversation, 20))


@pytest.mark.parametrize(("options", "buffer"), [({}, 4096), ({"small-buffers": ""}, 256)])
def test_over_a_serial_line_in_console_framing(
    tmp_path: Path, options: dict[str, str], buffer: int
) -> None:
    firmware = boot(PhoneSpec(1, tmp_path / "state", (), options))
    with PtyPort(ConsolePort(firmware)) as terminal:
        run(converse(SMPClient(SMPSerialTransport(), terminal.path), buffer))


@pytest.mark.parametrize(("options", "buffer"), [({}, 4096), ({"small-buffers": ""}, 256)])
def test_over_a_serial_line_in_cobs(tmp_path: Path, options: dict[str, str], buffer: int) -> None:
    firmware = boot(PhoneSpec(1, tmp_path / "state", (), options))
    with PtyPort(ConsolePort(firmware)) as terminal:
        transport = SMPSerialRawTransport(mtu=256, framing=Cobs())
        run(converse(SMPClient(transport, terminal.path), buffer))


def test_one_line_is_used_in_both_framings_after_another(tmp_path: Path) -> None:
    firmware = boot(PhoneSpec(1, tmp_path / "state"))
    with PtyPort(ConsolePort(firmware)) as terminal:
        for _ in range(2):
            for transport in (
                SMPSerialTransport(),
                SMPSerialRawTransport(mtu=256, framing=Cobs()),
            ):
                run(converse(SMPClient(transport, terminal.path), 4096))


def test_over_bulk_with_raw_messages(tmp_path: Path) -> None:
    firmware = boot(PhoneSpec(1, tmp_path / "state"))
    run(converse(SMPClient(BulkTransport(RawPort(firmware)), "bulk"), 4096))
