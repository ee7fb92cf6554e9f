"""The key that this computer gives to a phone: made, opened again, or taken from the vault."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.engine.sealing import SealUnopened, seal, unseal
from usbprov.engine.times import local
from usbprov.errors import Unsupported, VaultNotGiven
from usbprov.pki.core_dumps import no_core_dumps
from usbprov.pki.keys import from_pkcs8, key_digest, to_pkcs8
from usbprov.tape.events import REMOVED, Json, text, unpacked
from usbprov.tape.ports import Port, passing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from usbprov.pki.vault.entry import Device
    from usbprov.pki.vault.vault import Vault


@dataclass(frozen=True, repr=False)
class HostKey:
    """A private key on its way into a phone; it is in memory no longer than that.

    Attributes:
        pkcs8: PKCS#8, DER.
        sha256: Digest of its public key.
        told: Where it is from, in words.
    """

    pkcs8: bytes
    sha256: str
    told: str


def ready(job: Job) -> None:
    """Have the key that the phone is to be given, kept so that a crash does not lose it.

    A phone that makes its own key needs none.
    """
    source = known(job.key_source)
    if job.host_key is None and source in _SOURCES:
        no_core_dumps()
        job.host_key = _kept(job) or passing(_port("new"), lambda: _SOURCES[source].make(job))


def is_kept(job: Job, sha256: str) -> bool:
    """Say whether the key of this digest is kept here from an earlier run of the job.

    A phone that has lost it can be given it again.
    """
    if not job.resumed or job.key_source not in _SOURCES:
        return False
    job.host_key = job.host_key or _kept(job)
    return job.host_key is not None and job.host_key.sha256 == sha256


def _kept(job: Job) -> HostKey | None:
    source = known(job.key_source)
    kept: HostKey | None = passing(_port("kept"), lambda: _SOURCES[source].find(job))
    return kept


@cache
def _port(which: str) -> Port[Any]:
    """Return the port over which the key comes; of the key a tape has the length only."""
    return Port("private key", which, _told, _revived)


def _told(key: HostKey | None) -> object:
    if key is None:
        return None
    return {"key": {REMOVED: len(key.pkcs8)}, "sha256": key.sha256, "told": key.told}


def _revived(result: Json) -> HostKey | None:
    if result is None:
        return None
    if not isinstance(result, dict):
        raise TypeError
    key = unpacked(result.get("key"))
    if not isinstance(key, bytes):
        raise TypeError
    return HostKey(key, text(result.get("sha256")), text(result.get("told")))


# --- made here, sealed in the ledger


def _unsealed(job: Job) -> HostKey | None:
    """Return the key that an earlier run of the job has sealed, or None."""
    try:
        pkcs8 = unseal(job) if job.resumed else None
    except SealUnopened as reason:
        job.given_up = str(reason)
        return None
    if pkcs8 is None:
        return None
    told = "made on this computer before the interruption, given to the phone"
    return _host_key(from_pkcs8(pkcs8, authentic=True), told)


def _sealed(job: Job) -> HostKey:
    """Make a key, and seal it."""
    earlier = f"; an earlier one is given up: {job.given_up}" if job.given_up else ""
    told = f"made on this computer and given to the phone{earlier}"
    made = _host_key(job.make_key(job.order.bits), told)
    seal(job, made.pkcs8)
    return made


# --- the vault's


def _taken(job: Job) -> HostKey | None:
    """Return the pair that the vault has for this user and phone, or None."""
    info = known(job.info)
    taken = _vault(job).take(known(job.user), _device(job), job.order.replaces)
    if taken is None:
        return None
    if taken.entry.bits not in info.rsa_bits:
        raise Unsupported(job.phone_name, f"the stored key of {taken.entry.bits} bits")
    told = f"the pair that the vault has since {local(taken.entry.made)}"
    if taken.replaced:
        told += f", taken over from the phone with {taken.replaced}"
    return HostKey(taken.pkcs8, taken.entry.sha256, told)


def _stored(job: Job) -> HostKey:
    """Make a key, and store it."""
    key = job.make_key(job.order.bits)
    stored = _vault(job).store(known(job.user), _device(job), key)
    told = "made on this computer, stored in the vault"
    return HostKey(stored.pkcs8, stored.entry.sha256, told)


def _vault(job: Job) -> "Vault":
    if job.vault is None:
        raise VaultNotGiven(known(job.user))
    return job.vault()


def _device(job: Job) -> "Device":
    from usbprov.pki.vault.entry import Device  # noqa: PLC0415 - only when needed

    info = known(job.info)
    return Device(info.serial, info.mac)


# ---


def _host_key(key: "RSAPrivateKey", told: str) -> HostKey:
    return HostKey(to_pkcs8(key), key_digest(key.public_key()), told)


@dataclass(frozen=True)
class _Source:
    """How a key is had: found where an earlier run kept it, or else made and kept."""

    find: Callable[[Job], HostKey | None]
    make: Callable[[Job], HostKey]


_SOURCES: Mapping[KeySource | None, _Source] = {
    KeySource.HOST: _Source(_unsealed, _sealed),
    KeySource.VAULT: _Source(_taken, _stored),
}
