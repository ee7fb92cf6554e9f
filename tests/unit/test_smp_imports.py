"""Start-up time: asking the driver for its name loads no cryptography and no emulator."""

import subprocess
import sys

CODE = """
import sys, usbprov_drivers.smp.driver as driver
heavy = {"cryptography", "usbprov.pki.certificates", "usbprov.emulation", "asyncio", "http"}
heavy |= {"usbprov_drivers.smp." + name for name in ("firmware", "emulator", "store", "ports")}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_driver_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
