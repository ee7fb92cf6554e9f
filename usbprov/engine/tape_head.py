"""Reading the head of a tape: what a recorded job was begun with. All of it is hostile."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any, TypeVar

from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import BundleInvalid
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState
from usbprov.net.credentials import Way
from usbprov.phone.contract import NONCE_SIZE
from usbprov.tape.events import Json, Kind, bytes_of, number, text
from usbprov.tape.reader import Tape
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, LinkKind, SerialPort

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_LONGEST_RETURN = 600.0
_MOST_ATTEMPTS = 1000
_MOST = 256
"""Of interfaces, ports, artifacts and steps."""


def recorded_order(tape: Tape) -> Order:
    """Return the order of the job; raises ``BundleInvalid``."""
    return _reading(tape, "order", _order)


def recorded_device(tape: Tape) -> DeviceFacts:
    """Return the phone's device; raises ``BundleInvalid``."""
    return _reading(tape, "device", _device)


def recorded_family(tape: Tape) -> str:
    """Return the name of the phone's family, or ``""``."""
    return text(_map(tape.run.get("device")).get("family"))


def recorded_link(tape: Tape) -> LinkKind | None:
    """Return the kind of cable that was asked for."""
    wish = _map(tape.run.get("device")).get("link")
    return LinkKind(text(wish)) if wish in set(LinkKind) else None


def recorded_return(tape: Tape) -> float:
    """Return for how many seconds a phone that went away was waited for."""
    return min(max(number(tape.run.get("return_seconds")), 0.0), _LONGEST_RETURN)


def recorded_retries(tape: Tape) -> RetryPolicy:
    """Return within what bounds calls were repeated."""
    given = _map(tape.run.get("retries"))
    values = {f.name: number(given[f.name]) for f in fields(RetryPolicy) if f.name in given}
    attempts = min(max(int(values.pop("attempts", 1)), 1), _MOST_ATTEMPTS)
    return RetryPolicy(attempts=attempts, **values)


def restore_earlier(tape: Tape, ledger: Ledger) -> None:
    """Put into a ledger what the job's ledger had of it before; raises ``BundleInvalid``."""
    event = tape.last(Kind.JOB)
    if event is None or event.body.get("earlier") is None:
        return
    _reading(tape, "earlier", lambda given: _restore(given, ledger), event.body)


def _restore(given: Mapping[str, Json], ledger: Ledger) -> None:
    job = ledger.open_job(_new_job(_map(given.get("record")))).id
    for kept in _maps(given.get("artifacts")):
        ledger.keep(job, ArtifactKind(text(kept.get("kind"))), bytes_of(kept.get("data")))
    for name in _list(given.get("steps")):
        ledger.note_step(job, text(name), StepState.DONE, 0, "")
    ledger.finish(job, JobState(text(given.get("state"))))


def _new_job(given: Mapping[str, Json]) -> NewJob:
    nonce = bytes_of(given.get("nonce"))
    if len(nonce) != NONCE_SIZE:
        raise ValueError("a nonce of another size")
    words = {f.name: given.get(f.name) for f in fields(NewJob) if f.name not in {"nonce", "slot"}}
    texts: dict[str, Any] = {k: None if v is None else text(v) for k, v in words.items()}
    return NewJob(nonce=nonce, slot=_whole(given.get("slot")), **texts)


def _order(given: Mapping[str, Json]) -> Order:
    told = _map(given.get("credential"))
    name = told.get("name")
    credential = CredentialOrder(
        tuple(Way(text(way)) for way in _list(told.get("ways"))),
        None if name is None else text(name),
        text(told.get("because")),
    )
    key = given.get("key")
    rest = {n: given[n] for n in _plain_fields(Order) if n in given}
    values = {n: _like(n, value, Order) for n, value in rest.items()}
    return Order(credential=credential, key=KeySource(text(key)) if key else None, **values)


def _plain_fields(cls: type[Any]) -> Iterator[str]:
    return (f.name for f in fields(cls) if f.name not in {"credential", "key"})


def _like(name: str, value: Json, cls: type[Any]) -> Any:
    """Check a value against the field's default: a flag, a number, texts, a text or nothing."""
    default = next(f.default for f in fields(cls) if f.name == name)
    if isinstance(default, bool):
        return value is True
    if isinstance(default, int):
        return _whole(value)
    if isinstance(default, tuple):
        return tuple(text(item) for item in _list(value))
    return text(value) if default is MISSING or value is not None else None


def _device(given: Mapping[str, Json]) -> DeviceFacts:
    def said(name: str) -> str | None:
        return None if given.get(name) is None else text(given[name], 200)

    return DeviceFacts(
        bus=text(given.get("bus"), 200),
        port_path=text(given.get("port_path"), 200),
        vendor_id=_whole(given.get("vendor_id")),
        product_id=_whole(given.get("product_id")),
        manufacturer=said("manufacturer"),
        product=said("product"),
        serial=said("serial"),
        interfaces=tuple(_interface(found) for found in _maps(given.get("interfaces"))),
        serial_ports=tuple(_port(found) for found in _maps(given.get("serial_ports"))),
        problem=said("problem"),
    )


def _interface(given: Mapping[str, Json]) -> InterfaceFacts:
    names = ("number", "alternate", "cls", "subclass", "protocol")
    numbers = {name: _whole(given.get(name)) for name in names}
    said = given.get("name")
    return InterfaceFacts(**numbers, name=None if said is None else text(said, 200))


def _port(given: Mapping[str, Json]) -> SerialPort:
    interface = given.get("interface")
    where = None if interface is None else _whole(interface)
    return SerialPort(text(given.get("path"), 200), where)


def _reading(
    tape: Tape,
    name: str,
    read: Callable[[Mapping[str, Json]], T],
    within: Mapping[str, Json] | None = None,
) -> T:
    try:
        return read(_map((tape.run if within is None else within).get(name)))
    except (ValueError, TypeError, KeyError):
        raise BundleInvalid(tape.source, f"the {name} of its tape cannot be read") from None


def _map(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value[:_MOST] if isinstance(value, list) else []


def _maps(value: Json) -> Iterator[Mapping[str, Json]]:
    return (_map(item) for item in _list(value))


def _whole(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise ValueError("a number is missing")
    return value
