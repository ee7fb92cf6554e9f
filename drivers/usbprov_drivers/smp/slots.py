"""The slot commands of the emulated phone: PUT, COMMIT, ERASE, CONFIGURE and pending keys.

Each reads the durable state, decides, and makes at most one durable change (PROTOCOL.md 2.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import rsa

from usbprov_drivers.smp import credentials
from usbprov_drivers.smp.credentials import KeyRing, Refused
from usbprov_drivers.smp.messages import (
    CommitRequest,
    CommitResponse,
    ConfigureRequest,
    Kind,
    PutRequest,
    Rc,
    When,
)
from usbprov_drivers.smp.model import Model
from usbprov_drivers.smp.state import MAX_ROOTS, Inbox, Settings, Slot, StoredKey
from usbprov_drivers.smp.store import Store
from usbprov_drivers.smp.uploads import Uploads

T = TypeVar("T")


class Slots:
    """Everything that changes what a phone holds. The caller holds the phone's lock."""

    def __init__(self, model: Model, store: Store) -> None:
        """Work on a store."""
        self._model = model
        self._store = store
        self._uploads = Uploads(store, model.max_object)
        self._keys = KeyRing()
        self._commits: Mapping[Kind, Callable[[CommitRequest, datetime], CommitResponse]] = {
            Kind.CERT: self._commit_certificate,
            Kind.ROOT: self._commit_root,
            Kind.KEY: self._commit_key,
        }

    def slot(self, number: int | None) -> Slot:
        """Return a slot; raises ``Refused`` (INVALID, NO_SUCH_SLOT)."""
        if number is None:
            raise Refused(Rc.INVALID)
        if number >= self._model.slots:
            raise Refused(Rc.NO_SUCH_SLOT)
        return self._store.state.slots[number]

    def active_key(self, number: int) -> rsa.RSAPrivateKey:
        """Return the key in use; raises ``Refused`` (EMPTY)."""
        return self._keys.open(_there(self.slot(number).key))

    def newest_key(self, number: int) -> rsa.RSAPrivateKey:
        """Return the pending key, else the one in use; raises ``Refused`` (EMPTY)."""
        slot = self.slot(number)
        return self._keys.open(_there(slot.pending_key or slot.key))

    def made_before(self, number: int, nonce: bytes | None, *, replace_it: bool) -> bytes | None:
        """Return the pending key's digest if it has this nonce; None if one may be made.

        Raises:
            Refused: OCCUPIED, unless ``replace_it``.
        """
        slot = self.slot(number)
        if slot.pending_key is not None and slot.pending_key.nonce == nonce:
            return slot.pending_key.sha
        if slot.occupied and not replace_it:
            raise Refused(Rc.OCCUPIED)
        return None

    def add_made_key(self, number: int, key: rsa.RSAPrivateKey, nonce: bytes) -> bytes:
        """Make a key the slot's pending one, durably; returns its digest."""
        return self._add_pending_key(number, self._keys.store(key, nonce))

    def put(self, request: PutRequest) -> int:
        """Take a piece of an object and return the offset wanted next."""
        if request.kind is Kind.KEY:
            nonce = _there(request.nonce, Rc.INVALID)
            if self.made_before(_number(request.slot), nonce, replace_it=bool(request.replace)):
                return request.len
        if request.kind is not Kind.ROOT:
            self.slot(request.slot)
        elif request.slot is not None:
            raise Refused(Rc.INVALID)
        return self._uploads.put(request)

    def commit(self, request: CommitRequest, now: datetime) -> CommitResponse:
        """Put an object in use; ``now`` is the phone's own time."""
        commit = self._commits.get(request.kind)
        if commit is None:
            raise Refused(Rc.INVALID)
        return commit(request, now)

    def configure(self, request: ConfigureRequest) -> None:
        """Change the settings that are pending, or those in force."""
        slot = self.slot(request.slot)
        if request.when is When.COMMIT:
            after = _merged(slot.pending_settings, request)
            self._save(request.slot, replace(slot, pending_settings=after))
        else:
            self._save(request.slot, replace(slot, settings=_merged(slot.settings, request)))

    def erase(self, number: int) -> None:
        """Destroy everything in the slot."""
        if self.slot(number) != Slot():
            self._save(number, Slot())
        self._uploads.forget()

    def restart(self) -> None:
        """Lose what is not durable."""
        self._uploads.forget()

    def _commit_certificate(self, request: CommitRequest, now: datetime) -> CommitResponse:
        number = _number(request.slot)
        slot = self.slot(number)
        pending = slot.pending_key or slot.pending_settings or slot.inbox.uploads
        if not pending and _active_digest(slot) == request.sha:
            return CommitResponse(request.sha, _there(slot.key).sha)
        certificate = self._uploads.whole(Kind.CERT, number, request.sha)
        key = _there(slot.pending_key or slot.key)
        credentials.check_certificate(certificate, key, now)
        chain = b""
        if request.chain is not None:
            chain = self._uploads.whole(Kind.CHAIN, number, request.chain)
            credentials.check_chain(chain)
        if slot.pending_settings and not slot.pending_settings.complete:
            raise Refused(Rc.NOT_STAGED)
        self._save(number, slot.committed(certificate, chain))
        self._uploads.forget()
        return CommitResponse(request.sha, key.sha)

    def _commit_root(self, request: CommitRequest, _: datetime) -> CommitResponse:
        state = self._store.state
        if state.root(request.sha) is None:
            root = self._uploads.whole(Kind.ROOT, None, request.sha)
            credentials.parse(root)
            if len(state.roots) >= MAX_ROOTS:
                raise Refused(Rc.TOO_LARGE)
            self._store.update(replace(state, roots=(*state.roots, root), inbox=Inbox()))
        return CommitResponse(request.sha)

    def _commit_key(self, request: CommitRequest, _: datetime) -> CommitResponse:
        number, nonce = _number(request.slot), _there(request.nonce, Rc.INVALID)
        made = self.made_before(number, nonce, replace_it=bool(request.replace))
        if made is None:
            pkcs8 = self._uploads.whole(Kind.KEY, number, request.sha)
            key = self._keys.take(pkcs8, nonce, self._model.bits)
            made = self._add_pending_key(number, key)
        return CommitResponse(request.sha, made)

    def _add_pending_key(self, number: int, key: StoredKey) -> bytes:
        self._save(number, self.slot(number).with_pending_key(key))
        self._uploads.forget()
        return key.sha

    def _save(self, number: int, slot: Slot) -> None:
        self._store.update(self._store.state.with_slot(number, slot))
        self._keys.keep_only(self._store.state)


def _merged(before: Settings | None, request: ConfigureRequest) -> Settings:
    """Set what the request gives; the rest stays, unless it is to be cleared."""
    old = Settings() if before is None or request.clear else before
    return Settings(
        request.sip_uri or old.sip_uri,
        request.registrar or old.registrar,
        request.web_services_url or old.web_services_url,
    )


def _active_digest(slot: Slot) -> bytes | None:
    return credentials.digest(slot.certificate) if slot.certificate else None


def _number(slot: int | None) -> int:
    return _there(slot, Rc.INVALID)


def _there(value: T | None, rc: Rc = Rc.EMPTY) -> T:
    if value is None:
        raise Refused(rc)
    return value
