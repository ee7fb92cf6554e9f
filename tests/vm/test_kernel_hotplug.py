"""``list --watch`` tells what is plugged in and out, as the kernel's events come."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import processes
from kernel_usb import Desk
from processes import wait_for
from technician import Workplace


class Watch:
    """What a running ``list --watch --json`` has told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, count: int) -> list[tuple[str, str, str]]:
        """Return who came and went, and where, once so many did."""
        wait_for(lambda: len(self.moves()) >= count, f"{count} events; there are {self.told}")
        return self.moves()

    def moves(self) -> list[tuple[str, str, str]]:
        # Under emulation a phone that is pulled loses its serial port so long before the rest
        # that it is told to have changed first.
        return [
            (row["event"], row["device"]["port_path"], row["device"]["serial"])
            for row in list(self.told)
            if row["event"] != "changed"
        ]

    def end(self) -> int:
        self._process.terminate()
        self._reader.join(processes.PATIENCE)
        return self._process.wait(processes.PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.told.extend(json.loads(line) for line in self._process.stdout)


@contextmanager
def watching(workplace: Workplace) -> Iterator[Watch]:
    command = workplace.command("list", "--watch", "--json")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=workplace.environment
    ) as process:
        try:
            yield Watch(process)
        finally:
            process.kill()


def test_each_phone_comes_once_and_goes_once(workplace: Workplace, desk: Desk) -> None:
    workplace.plug(3)
    (there,) = desk.plug("1-1")
    with watching(workplace) as watch:
        expected = [("arrived", there, "EMU0001")]
        assert watch.wait(1) == expected
        (second,) = desk.plug("1-2")
        expected.append(("arrived", second, "EMU0002"))
        assert watch.wait(2) == expected
        desk.unplug(there)
        expected.append(("left", there, "EMU0001"))
        assert watch.wait(3) == expected
        (same,) = desk.plug("1-3")
        assert same == there
        expected.append(("arrived", there, "EMU0003"))
        assert watch.wait(4) == expected
        assert watch.end() == 0
        assert watch.wait(4) == expected
