"""The program, killed (-9) at one moment each: cases come by standard input.

The input is JSON: a list of ``[moment, arguments, pin]``. The modules are loaded once. Every case
is a fork, a process of its own, which takes the arguments of the program and dies at its moment,
or never, where that is null. The output is what each ended with: ``-9`` for one that died.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from usbprov.cli.main import run
from usbprov.engine.steps.check import CheckStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.request import RequestStep
from usbprov_drivers.smp.driver import SmpPhone


def die(*_arguments: Any, **_named: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit(1)


def commits(phone: SmpPhone, parcel: Any, chain: bytes | None = None) -> Any:
    """Die at the COMMIT of a certificate only; roots and keys are committed, too."""
    if parcel.kind.value == "cert":
        die()
    return _committed(phone, parcel, chain)


_committed = SmpPhone._commit

MOMENTS: Mapping[str, Callable[[], None]] = {
    "key made": lambda: setattr(RequestStep, "run", die),
    "issued": lambda: setattr(CheckStep, "run", die),
    "written": lambda: setattr(SmpPhone, "_commit", commits),
    "committed": lambda: setattr(ProveStep, "run", die),
}


def killed(moment: str | None, arguments: list[str], pin: str) -> int:
    """Run the program until its moment has come; returns what it ended with."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        reading, writing = os.pipe()
        os.write(writing, pin.encode() + b"\n")
        os.close(writing)
        if moment is not None:
            MOMENTS[moment]()
        os._exit(run([*arguments, "--pin-fd", str(reading)]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


LATE = (
    "usbprov.cli.provisioning",
    "usbprov.registrar.client",
    "usbprov.registrar.taping",
    "usbprov.usb.buses",
    "usbprov.usb.usbip_backend",
    "usbprov.webservices.client",
    "usbprov.webservices.trust.plan",
    "zeep",
)
"""What the program loads when it is used: here before it is forked, so that it is loaded once."""


if __name__ == "__main__":
    for module in LATE:
        importlib.import_module(module)
    json.dump([killed(*case) for case in json.load(sys.stdin)], sys.stdout)
