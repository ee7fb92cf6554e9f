"""The other side of ``bench64.py``, in processes of their own: the lab, and the phones on USB/IP.

``python bench64_site.py lab DIR USERS`` serves a lab. ``python bench64_site.py phones DIR`` reads
what phones there shall be from standard input (JSON: ``ports``, and ``seconds``: what each takes
for its key, or null for phones that cannot make one), says where they are, and plugs all of them
in at the next line. Both say a line of JSON, and end when their standard input does.

A phone's key is a fresh RSA key as ever, but it was made before the phone is plugged in: a real
phone makes it with a processor of its own, not with this computer's.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators
from usbprov.lab.up import Lab, LabOptions
from usbprov.pki.certificates import load_pem_certificates, to_der
from usbprov.pki.keys import generate_rsa
from usbprov_drivers.smp import jobs

FAMILY = "smp"
BITS = 2048


def say(facts: object) -> None:
    """Write a line of JSON."""
    print(json.dumps(facts), flush=True)


def lab(folder: Path, users: int) -> None:
    """Serve the Web Services and the Registrar."""
    with Lab(LabOptions(folder, synthetic_users=users)) as running:
        say(running.facts.row())
        sys.stdin.read()


def phones(folder: Path) -> None:
    """Serve phones that leave the factory now."""
    wanted = json.loads(sys.stdin.readline())
    roots = tuple(to_der(c) for c in load_pem_certificates(Path(wanted["roots"]).read_bytes()))
    made = [
        phone(PhoneSpec(number, folder / f"{number:03}.state", roots, personality(seconds)))
        for number, seconds in enumerate(wanted["seconds"], 1)
    ]
    with keys_ahead(len(made) if any(wanted["seconds"]) else 0), Exporter({}) as exporter:
        say(exporter.port)
        sys.stdin.readline()
        for port, device in zip(wanted["ports"], made, strict=True):
            exporter.attach(port, device)
        say("plugged")
        sys.stdin.read()


def phone(spec: PhoneSpec) -> UsbDevice:
    """Make a phone."""
    return emulators()[FAMILY].make(spec)


def personality(seconds: float | None) -> dict[str, str]:
    """Return the options of a phone that takes so long for its key, or makes none."""
    return {"no-keygen": ""} if seconds is None else {"keygen-seconds": f"{seconds:.3f}"}


def keys_ahead(count: int) -> AbstractContextManager[object]:
    """Have keys ready for so many phones, each to be given out once."""
    with ThreadPoolExecutor() as pool:
        ready = list(pool.map(generate_rsa, [BITS] * count))
    return mock.patch.object(jobs, "generate_rsa", side_effect=ready)


if __name__ == "__main__":
    if sys.argv[1] == "lab":
        lab(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        phones(Path(sys.argv[2]))
