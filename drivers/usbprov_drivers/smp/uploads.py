"""PUT inside the emulated phone: pieces to whole objects, durable every few kilobytes."""

from dataclasses import replace

from usbprov_drivers.smp.credentials import Refused
from usbprov_drivers.smp.messages import Kind, PutRequest, Rc
from usbprov_drivers.smp.state import Inbox, Upload
from usbprov_drivers.smp.store import Store

DURABLE_EVERY = 2048
"""So many bytes at most are lost by a power cut; PROTOCOL.md 2.3 allows twice as many."""

_Place = tuple[Kind, int | None]


class Uploads:
    """Objects on their way in: the durable part in the store, the rest in memory."""

    def __init__(self, store: Store, largest: int) -> None:
        """Keep objects of at most ``largest`` bytes."""
        self._store = store
        self._largest = largest
        self._volatile: dict[_Place, Upload] = {}

    def put(self, request: PutRequest) -> int:
        """Take a piece and return the offset wanted next.

        Raises:
            Refused: TOO_LARGE, INVALID or HASH_MISMATCH.
            OSError: It could not be made durable.
        """
        if request.len > self._largest:
            raise Refused(Rc.TOO_LARGE)
        upload = self._current(request)
        if request.off == len(upload.data) and request.data:
            upload = replace(upload, data=upload.data + request.data)
            if len(upload.data) > upload.len:
                raise Refused(Rc.INVALID)
            self._keep(request, upload)
        return len(upload.data)

    def whole(self, kind: Kind, slot: int | None, sha: bytes) -> bytes:
        """Return an object that was received whole; raises ``Refused`` (NOT_STAGED)."""
        upload = self._store.state.inbox_of(slot).upload(kind)
        if upload is None or upload.sha != sha or not upload.whole:
            raise Refused(Rc.NOT_STAGED)
        return upload.data

    def forget(self) -> None:
        """Lose what is not durable, as a restart or the end of a credential does."""
        self._volatile.clear()

    def _current(self, request: PutRequest) -> Upload:
        """Return the upload that the request goes on with, or a new one."""
        place = (request.kind, request.slot)
        durable = self._store.state.inbox_of(request.slot).upload(request.kind)
        for upload in (self._volatile.get(place), durable):
            if upload is not None and (upload.len, upload.sha) == (request.len, request.sha):
                return upload
        return Upload(request.kind, request.len, request.sha, b"")

    def _keep(self, request: PutRequest, upload: Upload) -> None:
        """Remember an upload that has grown, durably when it is time or at its end."""
        place = (request.kind, request.slot)
        inbox = self._store.state.inbox_of(request.slot)
        ended = len(upload.data) == upload.len
        if ended and not upload.whole:
            self._volatile.pop(place, None)
            self._save(request.slot, inbox.without_upload(request.kind))
            raise Refused(Rc.HASH_MISMATCH)
        durable = inbox.upload(request.kind)
        safe = len(durable.data) if durable is not None and durable.sha == upload.sha else 0
        if ended or len(upload.data) - safe >= DURABLE_EVERY:
            # If this fails, nothing has grown, and the host is told to send the piece again.
            self._save(request.slot, inbox.with_upload(upload))
            self._volatile.pop(place, None)
        else:
            self._volatile[place] = upload

    def _save(self, slot: int | None, inbox: Inbox) -> None:
        state = self._store.state
        if inbox != state.inbox_of(slot):
            self._store.update(state.with_inbox(slot, inbox))
