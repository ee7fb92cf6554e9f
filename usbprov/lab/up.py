"""A whole lab: Web Services on loopback and emulated phones, from one folder.

Importing this module loads nothing of the ``lab`` extra; starting a lab does.
"""

import contextlib
import importlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from usbprov.errors import LabDependencyMissing, LabUnusable
from usbprov.lab.faults import Faults, parse_fault
from usbprov.lab.files import private_folder, write_atomic
from usbprov.lab.layout import Layout
from usbprov.lab.lock import FolderLock
from usbprov.lab.phonebank import PhoneBank, PhonesOptions
from usbprov.lab.policy import Policy, make_policy, read_options
from usbprov.lab.users import (
    DEFAULT_USERS,
    LabUser,
    combine_users,
    read_policy,
    read_users,
    synthetic_users,
    write_users,
)

if TYPE_CHECKING:
    from usbprov.lab.assembly import Served


_POLL_SECONDS = 0.2
_EXTRA = ("OpenSSL", "lxml", "signxml", "spnego", "starlette", "uvicorn")


@dataclass(frozen=True)
class LabOptions:
    """What lab there shall be. A port of 0 is a free one.

    Attributes:
        dir: Folder of everything that lasts: CA, users, stores, phones.
        phones: How many emulated phones.
        users_file: TOML file of users; without it those of an earlier start, else three defaults.
        synthetic_users: How many made-up users to add, for demonstrations with many phones.
        host: The name in the URLs; it must resolve to loopback.
        https_port: Of the Web Services.
        http_port: Of the chain download and of LyncDiscover's first step, without TLS.
        sip_port: Of the Registrar.
        usbip_port: Of the phones' bus.
        faults: ``NAME[=ARG]`` each, see ``usbprov.lab.faults.FAULTS``.
        personality: Options of the phones' family.
        phones_family: The family's name, where more than one is installed.
        policy: ``NAME=VALUE`` each, over the ``[policy]`` table of the users file; see
            ``usbprov.lab.policy.Policy``.
        keytab: Kerberos keytab of ``HTTP/host@REALM``; without it no Kerberos is taken.
    """

    dir: Path
    phones: int = 0
    users_file: Path | None = None
    synthetic_users: int = 0
    host: str = "localhost"
    https_port: int = 0
    http_port: int = 0
    sip_port: int = 0
    usbip_port: int = 0
    faults: Sequence[str] = ()
    personality: Mapping[str, str] = field(default_factory=dict)
    phones_family: str | None = None
    policy: Sequence[str] = ()
    keytab: Path | None = None


@dataclass(frozen=True)
class LabFacts:
    """What a client needs to know of a running lab; ``DIR/lab.json`` says the same.

    Attributes:
        web_services_url: Of the certificate provisioning service.
        web_ticket_url: Of the Web ticket service.
        chain_url: Of the chain download.
        autodiscover_url: Of LyncDiscover, where a client begins.
        registrar: ``host:port`` of the Registrar, SIP over TLS.
        ca_file: PEM file of the root to trust.
        bus: What ``--bus`` takes; None without phones.
        users: The users, with PIN and password.
        pid: The lab's process.
    """

    web_services_url: str
    web_ticket_url: str
    chain_url: str
    autodiscover_url: str
    registrar: str
    ca_file: Path
    bus: str | None
    users: tuple[LabUser, ...] = field(repr=False)
    pid: int

    def row(self) -> dict[str, object]:
        """Return everything by name, secrets included: for ``lab.json`` (0600) only."""
        return {
            "web_services_url": self.web_services_url,
            "web_ticket_url": self.web_ticket_url,
            "chain_url": self.chain_url,
            "autodiscover_url": self.autodiscover_url,
            "registrar": self.registrar,
            "ca_file": str(self.ca_file),
            "bus": self.bus,
            "users": [user.row() for user in self.users],
            "pid": self.pid,
        }


class Lab:
    """A lab that is started and stopped; a context manager."""

    def __init__(self, options: LabOptions, show: Callable[[str], None] | None = None) -> None:
        """Take the options.

        Args:
            options: What lab there shall be.
            show: Is called with each line of the request log, in a thread of the server.

        Raises:
            LabUnusable: A fault is not known.
        """
        self._options = options
        self._show = show
        self._layout = Layout(options.dir.absolute())
        self._settings = [parse_fault(text) for text in options.faults]
        self._undo = contextlib.ExitStack()
        self._facts: LabFacts | None = None
        self._faults: Faults | None = None
        self._served: Served | None = None
        self._phones: PhoneBank | None = None

    @property
    def facts(self) -> LabFacts:
        """What a client needs to know.

        Raises:
            LabUnusable: The lab does not run.
        """
        if self._facts is None:
            raise LabUnusable("the lab is not running")
        return self._facts

    @property
    def faults(self) -> Faults:
        """The faults that are on; may be changed while the lab runs.

        Raises:
            LabUnusable: The lab does not run.
        """
        if self._faults is None:
            raise LabUnusable("the lab is not running")
        return self._faults

    def start(self) -> Self:
        """Start everything, write ``lab.json`` and return.

        Raises:
            LabDependencyMissing: The ``lab`` extra is not installed, or with a keytab the
                ``kerberos`` extra.
            LabUnusable: Folder, host or ports cannot be used, or a lab runs in the folder.
            ConfigInvalid: The users file is wrong.
        """
        with contextlib.ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def stop(self) -> None:
        """End phones and servers, and take ``lab.json`` away; may be called twice."""
        self._facts = None
        self._undo.close()
        self._faults = None

    def wait(self, stop: threading.Event) -> None:
        """Return when ``stop`` is set.

        Raises:
            LabUnusable: A server has ended by itself.
        """
        while not stop.wait(_POLL_SECONDS):
            if self._served is None or not self._served.running:
                raise LabUnusable("a server has ended")

    def pull_phones(self) -> None:
        """Kill the phones' process: every phone loses power at once."""
        if self._phones is not None:
            self._phones.pull()

    def plug_phones(self) -> None:
        """Bring the phones back at the same bus address, as their state files have them."""
        if self._phones is not None:
            self._phones.start()

    def __enter__(self) -> Self:
        return self.start() if self._facts is None else self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, undo: contextlib.ExitStack) -> None:
        _need_extra(_EXTRA)
        _check_keytab(self._options.keytab)
        layout = self._layout
        private_folder(layout.folder)
        lock = FolderLock(layout.lock, "another lab")
        lock.acquire()
        undo.callback(lock.release)
        undo.callback(layout.facts.unlink, missing_ok=True)
        layout.facts.unlink(missing_ok=True)
        self._faults = self._open_faults(undo)
        users, policy = self._users()
        served = self._serve(undo, users, policy)
        url = served.endpoints
        bus = self._start_phones(undo) if self._options.phones else None
        facts = LabFacts(
            web_services_url=url.certprov,
            web_ticket_url=url.webticket,
            chain_url=url.chain,
            autodiscover_url=url.autodiscover,
            registrar=served.registrar,
            ca_file=layout.root_ca,
            bus=bus,
            users=users,
            pid=os.getpid(),
        )
        content = json.dumps(facts.row(), indent=2, ensure_ascii=False)
        write_atomic(layout.facts, content.encode())
        self._facts = facts

    def _open_faults(self, undo: contextlib.ExitStack) -> Faults:
        """Open the faults, which begin anew with each start."""
        path = self._layout.faults
        path.unlink(missing_ok=True)
        write_atomic(path, b"")  # 0600, and empty is a database to SQLite
        faults = Faults(self._settings, path)
        undo.callback(faults.close)
        return faults

    def _users(self) -> tuple[tuple[LabUser, ...], Policy]:
        """Return the users and settings of this start, and keep them for the next."""
        options, kept = self._options, self._layout.users
        source = options.users_file or (kept if kept.exists() else None)
        users = read_users(source) if source else DEFAULT_USERS
        settings = (read_policy(source) if source else {}) | read_options(options.policy)
        policy = make_policy(settings, str(source or "the options"))
        made = synthetic_users(options.synthetic_users)
        combined = combine_users(users, made, str(source or "the default users"))
        write_users(kept, combined, settings)
        return combined, policy

    def _serve(
        self,
        undo: contextlib.ExitStack,
        users: tuple[LabUser, ...],
        policy: Policy,
    ) -> "Served":
        # Only here, so that `usbprov lab --help` and the like load none of it.
        from usbprov.lab.assembly import Site, serve  # noqa: PLC0415

        options = self._options
        site = Site(
            layout=self._layout,
            host=options.host,
            https_port=options.https_port,
            http_port=options.http_port,
            sip_port=options.sip_port,
            users=users,
            policy=policy,
            faults=self.faults,
            keytab=options.keytab,
            show=self._show,
        )
        self._served = serve(site)
        undo.callback(self._served.stop)
        return self._served

    def _start_phones(self, undo: contextlib.ExitStack) -> str:
        options = self._options
        bank = PhoneBank(
            PhonesOptions(
                folder=self._layout.folder,
                count=options.phones,
                port=options.usbip_port,
                family=options.phones_family,
                personality=options.personality,
            )
        )
        undo.callback(bank.stop)
        self._phones = bank
        return bank.start().bus


def lab_users(folder: Path) -> tuple[LabUser, ...]:
    """Return the users of the lab of that folder, whether it runs or not.

    Raises:
        LabUnusable: The folder holds no lab.
        ConfigInvalid: Its users file was made wrong.
    """
    path = Layout(folder).users
    if not path.exists():
        raise LabUnusable(f"{folder} holds no lab")
    return read_users(path)


def _check_keytab(path: Path | None) -> None:
    if path is None:
        return
    _need_extra(("gssapi",))
    if not os.access(path, os.R_OK):
        raise LabUnusable(f"the keytab {path} cannot be read")


def _need_extra(names: Sequence[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            raise LabDependencyMissing(name) from None
