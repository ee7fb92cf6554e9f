"""The libraries for Windows sign-in are loaded by who uses them, and by nobody else."""

import subprocess
import sys

HEAVY = ("spnego", "gssapi", "krb5")
CODE = """
import sys
from usbprov.webservices import client, methods
from usbprov.net.credentials import *
{more}
print([name for name in {heavy} if name in sys.modules])
"""


def loaded(more: str) -> str:
    code = CODE.format(more=more, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_other_ways_do_without_them() -> None:
    more = "methods.method_of(PinCredential('1', '2')).sender(None)"
    assert loaded(more) == "[]"


def test_describing_a_windows_account_does_without_them() -> None:
    more = "methods.method_of(WindowsCredential(Way.NTLM, 'a', 'b')).security()"
    assert loaded(more) == "[]"


def test_signing_in_with_one_loads_them() -> None:
    more = "methods.method_of(WindowsCredential(Way.NTLM, 'a', 'b')).sender(None)"
    assert "spnego" in loaded(more)


def test_provision_does_without_them_until_then() -> None:
    assert loaded("from usbprov.cli.commands.provision import provision") == "[]"
