"""Key: made in the phone, or on this computer and given to the phone, or the one that is there."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.errors import PhoneRefused
from usbprov.phone.contract import KeyState
from usbprov.tape.ports import secret

_WHERE = {
    KeySource.PHONE: "made in the phone",
    KeySource.HOST: "made on this computer and given to the phone",
    KeySource.EXISTING: "the phone's present key",
}


class KeyStep:
    """A key once made is never lost: the phone keeps it, with this job's nonce, from the start."""

    name: ClassVar = StepName.KEY
    needs: ClassVar = frozenset({"info", "record", "key_source", "user"})
    yields: ClassVar = frozenset({"key_sha256"})

    def already(self, job: Job) -> str | None:
        """Recognise this job's own key by its nonce, before or after its commit."""
        for key in (job.slot.pending_key, job.slot.active_key):
            if key is not None and key.nonce == job.nonce:
                job.key_sha256 = key.sha256
                return "made before the interruption"
        return None

    def intent(self, job: Job) -> str:
        """Say where the key comes from."""
        source = known(job.key_source)
        size = "" if source is KeySource.EXISTING else f", RSA {job.order.bits}"
        return f"key {_WHERE[source]}{size}"

    def run(self, job: Job) -> str:
        """Make it, or take the one that is there."""
        source = known(job.key_source)
        key = _MAKERS[source](job)
        job.key_sha256 = key.sha256
        return f"{_WHERE[source]}, SHA-256 {key.sha256[:16]}…"


def _in_phone(job: Job) -> KeyState:
    order = job.order
    return job.phone.generate_key(
        order.slot, order.bits, job.nonce, replace=order.replace, progress=job.progress
    )


def _on_host(job: Job) -> KeyState:
    """Make the key here; it lives in this function only, and in the phone from then on."""
    from usbprov.pki.keys import to_pkcs8  # noqa: PLC0415 - only when needed

    order = job.order
    pkcs8 = secret("host-made key", lambda: to_pkcs8(job.make_key(order.bits)))
    return job.phone.import_key(order.slot, pkcs8, job.nonce, replace=order.replace)


def _existing(job: Job) -> KeyState:
    key = job.slot.pending_key or job.slot.active_key
    if key is None:
        raise PhoneRefused(job.phone_name, "--key existing", f"slot {job.order.slot} has no key")
    return key


_MAKERS = {
    KeySource.PHONE: _in_phone,
    KeySource.HOST: _on_host,
    KeySource.EXISTING: _existing,
}
