"""What the page asks of the bench: a table of orders, each with what is said when it was given."""

from collections.abc import Callable, Mapping

from usbprov.bench.controls import Commands
from usbprov.bench.web.wire import clean

MOST_BYTES = 2048
"""The largest order."""

_LONGEST = 256

_PIN = "pin"
"""The order that carries a secret."""


class OrderInvalid(Exception):
    """Raised when what the page sent is no order."""


class OrderExposed(Exception):
    """Raised when an order carries a secret that others may have read on its way."""


def _retry(bench: Commands, label: str) -> str:
    bench.retry(label)
    return f"{label}: is tried again."


def _skip(bench: Commands, label: str) -> str:
    bench.skip(label)
    return f"{label}: is left out."


def _light(bench: Commands, label: str) -> str:
    bench.find(label, on=True)
    return f"{label}: its lamp is lit."


def _dark(bench: Commands, label: str) -> str:
    bench.find(label, on=False)
    return f"{label}: its lamp is out."


def _scan(bench: Commands, text: str) -> str:
    return clean(bench.scan(text))


_ORDERS: Mapping[str, Callable[[Commands, str], str]] = {
    "retry": _retry,
    "skip": _skip,
    "light": _light,
    "dark": _dark,
    "scan": _scan,
}


def _key_in(bench: Commands, label: str, pin: object) -> str:
    if not isinstance(pin, str) or not 0 < len(pin) <= _LONGEST:
        raise OrderInvalid
    bench.key_in(label, pin)
    return f"{label}: the PIN is taken."


def give(bench: Commands, order: object, *, is_private: bool = False) -> str:
    """Carry an order out.

    Args:
        bench: Who carries it out.
        order: ``{"order": "retry", "of": "A3"}``; of a scan, what was scanned. With the order
            ``pin`` comes a member of that name; it is handed on, and kept nowhere.
        is_private: Whether nobody else can read what the page sends.

    Returns:
        What was done, in words.

    Raises:
        OrderInvalid: It is none.
        OrderExposed: It carries a secret over a connection that others can read.
        UsbprovError: It means nothing now.
    """
    if not isinstance(order, dict):
        raise OrderInvalid
    what, of = order.get("order"), order.get("of")
    if not isinstance(what, str) or not isinstance(of, str) or not 0 < len(of) <= _LONGEST:
        raise OrderInvalid
    if what == _PIN:
        if not is_private:
            raise OrderExposed
        return _key_in(bench, of, order.get("pin"))
    if what not in _ORDERS:
        raise OrderInvalid
    return _ORDERS[what](bench, of)
