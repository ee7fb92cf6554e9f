"""The lab's emulated phones: a process of their own, on one USB/IP exporter.

``python -m usbprov.lab.phones --dir DIR --count N`` serves until its standard input ends or a
signal comes. Killing it pulls every phone; starting it again brings them back as their state
files have them. When they can be reached, one line of JSON goes to standard output, and
``DIR/phones.json`` says where.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from usbprov.emulation.contract import Emulator, PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators
from usbprov.errors import LabError, LabUnusable
from usbprov.lab.files import private_folder, write_atomic
from usbprov.lab.layout import Layout
from usbprov.lab.lock import FolderLock
from usbprov.lab.phonebank import PhonesFacts, PhonesOptions
from usbprov.pki.certificates import load_pem_certificates, to_der

MAX_PHONES = 999

_ROOT_PORTS = 15
_HUB_PORTS = 7
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def port_paths(count: int) -> list[str]:
    """Return the port paths of ``count`` phones.

    Up to 15 sit at the root hub's ports (``1-1`` …); more at hubs of 7 ports (``1-1.1`` …), 15
    hubs to a bus.
    """
    if count <= _ROOT_PORTS:
        return [f"1-{port}" for port in range(1, count + 1)]
    return [_behind_hub(*divmod(number, _HUB_PORTS)) for number in range(count)]


def _behind_hub(hub: int, port: int) -> str:
    bus, at = divmod(hub, _ROOT_PORTS)
    return f"{bus + 1}-{at + 1}.{port + 1}"


def choose_family(found: Mapping[str, Emulator], name: str | None) -> Emulator:
    """Return the emulator of that name, or the only one that there is.

    Raises:
        LabUnusable: There is none of that name, none at all, or several and no name is given.
    """
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    emulator = found.get(name or "")
    if emulator is None:
        known = ", ".join(sorted(found)) or "none"
        wrong = f"no phone family {name!r}" if name else "the phone family must be named"
        raise LabUnusable(f"{wrong} (installed: {known})")
    return emulator


def make_phones(options: PhonesOptions, emulator: Emulator) -> dict[str, UsbDevice]:
    """Make the phones, or bring them back from their state files, by port path.

    Raises:
        LabUnusable: The folder holds no lab, the number is out of range, or the family does not
            take the personality.
    """
    if not 1 <= options.count <= MAX_PHONES + 1 - options.first:
        raise LabUnusable(f"there can be the phones 1 to {MAX_PHONES}")
    layout = Layout(options.folder)
    try:
        roots = load_pem_certificates(layout.root_ca.read_bytes())
    except OSError:
        raise LabUnusable(f"{options.folder} holds no lab") from None
    states = private_folder(layout.phones)
    factory = tuple(to_der(root) for root in roots)
    return {
        path: emulator.make(
            PhoneSpec(index, states / f"{index:03}.state", factory, options.personality)
        )
        for index, path in enumerate(port_paths(options.count), options.first)
    }


@contextlib.contextmanager
def serve(options: PhonesOptions) -> Iterator[PhonesFacts]:
    """Have the phones on a bus within the block.

    Raises:
        LabUnusable: As ``make_phones``; or a port is taken, or phones of this lab run already.
    """
    layout = Layout(options.folder)
    emulator = choose_family(emulators(), options.family)
    with contextlib.ExitStack() as stack:
        lock = FolderLock(layout.phones_lock, "another process with the phones")
        if options.folder.is_dir():
            lock.acquire()
            stack.callback(lock.release)
        devices = make_phones(options, emulator)
        exporter = stack.enter_context(Exporter(devices, port=options.port))
        facts = PhonesFacts(
            f"usbip://127.0.0.1:{exporter.port}", exporter.port, os.getpid(), tuple(devices)
        )
        stack.callback(layout.phones_facts.unlink, missing_ok=True)
        write_atomic(layout.phones_facts, json.dumps(facts.row(), indent=2).encode())
        yield facts


class _Stopped(BaseException):
    """A signal has come."""


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in _SIGNALS:  # what is closed now shall not be interrupted
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def run(options: PhonesOptions, say: Callable[[Mapping[str, object]], None]) -> None:
    """Serve until standard input ends or SIGTERM or SIGINT comes. For a process of its own.

    Args:
        options: What phones.
        say: Called with the facts when the phones can be reached.
    """
    for number in _SIGNALS:
        signal.signal(number, _stop)
    with contextlib.suppress(_Stopped), serve(options) as facts:
        say(facts.row())
        while os.read(sys.stdin.fileno(), 4096):
            pass


def main(arguments: Sequence[str]) -> int:
    """Run as a child process; returns its exit code."""
    try:
        run(_parse(arguments), _say)
    except LabError as error:
        _say({"error": str(error) if not isinstance(error, LabUnusable) else error.problem})
        return error.exit_code
    return 0


def _say(facts: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _parse(arguments: Sequence[str]) -> PhonesOptions:
    parser = argparse.ArgumentParser("usbprov.lab.phones", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--family")
    parser.add_argument("--personality", action="append", default=[], metavar="NAME[=VALUE]")
    found = parser.parse_args(arguments)
    return PhonesOptions(
        folder=found.dir,
        count=found.count,
        port=found.port,
        family=found.family,
        personality=parse_personality(found.personality),
    )


def parse_personality(options: Sequence[str]) -> dict[str, str]:
    """Read ``NAME`` or ``NAME=VALUE`` options; the value of a plain name is ""."""
    split = [option.partition("=") for option in options]
    return {name: value for name, _, value in split}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
