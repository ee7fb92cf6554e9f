"""The libraries of a sign-in are loaded by who signs in; tlslite-ng stands behind one port."""

import re
import subprocess
import sys
from pathlib import Path

import usbprov

HEAVY = ("cryptography", "tlslite", "spnego", "gssapi", "krb5", "urllib3", "lxml", "ssl")
CODE = """
import sys
{code}
print([name for name in {heavy} if name in sys.modules])
"""
PACKAGE = Path(usbprov.__file__).parent


def loaded(code: str) -> str:
    text = CODE.format(code=code, heavy=HEAVY)
    command = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_describing_a_registrar_loads_nothing_heavy() -> None:
    code = """
from usbprov.registrar.client import *
with Registrar(RegistrarAddress.parse("pool.contoso.com")):
    pass
"""
    assert loaded(code) == "[]"


def test_signing_in_loads_no_library_for_kerberos() -> None:
    assert loaded("import usbprov.registrar.sign_in") == str(
        ["cryptography", "tlslite", "urllib3", "ssl"]
    )


def test_only_one_file_names_the_tls_library() -> None:
    pattern = re.compile(r"^\s*(?:from|import) tlslite\b", re.MULTILINE)
    client = [p for p in PACKAGE.rglob("*.py") if "lab" not in p.relative_to(PACKAGE).parts]
    found = [p.name for p in client if pattern.search(p.read_text("utf-8"))]
    assert found == ["tlslite_names.py"]
