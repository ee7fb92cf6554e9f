"""Key: made in the phone, or on this computer and given to the phone, or the one that is there."""

from typing import ClassVar

from usbprov.engine import host_key
from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.errors import PhoneRefused
from usbprov.phone.contract import KeyState

_WHERE = {
    KeySource.PHONE: "made in the phone",
    KeySource.HOST: "made on this computer and given to the phone",
    KeySource.EXISTING: "the phone's present key",
    KeySource.VAULT: "of the vault's pair, or made on this computer and stored in the vault",
}


class KeyStep:
    """A key once made is never lost: the phone keeps it, with this job's nonce, from the start.

    One that is made on this computer is kept before the phone gets it.
    """

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

    def prepare(self, job: Job) -> None:
        """Have the key that this computer gives to the phone, if it does."""
        host_key.ready(job)

    def run(self, job: Job) -> str:
        """Make it, or take the one that is there."""
        key, where = _MAKERS[known(job.key_source)](job)
        job.key_sha256 = key.sha256
        return f"{where}, SHA-256 {key.sha256[:16]}…"


def _in_phone(job: Job) -> tuple[KeyState, str]:
    order = job.order
    made = job.phone.generate_key(
        order.slot, order.bits, job.nonce, replace=order.replace, progress=job.progress
    )
    return made, _WHERE[KeySource.PHONE]


def _given(job: Job) -> tuple[KeyState, str]:
    """Give the phone the key that is ready; from then on the phone has it, and not this process."""
    order, key = job.order, known(job.host_key)
    taken = job.phone.import_key(order.slot, key.pkcs8, job.nonce, replace=order.replace)
    job.host_key = None
    return taken, key.told


def _existing(job: Job) -> tuple[KeyState, str]:
    key = job.slot.pending_key or job.slot.active_key
    if key is None:
        raise PhoneRefused(job.phone_name, "--key existing", f"slot {job.order.slot} has no key")
    return key, _WHERE[KeySource.EXISTING]


_MAKERS = {
    KeySource.PHONE: _in_phone,
    KeySource.HOST: _given,
    KeySource.VAULT: _given,
    KeySource.EXISTING: _existing,
}
