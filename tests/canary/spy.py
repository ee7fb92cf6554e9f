"""Runs in the program's own process, before it: notes its secrets, and what it leaves behind.

It is a file of its own that imports nothing of the tests. What it needs to know is in the
environment: ``CANARY_FOLDER``, where it writes; ``CANARY_LINES``, what can be read at further
descriptors; ``CANARY_STOP``, ``POINT:HOW``, where the program is to come to a bad end;
``CANARY_LEAK``, a secret that it is to leave everywhere; ``CANARY_ECHO``, what a lab is to give
back of what it was sent; ``CANARY_LAB`` is set in a lab.

Secrets go to ``secrets-PID.jsonl``. What the program wrote to, started, and put into its
environment goes to ``acts-PID.jsonl``; a copy of what it removes or replaces goes to ``kept``.
"""

import base64
import importlib
import itertools
import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

FOLDER = Path(os.environ["CANARY_FOLDER"])
_busy = threading.local()
_numbers = itertools.count()


def _append(kind, entry):
    was, _busy.on = getattr(_busy, "on", False), True
    try:
        with (FOLDER / f"{kind}-{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")
    finally:
        _busy.on = was


# --- secrets


def note(what, data):
    """Write a secret down."""
    data = data.encode() if isinstance(data, str) else data
    if data:
        _append("secrets", {"what": what, "data": base64.b64encode(bytes(data)).decode()})


def _owner(module, path):
    """Return what a function is an attribute of, and its name there."""
    found = importlib.import_module(module)
    *owners, name = path.split(".")
    for owner in owners:
        found = getattr(found, owner)
    return found, name


def wrap(module, path, around):
    """Have calls of a function go through ``around(real, arguments, named)``, everywhere."""
    owner, name = _owner(module, path)
    real = getattr(owner, name)

    def instead(*arguments, **named):
        return around(real, arguments, named)

    setattr(owner, name, instead)
    if isinstance(owner, type):
        return
    for other in [m for known, m in sys.modules.items() if known.startswith("usbprov")]:
        for key, value in list(vars(other).items()):
            if value is real:  # imported by name
                setattr(other, key, instead)


def telling(tell):
    """Return what calls the function, and then tells its result and arguments."""

    def around(real, arguments, named):
        result = real(*arguments, **named)
        tell(result, arguments)
        return result

    return around


def _ticket(made, _):
    note("assertion", made.assertion)
    note("proof key", made.key)


def _sent(answer, arguments):
    token = arguments[4].get("Authorization", "").partition(" ")[2]
    if token:
        note("token", base64.b64decode(token))
    note("cookie", answer.headers.get("Set-Cookie", ""))


def _keys_of_handshake(material, arguments):
    note("keys of a sign-in", material)
    note("master secret", arguments[0]._tls.session.masterSecret)


SECRETS = (
    ("usbprov.webservices.issue", "read_ticket", _ticket),
    ("usbprov.webservices.issue", "_server_entropy", lambda share, _: note("share", share)),
    ("usbprov.webservices.issue", "issue_fields", lambda _, given: note("share", given[2])),
    ("usbprov.webservices.session", "HttpSession._exchange_now", _sent),
    ("usbprov.pki.keys", "to_pkcs8", lambda key, _: note("pkcs8", key)),
    ("usbprov.registrar.inner_tls", "InnerTls.export", _keys_of_handshake),
    ("usbprov.pki.sealing", "SealingKey.__init__", lambda _, given: note("sealing key", given[1])),
    ("usbprov.pki.scrypt", "derive", lambda key, _: note("derived key", key)),
    ("usbprov_drivers.smp.driver", "SmpPhone.sign", lambda signed, _: note("signed", signed)),
)
"""Where secrets are made: module, function, and what is one."""


def _cheaply(real, arguments, named):
    """Let a try of a passphrase cost little: what it is to cost is not what is tested here."""
    cost = importlib.import_module("usbprov.pki.scrypt").Cost(1 << 10, 8, 1)
    return real(*arguments, **named | {"cost": cost}) if named else real(
        arguments[0], arguments[1], cost, *arguments[3:])  # fmt: skip


# --- what is left behind


def keep(path):
    """Keep a copy of a file that is about to go, or may change."""
    if not isinstance(path, int) and (file := Path(os.fsdecode(path))).is_file():
        shutil.copyfile(file, FOLDER / "kept" / f"{os.getpid()}-{next(_numbers)}-{file.name}")


def act(what, *details):
    """Write down what the program does."""
    _append("acts", {"act": what, "what": [_plain(detail) for detail in details]})


def _plain(detail):
    if isinstance(detail, dict) or hasattr(detail, "items"):
        return {_plain(name): _plain(value) for name, value in detail.items()}
    if isinstance(detail, (list, tuple)):
        return [_plain(one) for one in detail]
    return detail if isinstance(detail, int) else str(detail) if detail is not None else None


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | getattr(os, "O_TMPFILE", 0)


def _opened(path, _mode, flags):
    if flags & _WRITING and not isinstance(path, int):
        act("opened", os.fsdecode(path), bool(flags & os.O_TMPFILE == os.O_TMPFILE))


def _replaced(source, target, *_):
    keep(source)
    keep(target)


EVENTS = {
    "open": _opened,
    "os.remove": lambda path, *_: keep(path),
    "os.rename": _replaced,
    "os.truncate": lambda path, *_: keep(path),
    "os.putenv": lambda name, value: act("environment", os.fsdecode(name), os.fsdecode(value)),
    "subprocess.Popen": lambda program, given, _folder, env: act("process", program, given, env),
    "os.exec": lambda program, given, env: act("process", program, given, env),
    "os.posix_spawn": lambda program, given, env: act("process", program, given, env),
    "os.system": lambda command: act("process", command),
}
"""Audit events of Python (PEP 578), and what is done about them."""


def watch(event, arguments):
    """Take down what the program is about to do."""
    do = EVENTS.get(event)
    if do is None or getattr(_busy, "on", False):
        return
    _busy.on = True
    try:
        do(*arguments)
    finally:
        _busy.on = False


_sizes = {}


def snapshot():
    """Keep what is written to the ledger, as it is now; what only grows is kept once."""
    was, _busy.on = getattr(_busy, "on", False), True
    for path in Path(os.environ["HOME"]).glob("ledger*"):
        if path.suffix.endswith("-wal"):  # all that comes to the ledger is there before
            size, (number, before) = path.stat().st_size, _sizes.get(path, (0, 0))
            number += size < before
            _sizes[path] = number, size
            shutil.copyfile(path, FOLDER / "kept" / f"{os.getpid()}-step-{number}-{path.name}")
    _busy.on = was


# --- bad ends

POINTS = {
    "secret read": ("usbprov.cli.secret", "_checked"),
    "PIN in a header": ("usbprov.webservices.methods", "PinMethod.security"),
    "password in a header": ("usbprov.webservices.methods", "PasswordMethod.security"),
    "token made": ("usbprov.webservices.windows", "_next"),
    "ticket read": ("usbprov.webservices.issue", "read_ticket"),
    "proof made": ("usbprov.webservices.publish", "security_content"),
    "host key made": ("usbprov.pki.keys", "to_pkcs8"),
    "key given": ("usbprov_drivers.smp.driver", "SmpPhone.import_key"),
    "keys of the handshake": ("usbprov.registrar.inner_tls", "InnerTls.export"),
}
"""Functions that are given secrets, or give them; a bad end comes after them."""


def _raise(secrets):
    # The worst that a bug can do: an exception whose words are what the function had.
    raise KeyError(f"{secrets!r}")


ENDS = {
    "raise": _raise,
    "abort": lambda _: os.abort(),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
}


def bad_end(how, at=lambda _: True):
    """Return what lets a function do its work, and then ends the program or raises."""

    def around(real, arguments, named):
        result = real(*arguments, **named)
        if at(arguments):
            given = (*arguments, *named.values(), result)
            ENDS[how]([getattr(one, "__dict__", one) for one in given])
        return result

    return around


def plant(point, how):
    """Have the program come to a bad end: at a point, or after a step."""
    if point in POINTS:
        wrap(*POINTS[point], bad_end(how))
    else:
        wrap("usbprov.engine.runner", "Runner._take", bad_end(how, lambda a: a[1].name == point))


# --- leaks, to see that they are found


def _to_child(secret):
    subprocess.run(["sleep", "0.1", "0"], env={"LEAK": secret}, check=True)
    subprocess.run(["sh", "-c", "sleep 0.1", secret], check=True)


def _to_removed_file(secret):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(secret)
        file.flush()


def _to_unnamed_file(secret):
    with tempfile.TemporaryFile("w") as file:
        file.write(secret)


def _to_ledger(secret):
    ledger = sqlite3.connect(Path(os.environ["HOME"]) / "ledger.sqlite3", isolation_level=None)
    ledger.execute("CREATE TABLE leak (words)")
    ledger.execute("INSERT INTO leak VALUES (?)", (secret,))
    snapshot()
    ledger.execute("DROP TABLE leak")
    ledger.close()


LEAKS = (
    sys.stdout.write,
    sys.stderr.write,
    lambda secret: logging.getLogger("usbprov.leak").debug("%s", secret),
    lambda secret: os.environ.update(LEAK=secret),
    (FOLDER.parent / "elsewhere").write_text,
    _to_child,
    _to_removed_file,
    _to_unnamed_file,
    _to_ledger,
)
"""Where a program may leave a secret: each of these must be noticed."""


def leak(secret):
    """Have the program leave a secret everywhere, as soon as it has a ticket."""

    def all_of_them(*_):
        for leaks in LEAKS:
            leaks(secret)

    wrap("usbprov.webservices.issue", "read_ticket", telling(all_of_them))


# --- a hostile lab

_SAID = re.compile(
    rb"<[^>]*(?:Password|SignatureValue|CipherValue|BinarySecret)[^>]*>([^<]+)<|AssertionID=\"([^\"]+)"
)
_FAULT = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>
<faultcode xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
>w:{code}</faultcode><faultstring>{words}</faultstring>{detail}</s:Fault></s:Body></s:Envelope>"""
_DETAIL = """<detail><OCSDiagnosticsFault xmlns="urn:component:Microsoft.Rtc.WebAuthentication.2010"
><Ms-Diagnostics-Fault><ErrorId>28020</ErrorId><Reason>{words}</Reason></Ms-Diagnostics-Fault>
</OCSDiagnosticsFault></detail>"""


def _given_back(data):
    """Return what of a request is secret, as the words of somebody who means harm."""
    found = [first or second for first, second in _SAID.findall(data)]
    pieces = [piece.decode() for piece in found]
    plain = [base64.b64decode(p).decode("utf-8", "ignore") for p in pieces if _is_text(p)]
    return " ".join(["refused", *(p[:64] for p in (*plain, *pieces))])


def _is_text(piece):
    try:
        return base64.b64decode(piece, validate=True).decode().isprintable()
    except ValueError:
        return False


def echo(which):
    """Have the Web Services refuse what they are asked, with what they were sent.

    ``which`` is ``ticket`` or ``publish``; ``sign-in`` is for the Registrar.
    """
    if which == "sign-in":
        echo_sign_in()
        return
    app = importlib.import_module("usbprov.lab.app")

    def around(real, arguments, named):
        _parts, operation, _action, data = arguments
        if (operation.action == app.PUBLISH_ACTION) != (which == "publish"):
            return real(*arguments, **named)
        words = _given_back(data)
        body = _FAULT.format(code="FailedAuthentication", words=words,
                             detail=_DETAIL.format(words=words))  # fmt: skip
        headers = {"X-Ms-diagnostics": f'28020;"lab";"{words.encode().decode("latin-1")}";"w"'}
        return app.Response(body.encode(), 500, headers, "text/xml; charset=utf-8")

    wrap("usbprov.lab.app", "_work", around)


def lines():
    """Have a line to read at each descriptor that ``CANARY_LINES`` names: ``9=FILE,8=FILE``."""
    for entry in filter(None, os.environ.pop("CANARY_LINES", "").split(",")):
        number, _, file = entry.partition("=")
        opened = os.open(file, os.O_RDONLY)
        os.dup2(opened, int(number))
        os.close(opened)


def echo_sign_in():
    """Have the lab's Registrar give back what proves the user, in whatever it refuses."""

    def around(real, arguments, named):
        turn, status, reason, *headers = arguments
        sent = turn.exchange.request.value("authorization")
        tokens = re.findall(r'gssapi-data="([^"]+)"', sent)
        said = " ".join(["refused", *(token[-300:] for token in tokens)])  # the signature's end
        told = [
            (name, re.sub('reason="[^"]*"', f'reason="{said}"', value))
            if name == "ms-diagnostics"
            else (name, value)
            for name, value in headers
        ]
        return real(turn, status, said if status >= 400 else reason, *told, **named)

    wrap("usbprov.lab.registrar.turns", "Turn._answer", around)


def begin():
    """Begin to spy."""
    lines()
    if "CANARY_ECHO" in os.environ:
        echo(os.environ["CANARY_ECHO"])
    if "CANARY_LAB" in os.environ:  # what it keeps, it must have; it is another program
        del EVENTS["os.remove"], EVENTS["os.rename"], EVENTS["os.truncate"]
    (FOLDER / "kept").mkdir(exist_ok=True)
    sys.addaudithook(watch)
    if "CANARY_LAB" in os.environ:
        return
    wrap("usbprov.pki.scrypt", "derive", _cheaply)
    for module, path, tell in SECRETS:
        wrap(module, path, telling(tell))
    wrap("usbprov.engine.runner", "Runner._ended", telling(lambda *_: snapshot()))
    if "CANARY_STOP" in os.environ:
        plant(*os.environ["CANARY_STOP"].split(":"))
    if "CANARY_LEAK" in os.environ:
        leak(os.environ.pop("CANARY_LEAK"))


begin()
