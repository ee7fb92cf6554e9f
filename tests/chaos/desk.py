"""The phones on their hubs, and the hand that pulls cables and plugs them in again."""

import contextlib
import heapq
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.plan import Plan, Pull
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.lab.files import private_folder
from usbprov.lab.layout import Layout
from usbprov.lab.phones import port_paths
from usbprov.pki.certificates import load_pem_certificates, to_der
from usbprov_drivers.smp.emulator import boot, device_around
from usbprov_drivers.smp.firmware import Firmware

_SPARE = 3
"""Ports in which no phone is at first."""


@dataclass
class Phone:
    """A phone: its mind, its body, and the port that it is in; None while it is pulled."""

    firmware: Firmware
    device: UsbDevice
    port: str | None


@dataclass(order=True)
class _Return:
    """A pulled phone that is due to be plugged in again, by the monotonic clock."""

    due: float
    pull: Pull = field(compare=False)
    home: str = field(compare=False)


class Desk:
    """All phones, on one bus; a context manager.

    Attributes:
        pulled: How many cables have been pulled so far.
        moved: How many phones came back at another port.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Make the phones, which trust the root of the lab in ``folder``."""
        layout = Layout(folder)
        roots = tuple(map(to_der, load_pem_certificates(layout.root_ca.read_bytes())))
        states = private_folder(layout.phones)
        paths = port_paths(max(16, plan.size.phones + _SPARE))
        self._free = paths[plan.size.phones :]
        self._phones: dict[int, Phone] = {}
        for number, (path, model) in enumerate(zip(paths, plan.models, strict=False), 1):
            firmware = boot(PhoneSpec(number, states / f"{number:03}.state", roots, model))
            self._phones[number] = Phone(firmware, device_around(firmware), path)
        self._exporter = Exporter({str(p.port): p.device for p in self._phones.values()})
        self._dice = random.Random(plan.seed)  # noqa: S311
        self._news: queue.Queue[Pull | None] = queue.Queue()
        self._hand = threading.Thread(target=self._run, name="hand", daemon=True)
        self.pulled = self.moved = 0
        for pull in plan.pulls:
            self._arm(pull)

    @property
    def uri(self) -> str:
        """The bus."""
        return self._exporter.uri

    @property
    def all_plugged(self) -> bool:
        """Whether no phone is in the hand."""
        return all(phone.port is not None for phone in self._phones.values())

    def __enter__(self) -> Self:
        self._exporter.start()
        self._hand.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._news.put(None)
        self._hand.join()
        self._exporter.close()

    def calm(self) -> None:
        """Pull nothing any more."""
        for phone in self._phones.values():
            phone.device.faults.clear()

    def _arm(self, pull: Pull) -> None:
        """Have the cable give way by itself, in the middle of whatever is on it then."""
        device = self._phones[pull.phone].device
        device.faults.unplug_after(pull.after, pull.way)

        def moved(plugged: bool) -> None:
            if not plugged:
                self._news.put(pull)

        device.watch(moved)

    def _run(self) -> None:
        returns: list[_Return] = []
        while True:
            with contextlib.suppress(queue.Empty):
                wait = max(0.0, returns[0].due - time.monotonic()) if returns else None
                pull = self._news.get(timeout=wait)
                if pull is None:
                    return
                home = self._take_out(pull)
                heapq.heappush(returns, _Return(time.monotonic() + pull.away, pull, home))
            while returns and returns[0].due <= time.monotonic():
                back = heapq.heappop(returns)
                self._put_back(back.pull, back.home)

    def _take_out(self, pull: Pull) -> str:
        """Take a phone whose cable gave way into the hand; returns the port that it was in."""
        phone = self._phones[pull.phone]
        home = str(phone.port)
        self._exporter.detach(home)
        self._free.append(home)
        if pull.loses_power:
            phone.firmware.restart()
        phone.port = None
        self.pulled += 1
        return home

    def _put_back(self, pull: Pull, home: str) -> None:
        """Plug a phone in; another port may be one that another phone was pulled from."""
        phone = self._phones[pull.phone]
        others = [port for port in self._free if port != home]
        port = self._dice.choice(others) if pull.moves or home not in self._free else home
        self._free.remove(port)
        self._exporter.attach(port, phone.device)
        phone.device.plug()
        phone.port = port
        self.moved += port != home
