"""What is done at a stand, as a table: each command of the program that meets a secret, or why not.

A flow says how it ends and which secrets the spy must have seen meanwhile, so that none can go
well by doing nothing. The flows of a journey follow each other at one stand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from signal import SIGKILL

from canary.secrets import (
    NEW_PASSPHRASE,
    PASSPHRASE,
    PASSWORD,
    PIN,
    WRONG_PASSWORD,
    WRONG_PIN,
)
from canary.stand import NAMES, Stand
from usbprov.engine.steps.table import STEPS

_Arguments = Callable[[Stand], Sequence[str]]


@dataclass(frozen=True)
class Flow:
    """One thing that is done.

    Attributes:
        command: The command, as in the command table: ``bench run``.
        options: What follows it.
        typed: Standard input.
        code: How it must end; None for a program that ends itself at ``stop``.
        sees: Kinds of secrets that the spy must know after it.
        stop: Where it comes to a bad end, as ``canary.spy`` has it.
        lines: What can be read at further descriptors.
        logged: Whether everything is logged, or nothing is.
        says: What must be in output or errors, so that the flow is what it seems to be.
    """

    command: str
    options: _Arguments = lambda _: ()
    typed: str = ""
    code: int | None = 0
    sees: frozenset[str] = frozenset()
    stop: str | None = None
    lines: Mapping[int, str] = field(default_factory=dict)
    logged: bool = True
    says: str = ""

    def go(self, at: Stand) -> None:
        """Do it, and check that it was done."""
        more = {"CANARY_LINES": ",".join(self._written(at))}
        words = (*self.command.split(), *self.options(at))
        how = {"typed": self.typed, "stop": self.stop, "logged": self.logged}
        ended = at.do(*words, **how, **more)
        told = f"{self} has ended with {ended.code}\n{ended.out[-2000:]}\n{ended.err[-3000:]}"
        if self.code is not None:
            assert ended.code == self.code, told
        assert self.says in ended.out + ended.err, told
        missing = self.sees - at.spied().keys()
        assert not missing, f"the spy has not seen {missing}\n{told}"

    def _written(self, at: Stand) -> Iterator[str]:
        for number, line in self.lines.items():
            (at.given / str(number)).write_text(f"{line}\n")
            yield f"{number}={at.given / str(number)}"


@dataclass(frozen=True)
class Journey:
    """Flows that follow each other.

    Attributes:
        flows: What is done.
        phones: How many phones there are.
        lab: More options of the lab.
        variables: What the lab has in its environment.
        prepare: Does what must be there before.
    """

    flows: Sequence[Flow]
    phones: int = 1
    lab: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Stand], None] = lambda _: None


def _extension(number: int) -> str:
    return str(1000 + number)


def _account(number: int) -> str:
    return f"CONTOSO\\{NAMES[number - 1]}"


def _provision(number: int, *more: str, registrar: bool = False) -> _Arguments:
    def arguments(at: Stand) -> list[str]:
        sign_in = at.registrar if registrar else []
        return [f"1-{number}", *at.servers, *sign_in, "--retry-seconds", "1", *more]

    return arguments


def by_pin(number: int, *more: str, pin: str = PIN, **how: object) -> Flow:
    """Return a job whose user is proved by a PIN on standard input."""
    known = ("--extension", _extension(number), "--pin-stdin", *more)
    return Flow("provision", _provision(number, *known, registrar=True), f"{pin}\n", **how)  # type: ignore[arg-type]


def by_account(number: int, way: str, *more: str, word: str = PASSWORD, **how: object) -> Flow:
    """Return a job whose user is proved by a Windows account."""
    known = ("--auth", way, "--login", _account(number), "--password-stdin", *more)
    return Flow("provision", _provision(number, *known), f"{word}\n", **how)  # type: ignore[arg-type]


_renewal = _provision(1, "--replace", "--key", "existing", "--auth", "certificate")

_TICKET = frozenset({"assertion", "proof key", "share"})
_SIGN_IN = frozenset({"keys of a sign-in", "master secret", "signed"})
_TOKEN = frozenset({"token"})
_KEY = frozenset({"pkcs8"})


def _bundle(at: Stand) -> list[str]:
    number = len(list(at.work.glob("*.zip")))
    return [str(at.work / f"{number}.zip")]


def _last_bundle(at: Stand) -> str:
    return str(max(at.work.glob("*.zip"), key=lambda file: int(file.stem)))


def _of_bundle(*more: str) -> _Arguments:
    return lambda at: [_last_bundle(at), *more]


_BUNDLE = Flow("support-bundle", _bundle)
_TOLD = (_BUNDLE, Flow("replay", _of_bundle("--test")))
"""What is made of a job afterwards, so that somebody else can look at it."""


def _to_file(name: str, *more: str) -> _Arguments:
    return lambda at: [*more, "-o", str(at.work / name)]


PAPERS = [
    Flow("ledger list", lambda _: ["--json"]),
    Flow("ledger show", lambda _: ["1"]),
    Flow("ledger show", lambda _: ["1", "--json"]),
    Flow("ledger verify"),
    *(Flow("report", _to_file(f"report.{form}")) for form in ("html", "csv", "json", "xlsx")),
    *(Flow("labels", _to_file(f"labels.{form}")) for form in ("pdf", "zpl")),
    Flow("replay", _of_bundle()),
    Flow("explain", lambda _: ["--job", "4"], code=None, says="WEB-05"),
    Flow("info", lambda _: ["1-1", "--json"]),
]
"""What a ledger and a phone are asked for."""


def _write_roster(at: Stand) -> None:
    """Write a roster with PINs, one without, and files of PINs: good ones, and a broken one."""
    rows = [(_extension(n), f"sip:{NAMES[n - 1]}@contoso.test") for n in range(1, 4)]
    heads = "extension,sip address"
    files = {
        "pins.csv": "\n".join([f"{heads},pin", *(f"{e},{u},{PIN}" for e, u in rows)]),
        "wrong.csv": "\n".join([f"{heads},pin", *(f"{e},{u},{WRONG_PIN}" for e, u in rows)]),
        "users.csv": "\n".join([heads, *(f"{e},{u}" for e, u in rows)]),
        "secrets.toml": "\n".join(["[pins]", *(f'{e} = "{PIN}"' for e, _ in rows)]),
        "broken.toml": f'[pins]\n1001 = "{PIN}"\n1002 = "{PIN}',
        "double.csv": f"{heads},pin\n1001,sip:alice@contoso.test,{PIN}\n1001,sip:x@y.test,{PIN}x",
    }
    for name, text in files.items():
        (at.given / name).write_text(text + "\n")
        (at.given / name).chmod(0o600)


def _bench(roster: str, *more: str, run: bool = True, files: Sequence[str] = ()) -> _Arguments:
    def arguments(at: Stand) -> list[str]:
        given = [str(at.given / file) for file in files]
        end = ["--once", "--patience", "1", "--name", "desk"] if run else []
        return [str(at.given / roster), *at.servers, *at.registrar, *end, *more, *given]

    return arguments


def _checked(*more: str) -> _Arguments:
    def arguments(at: Stand) -> list[str]:
        download = ["--chain-download-url", at.at.facts["chain_url"]]
        return [*more, *at.servers, *at.registrar, *download, "--json"]

    return arguments


def _directory(*more: str) -> _Arguments:
    """Ask a directory that does not answer, with a password."""
    ldap = ["--source", "ldap", "--ldap-url", "ldap://127.0.0.1:9/dc=contoso,dc=test"]
    who = ["--ldap-user", "CONTOSO\\alice", "--ldap-plain-password", "--password-stdin"]
    return lambda at: [*more, "1-1", *at.servers, *ldap, *who]


_ALICE = "sip:alice@contoso.test"

_NAME = _ALICE.removeprefix("sip:")
_NINE = ("--vault-passphrase-fd", "9")
_IN_VAULT = ("--key", "vault", *_NINE)
_CONFIRMED = ("--confirm", _NAME)


def _out(name: str, *more: str) -> _Arguments:
    return lambda at: [*more, "--out", str(at.work / name)]


def _prepared(*more: str) -> _Arguments:
    """Prepare a job for a phone that is not here."""
    who = ("--extension", "1001", "--pin-stdin", "--passphrase-fd", "9")
    return lambda at: [*more, *who, *at.servers, "--out", str(at.work / "carried")]


def _prepared_all(pins: str) -> _Arguments:
    """Prepare a job for each phone of a roster."""

    def arguments(at: Stand) -> list[str]:
        mac = "extension,sip address,mac\n1002,sip:bob@contoso.test,02:00:5e:00:00:07\n"
        (at.given / "macs.csv").write_text(mac)
        roster = ["--roster", str(at.given / "macs.csv"), "--secrets", str(at.given / pins)]
        return [*roster, "--passphrase-fd", "9", *at.servers, "--out", str(at.work / "files")]

    return arguments


def _applied(at: Stand) -> list[str]:
    return [str(at.work / "carried"), "1-1", "--passphrase-fd", "9"]


def _requested(at: Stand) -> list[str]:
    url = at.at.facts["web_services_url"]
    who = ["--user", _ALICE, "--web-services-url", url]
    return ["1-2", *who, "--out", str(at.work / "request")]


def _answered(at: Stand) -> list[str]:
    files = ["--request", str(at.work / "request"), "--out", str(at.work / "answer")]
    return [*files, "--passphrase-fd", "9", "--ca-file", at.at.facts["ca_file"]]


JOURNEYS: Mapping[str, Journey] = {
    "pin": Journey(
        [
            by_pin(1, "--dry-run", "--json"),
            by_pin(1, "--json", sees=_TICKET | _SIGN_IN),
            *_TOLD,
            Flow(
                "provision",
                _provision(2, "--extension", "1002", "--pin-fd", "9", "--key", "host", "--json"),
                lines={9: PIN},
                sees=_KEY,
            ),
            *_TOLD,
            Flow("provision", _renewal, says="certificate"),
            *_TOLD,
            Flow(
                "lab revoke", lambda at: ["--dir", str(at.folder / "lab"), "sip:alice@contoso.test"]
            ),
            Flow("provision", _renewal, code=7, says="WEB-05", sees=frozenset({"signed"})),
            *_TOLD,
            by_pin(3, pin=WRONG_PIN, code=7, says="WEB-05"),
            *_TOLD,
            *PAPERS,
        ],
        phones=3,
        lab=["--personality", "import-key"],
    ),
    "account": Journey(
        [
            by_account(1, "password", "--json", sees=_TICKET),
            *_TOLD,
            by_account(2, "ntlm", sees=_TOKEN),
            *_TOLD,
            by_account(3, "password", word=WRONG_PASSWORD, code=7),
            by_account(3, "ntlm", "--json", word=WRONG_PASSWORD, code=7),
            *_TOLD,
        ],
        phones=3,
    ),
    "checks": Journey(
        [
            Flow(
                "check phone-bootstrap",
                _checked("--extension", "1001", "--pin-stdin"),
                f"{PIN}\n",
                sees=_TICKET | {"keys of a sign-in"},
            ),
            Flow(
                "check phone-bootstrap",
                _checked("--extension", "1001", "--pin-stdin"),
                f"{WRONG_PIN}\n",
                code=7,
            ),
            *(
                Flow(
                    "check client-auth",
                    _checked(
                        "--login", _account(1), "--password-stdin", "--auth", way, "--user", _ALICE
                    ),
                    f"{word}\n",
                    code=code,
                )
                for way in ("ntlm", "negotiate")
                for word, code in ((PASSWORD, 0), (WRONG_PASSWORD, 7))
            ),
            Flow("trust plan", _directory(), f"{PASSWORD}\n", code=None),
            Flow("trust install", _directory(), f"{PASSWORD}\n", code=None),
            Flow(
                "bench check",
                _bench("double.csv", run=False),
                code=2,
            ),
            Flow(
                "bench check",
                _bench("users.csv", "--secrets", run=False, files=["broken.toml"]),
                code=2,
            ),
            Flow(
                "bench check",
                _bench(
                    "users.csv", "--ask", "--json", "--secrets", run=False, files=["secrets.toml"]
                ),
            ),
        ],
        prepare=_write_roster,
    ),
    "bench": Journey(
        [
            Flow("bench run", _bench("wrong.csv", "--json"), code=10, says="WEB-05"),
            Flow(
                "bench run",
                _bench("users.csv", "--json", "--secrets", files=["secrets.toml"]),
                sees=_TICKET | _SIGN_IN,
            ),
            Flow(
                "bench run", _bench("pins.csv", "--again", "--replace", "--key", "host"), sees=_KEY
            ),
            Flow(
                "bench run",
                _bench("pins.csv", "--again", "--replace", *_IN_VAULT),
                lines={9: PASSPHRASE},
                sees=frozenset({"derived key"}),
            ),
            Flow(
                "bench run",
                _bench(
                    "users.csv", "--again", "--replace", "--login", _account(1), "--password-stdin"
                ),
                f"{PASSWORD}\n",
                code=10,
                sees=_TOKEN,
            ),
            _BUNDLE,
            Flow("report", _to_file("report.html")),
        ],
        phones=3,
        lab=["--personality", "import-key"],
        prepare=_write_roster,
    ),
    "store unreachable": Journey(
        [
            by_pin(1, "--json", code=5, says="WEB-09", sees=_TICKET),
            *_TOLD,
            by_pin(2, "--json", "--key", "host", code=5, says="WEB-09", sees=_KEY),
            *_TOLD,
            by_account(3, "password", code=5, says="WEB-09"),
            *_TOLD,
            by_account(3, "ntlm", code=5, says="WEB-09", sees=_TOKEN),
            *_TOLD,
        ],
        phones=3,
        lab=["--personality", "import-key", "--fault", "store-unreachable"],
    ),
    "hostile ticket service": Journey(
        [
            by_pin(1, code=7, says="refused"),
            by_pin(1, "--json", code=7, says="refused"),
            *_TOLD,
            by_account(1, "password", "--json", code=7, says="refused"),
            *_TOLD,
            by_account(1, "ntlm", code=7, says="refused"),
            Flow(
                "check phone-bootstrap",
                _checked("--extension", "1001", "--pin-stdin"),
                f"{PIN}\n",
                code=7,
                says="refused",
            ),
            Flow("bench run", _bench("pins.csv", "--json"), code=10, says="refused"),
            *PAPERS[:4],
        ],
        variables={"CANARY_ECHO": "ticket"},
        prepare=_write_roster,
    ),
    "hostile certificate service": Journey(
        [
            by_pin(1, "--json", code=7, says="refused"),
            *_TOLD,
            by_account(1, "ntlm", "--replace", code=7, says="refused"),
            Flow("bench run", _bench("pins.csv"), code=10, says="refused"),
            *PAPERS[:4],
        ],
        variables={"CANARY_ECHO": "publish"},
        prepare=_write_roster,
    ),
    "hostile Registrar": Journey(
        [
            by_pin(1, "--json", code=None, says="refused", sees=frozenset({"signed"})),
            *_TOLD,
            Flow(
                "check publication",
                lambda at: ["1-1", *at.servers, *at.registrar],
                code=None,
                says="refused",
            ),
        ],
        lab=["--fault", "certificate-not-found"],
        variables={"CANARY_ECHO": "sign-in"},
    ),
    "vault": Journey(
        [
            by_pin(1, "--json", *_IN_VAULT, lines={9: PASSPHRASE}, sees=_KEY | {"derived key"}),
            *_TOLD,
            by_pin(1, "--replace", *_IN_VAULT, lines={9: NEW_PASSPHRASE}, code=None, says="VLT-"),
            Flow("vault list", lambda _: ["--json"], says="contoso.test"),
            Flow("vault show", lambda _: [_NAME]),
            Flow(
                "vault export",
                _out("key.pem", *_CONFIRMED, _NAME, *_NINE, "--export-passphrase-fd", "8"),
                lines={9: PASSPHRASE, 8: NEW_PASSPHRASE},
            ),
            Flow(
                "vault passphrase",
                lambda _: [*_NINE, "--new-passphrase-fd", "8"],
                lines={9: PASSPHRASE, 8: NEW_PASSPHRASE},
            ),
            Flow(
                "vault export",
                _out("no.pem", *_CONFIRMED, _NAME, *_NINE, "--export-passphrase-fd", "8"),
                lines={9: PASSPHRASE, 8: PASSPHRASE},
                code=None,
                says="VLT-",
            ),
            by_pin(2, *_IN_VAULT, lines={9: NEW_PASSPHRASE}, stop="key given:kill", code=-SIGKILL),
            by_pin(2, *_IN_VAULT, lines={9: NEW_PASSPHRASE}),
            Flow("vault destroy", lambda _: [*_CONFIRMED, _NAME]),
            *PAPERS[:4],
        ],
        phones=2,
        lab=["--personality", "import-key"],
    ),
    "carried": Journey(
        [
            Flow(
                "prepare",
                _prepared("--mac", "02:00:5e:00:00:01", "--key", "host"),
                f"{PIN}\n",
                lines={9: PASSPHRASE},
                sees=_TICKET | _KEY,
            ),
            Flow("apply", _applied, lines={9: NEW_PASSPHRASE}, code=None, says="error"),
            Flow("apply", _applied, lines={9: PASSPHRASE}, stop="key given:kill", code=-SIGKILL),
            Flow("apply", _applied, lines={9: PASSPHRASE}, stop="install:raise", code=1),
            Flow("apply", _applied, lines={9: PASSPHRASE}),
            Flow("prepare", _prepared_all("secrets.toml"), lines={9: PASSPHRASE}, sees=_KEY),
            Flow("prepare", _prepared_all("broken.toml"), lines={9: PASSPHRASE}, code=2),
            Flow("request", _requested),
            Flow(
                "prepare",
                lambda at: [*_answered(at), "--extension", "1001", "--pin-stdin"],
                f"{PIN}\n",
                lines={9: PASSPHRASE},
                sees=_TICKET,
            ),
            Flow(
                "apply",
                lambda at: [str(at.work / "answer"), "1-2", "--passphrase-fd", "9", "--json"],
                lines={9: PASSPHRASE},
            ),
            *PAPERS[:4],
        ],
        prepare=_write_roster,
        phones=2,
        lab=["--personality", "import-key"],
    ),
    "recovery": Journey(
        [
            by_pin(1, "--json"),
            Flow("recover", lambda at: ["1-1", *at.servers, *at.registrar, "--json"]),
            Flow(
                "renew", lambda at: ["1-1", *at.servers, *at.registrar, "--json"], sees={"signed"}
            ),
            Flow(
                "renew",
                lambda at: ["1-1", *at.servers, "--new-key", "--extension", "1001", "--pin-stdin"],
                f"{PIN}\n",
            ),
            Flow("lab revoke", lambda at: ["--dir", str(at.folder / "lab"), _ALICE]),
            Flow(
                "recover",
                lambda at: [
                    "1-1",
                    "--extension",
                    "1001",
                    "--pin-stdin",
                    *at.servers,
                    *at.registrar,
                ],
                f"{WRONG_PIN}\n",
                code=None,
            ),
            Flow(
                "recover",
                lambda at: [
                    "1-1",
                    "--extension",
                    "1001",
                    "--pin-stdin",
                    *at.servers,
                    *at.registrar,
                ],
                f"{PIN}\n",
            ),
            _BUNDLE,
            Flow("expiring", lambda _: ["--json"]),
            Flow("ledger backup", lambda at: [str(at.work / "backup")]),
            Flow("ledger restore", lambda at: [str(at.work / "backup"), "--yes"]),
            Flow("ledger purge", lambda _: ["--older-than", "0d", "--yes"]),
            Flow("ledger vacuum"),
            Flow("retire", lambda _: ["serial:EMU0001", "--yes"]),
            *PAPERS[:4],
        ],
    ),
    "crashes": Journey(
        [
            *(by_pin(1, stop=f"{step.name}:raise", code=1) for step in STEPS),
            by_pin(1, "--json"),
            *(
                by_pin(2, "--json", "--key", "host", stop=f"{point}:raise", code=1)
                for point in ("PIN in a header", "ticket read", "host key made")
            ),
            by_pin(2, "--key", "host", stop="host key made:kill", code=-SIGKILL),
            by_pin(
                2,
                *("--key", "host"),
                stop="key given:kill",
                code=-SIGKILL,
                sees=frozenset({"sealing key"}),
            ),
            by_pin(2, "--key", "host", stop="proof made:raise", code=1),
            by_pin(2, "--key", "host", stop="keys of the handshake:raise", code=1),
            _BUNDLE,
            Flow("replay", _of_bundle()),
            by_pin(2, "--key", "host"),
            by_account(3, "password", stop="password in a header:raise", code=1),
            by_account(3, "ntlm", stop="token made:raise", code=1),
            by_account(3, "ntlm", stop="proof made:kill", code=-SIGKILL),
            by_account(3, "ntlm", stop="proof made:raise", code=1, logged=False),
            *(
                Flow(
                    "bench run",
                    _bench("pins.csv", "--again", "--replace"),
                    code=10,
                    stop="ticket read:raise",
                    logged=logged,
                    says="KeyError",
                )
                for logged in (True, False)
            ),
        ],
        phones=3,
        lab=["--personality", "import-key"],
        prepare=_write_roster,
    ),
}
"""What is done, by name."""

NO_SECRET: Mapping[str, str] = {
    "demo": "its users are made up, and their PINs are in the manual",
    "list": "it reads descriptors",
    "describe": "it reads descriptors",
    "identify": "it lights a lamp",
    "trust show": "it reads public certificates",
    "discover": "it asks DHCP, DNS and LyncDiscover, without credentials",
    "dhcp decode": "it takes options apart, without any network",
    "dhcp encode": "it puts options together, without any network",
    "check host": "it looks at this computer",
    "check bus": "it looks at USB",
    "check chain": "it looks at public certificates",
    "check phone": "the phone's certificate is public, and its key signs in the phone",
    "check all": "the same",
    "bench map": "it asks which port is which",
    "udev check": "it writes rules for udev",
    "udev install": "the same",
    "udev print": "the same",
    "udev uninstall": "the same",
    "drivers": "it lists what is installed",
    "lab up": "it is the other side; its logs are searched in every journey",
    "lab phone": "a part of the other side",
    "lab phones": "the same",
    "lab users": "it shows the lab's own PINs and passwords, which is what it is for",
    "lab fault": "it switches a fault",
    "lab faults": "the same",
    "lab move": "it moves a user",
    "lab personalities": "it lists what phones there are",
    "lab published": "it lists public certificates",
    "lab sign-ins": "it lists who has signed in",
}
"""The commands that neither take nor make a secret, and why."""
