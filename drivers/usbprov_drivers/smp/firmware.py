"""The emulated phone's firmware: requests in, responses out, after PROTOCOL.md.

Framing and cables are in ``ports``; memory in ``store``; this module carries out the commands, one
at a time, dispatched by a table.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import time
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import rsa

from usbprov.pki.requests import build_request
from usbprov_drivers.smp import credentials, inventory
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.credentials import Refused
from usbprov_drivers.smp.jobs import Job, Jobs
from usbprov_drivers.smp.model import Model
from usbprov_drivers.smp.schema import FieldInvalid, Record, dump_record, load_record
from usbprov_drivers.smp.slots import Slots
from usbprov_drivers.smp.store import Store
from usbprov_drivers.smp.wire import HEADER_SIZE, MalformedMessage, Message, Op, Version

logger = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)

_Key = tuple[Op, int, int]
_NOTHING = m.Caps(0)
_COMMIT: _Key = (m.COMMIT.op, m.COMMIT.group, m.COMMIT.number)


@dataclass(frozen=True)
class _Row:
    """A command that the firmware carries out, and what the model must be able to do for it."""

    run: Callable[[Mapping[str, object]], Record]
    needs: m.Caps


class _NotHere(Exception):
    """Raised to answer with an error code of the message layer."""

    def __init__(self, rc: m.MgmtRc) -> None:
        super().__init__(rc.name)
        self.rc = rc


class Firmware:
    """One emulated phone's mind. Thread-safe: commands and key jobs take turns."""

    def __init__(self, model: Model, store: Store) -> None:
        """Start up on what the store has."""
        self.model = model
        self.lamp = False
        """Whether IDENTIFY has lit the lamp."""
        self._store = store
        self._slots = Slots(model, store)
        self._jobs = Jobs(model.keygen_seconds)
        self._lock = threading.RLock()
        self._restart_due = False
        self.reboot: Callable[[], None] = self.restart
        """What is done when a restart was asked for and the response is on its way."""
        self._table = self._commands()

    def handle(self, request: Message) -> Message:
        """Carry out one request and return its response."""
        with self._lock:
            answer = self._answer(request)
            payload = encode_map(answer)
            if HEADER_SIZE + len(payload) > self.model.room:
                payload = encode_map({"rc": m.MgmtRc.MESSAGE_SIZE.value})
            return request.response(payload)

    def pause(self, request: Message) -> float:
        """Return the seconds that it waits before it carries out a request."""
        asked = (request.op, request.group, request.command)
        extra = self.model.commit_seconds if asked == _COMMIT else 0.0
        return self.model.latency + extra

    def answered(self) -> None:
        """The response is on its way: now restart, if that was asked for."""
        with self._lock:
            if self._restart_due:
                self._restart_due = False
                self.reboot()

    def restart(self) -> None:
        """Begin again with what is durable; jobs, lamp and unfinished pieces are lost."""
        with self._lock:
            self._restart_due = False
            self._jobs.stop()
            self._slots.restart()
            self.lamp = False

    def _answer(self, request: Message) -> Mapping[str, object]:
        try:
            return dump_record(self._run(request))
        except _NotHere as absence:
            return {"rc": absence.rc.value}
        except MalformedMessage:
            return {"rc": m.MgmtRc.INVALID.value}
        except FieldInvalid:
            return _refusal(request.group, m.Rc.INVALID)
        except Refused as refused:
            return _refusal(request.group, refused.rc)
        except OSError as error:
            logger.debug("%s: storage: %s", self.model.serial, error.strerror)
            return _refusal(request.group, m.Rc.STORAGE)

    def _run(self, request: Message) -> Record:
        """Carry out a request; a bug of ours is a refusal, since a mute phone helps nobody."""
        try:
            return self._carry_out(request)
        except (_NotHere, MalformedMessage, FieldInvalid, Refused, OSError):
            raise
        except Exception as error:
            logger.warning("%s: a bug: %s", self.model.serial, type(error).__name__)
            raise Refused(m.Rc.UNKNOWN) from None

    def _carry_out(self, request: Message) -> Record:
        if request.group == m.GROUP and request.version is Version.SMP1:
            raise _NotHere(m.MgmtRc.TOO_OLD)
        row = self._table.get((request.op, request.group, request.command))
        if row is None:
            raise _NotHere(m.MgmtRc.NOT_SUPPORTED)
        if row.needs & ~self.model.caps:
            raise Refused(m.Rc.UNSUPPORTED)
        return row.run(decode_map(request.payload))

    def _commands(self) -> Mapping[_Key, _Row]:
        """Say which method carries out which command, and what the model must be able to do."""
        caps = m.Caps
        return dict(
            (
                _row(m.ECHO, self._echo),
                _row(m.RESET, self._reset),
                _row(m.PARAMETERS, self._parameters),
                _row(m.INFO, self._info),
                _row(m.KEYGEN, self._keygen, caps.GENERATE_KEY),
                _row(m.JOB, self._job, caps.GENERATE_KEY),
                _row(m.CSR, self._csr),
                _row(m.PUT, self._put),
                _row(m.COMMIT, self._commit),
                _row(m.LIST, self._list),
                _row(m.GET, self._get),
                _row(m.PROVE, self._prove, caps.PROVE),
                _row(m.ERASE, self._erase),
                _row(m.SIGN, self._sign, caps.SIGN),
                _row(m.CLOCK_READ, self._clock_read),
                _row(m.CLOCK_WRITE, self._clock_write, caps.SET_CLOCK),
                _row(m.CONFIGURE_READ, self._configure_read, caps.CONFIGURE),
                _row(m.CONFIGURE_WRITE, self._configure_write, caps.CONFIGURE),
                _row(m.IDENTIFY, self._identify, caps.IDENTIFY),
            )
        )

    # --- the OS group ---------------------------------------------------------------------------

    def _echo(self, request: m.EchoRequest) -> m.EchoResponse:
        return m.EchoResponse(request.d)

    def _reset(self, _: m.ResetRequest) -> m.Nothing:
        self._restart_due = True
        return m.Nothing()

    def _parameters(self, _: m.Nothing) -> m.ParametersResponse:
        return m.ParametersResponse(self.model.buffer, 1)

    # --- the phone ------------------------------------------------------------------------------

    def _info(self, _: m.Nothing) -> m.InfoResponse:
        model = self.model
        return m.InfoResponse(
            rev=m.REVISION,
            vendor=model.vendor,
            model=model.name,
            fw=model.firmware,
            serial=model.serial,
            mac=model.mac,
            slots=model.slots,
            caps=model.caps,
            bits=model.bits,
            max=model.max_object,
            sigs=model.sigs,
            rsa_max=model.rsa_max,
            framings=m.Framings.COBS if model.cobs else None,
        )

    def _clock_read(self, _: m.Nothing) -> m.Time:
        return m.Time(min(max(0, self._now()), m.MAX_TIME))

    def _clock_write(self, request: m.Time) -> m.Nothing:
        offset = request.now - int(time())
        self._store.update(replace(self._store.state, clock=offset))
        return m.Nothing()

    def _identify(self, request: m.IdentifyRequest) -> m.Nothing:
        self.lamp = request.on
        return m.Nothing()

    # --- keys -----------------------------------------------------------------------------------

    def _keygen(self, request: m.KeygenRequest) -> m.KeygenResponse:
        made = self._slots.made_before(request.slot, request.nonce, replace_it=request.replace)
        if made is not None:
            return m.KeygenResponse(0, made)
        if request.bits not in self.model.bits:
            raise Refused(m.Rc.UNSUPPORTED)
        job = self._jobs.running()
        if job is None:
            job = self._jobs.start(request.slot, request.bits, request.nonce, self._storing)
        elif (job.slot, job.nonce) != (request.slot, request.nonce):
            raise Refused(m.Rc.BUSY)
        return m.KeygenResponse(job.number)

    def _storing(self, job: Job) -> Callable[[rsa.RSAPrivateKey], bytes]:
        def store(key: rsa.RSAPrivateKey) -> bytes:
            with self._lock:
                if job.stopped.is_set():
                    return b""
                return self._slots.add_made_key(job.slot, key, job.nonce)

        return store

    def _job(self, request: m.JobRequest) -> m.JobResponse:
        job = self._jobs.find(request.job)
        if job is None:
            raise Refused(m.Rc.NO_SUCH_JOB)
        return job.report()

    def _csr(self, request: m.CsrRequest) -> m.PieceResponse:
        self._refuse_while_making(request.slot)
        key = self._slots.newest_key(request.slot)
        return self._piece(build_request(key, request.cn), request.off)

    def _prove(self, request: m.ProveRequest) -> m.PieceResponse:
        key = self._slots.active_key(request.slot)
        return self._piece(credentials.prove(key, request.nonce), request.off)

    def _sign(self, request: m.SignRequest) -> m.PieceResponse:
        key = self._slots.active_key(request.slot)
        return self._piece(credentials.sign_block(key, request.block), request.off)

    # --- objects --------------------------------------------------------------------------------

    def _put(self, request: m.PutRequest) -> m.PutResponse:
        self._check_kind(request.kind)
        self._refuse_while_making(request.slot)
        return m.PutResponse(self._slots.put(request))

    def _commit(self, request: m.CommitRequest) -> m.CommitResponse:
        self._check_kind(request.kind)
        self._refuse_while_making(request.slot)
        before = self._store.state
        answer = self._slots.commit(request, datetime.fromtimestamp(self._now(), UTC))
        is_news = request.kind is m.Kind.CERT and self._store.state is not before
        self._restart_due |= self.model.restarts and is_news
        return answer

    def _list(self, request: m.ListRequest) -> m.ListResponse:
        return inventory.page(self._store.state, request.start, self.model.room)

    def _get(self, request: m.GetRequest) -> m.PieceResponse:
        if request.kind is m.Kind.ROOT:
            self._check_kind(request.kind)
            found = self._store.state.root(request.sha or b"")
        else:
            found = inventory.active_object(self._slots.slot(request.slot), request.kind)
        if found is None:
            raise Refused(m.Rc.EMPTY)
        return self._piece(found, request.off)

    def _erase(self, request: m.EraseRequest) -> m.Nothing:
        self._slots.slot(request.slot)
        self._refuse_while_making(request.slot)
        if request.confirm != f"{self.model.serial}/{request.slot}":
            raise Refused(m.Rc.NOT_CONFIRMED)
        self._slots.erase(request.slot)
        return m.Nothing()

    def _configure_read(self, request: m.SettingRequest) -> m.SettingResponse:
        slot = self._slots.slot(request.slot)
        is_active = request.state is m.SlotPart.ACTIVE
        settings = slot.settings if is_active else slot.pending_settings
        return m.SettingResponse(settings.value(request.name) if settings else None)

    def _configure_write(self, request: m.ConfigureRequest) -> m.Nothing:
        self._refuse_while_making(request.slot)
        values = (request.sip_uri, request.registrar, request.web_services_url)
        for answer in (m.SettingResponse(value) for value in values):
            if HEADER_SIZE + len(encode_map(dump_record(answer))) > self.model.room:
                raise Refused(m.Rc.TOO_LARGE)
        self._slots.configure(request)
        return m.Nothing()

    # --- shared ---------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(time()) + self._store.state.clock

    def _check_kind(self, kind: m.Kind) -> None:
        needs = {m.Kind.ROOT: m.Caps.TRUST_STORE, m.Kind.KEY: m.Caps.IMPORT_KEY}
        if needs.get(kind, _NOTHING) & ~self.model.caps:
            raise Refused(m.Rc.UNSUPPORTED)

    def _refuse_while_making(self, slot: int | None) -> None:
        job = self._jobs.running()
        if job is not None and job.slot == slot:
            raise Refused(m.Rc.BUSY)

    def _piece(self, whole: bytes, off: int) -> m.PieceResponse:
        return inventory.piece(whole, off, self.model.room)


def _row(
    command: m.Command[Q, A], carry_out: Callable[[Q], A], needs: m.Caps = _NOTHING
) -> tuple[_Key, _Row]:
    """Tie a method to a command; the request's record is made of the map that came."""
    key = (command.op, command.group, command.number)
    return key, _Row(lambda fields: carry_out(load_record(command.request, fields)), needs)


def _refusal(group: int, rc: m.Rc) -> Mapping[str, object]:
    if group == m.GROUP:
        return {"err": {"group": group, "rc": rc.value}}
    return {"rc": m.MgmtRc.INVALID.value}
