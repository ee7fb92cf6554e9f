"""The models, and by what they may be recognised; README.md says what is known and from where.

USB ids of the desk phones were never published, and none are guessed here: the rows go by what
the makers call their phones. The one id that is public is that of the CX300.
"""

from dataclasses import dataclass
from enum import Enum

from usbprov.usb.devices import DeviceFacts
from usbprov.usb.matching import UsbMatch


class Kind(Enum):
    """What a model is, as far as a certificate is concerned."""

    PHONE = "phone"
    """A desk phone with an account and a certificate of its own, which it fetches by network."""
    HANDSET = "handset"
    """A handset of the computer: the account is the computer's, so it has no certificate."""


@dataclass(frozen=True)
class Model:
    """A model.

    Attributes:
        name: Maker and model, for people.
        kind: What it is.
        matches: By what it is recognised.
    """

    name: str
    kind: Kind
    matches: tuple[UsbMatch, ...]


def _named(kind: Kind, maker: str, *names: str) -> Model:
    """Return a model that is recognised by its maker's name and one of its own."""
    title = f"{maker} {names[0].strip('*')}"
    rows = (UsbMatch(manufacturer=f"*{maker}*", product=name, model=title) for name in names)
    return Model(title, kind, tuple(rows))


_CX300 = _named(Kind.HANDSET, "Polycom", "*CX300", "*CX300 R2")
_CX300_ID = UsbMatch(vendor_id=0x095D, product_id=0x9201, model=_CX300.name)

MODELS = (
    _named(Kind.PHONE, "Polycom", "*CX600*"),
    _named(Kind.PHONE, "Polycom", "*CX700*"),
    _named(Kind.PHONE, "Polycom", "*CX3000*"),
    _named(Kind.PHONE, "Polycom", "*CX500"),  # the CX5000, CX5100 and CX5500 are something else
    _named(Kind.PHONE, "LG-Nortel", "*IP8540*"),
    _named(Kind.PHONE, "Aastra", "*6725ip*"),
    _named(Kind.PHONE, "Aastra", "*6721ip*"),
    _named(Kind.PHONE, "HP", "*4120*"),
    _named(Kind.PHONE, "HP", "*4110*"),
    Model(_CX300.name, Kind.HANDSET, (_CX300_ID, *_CX300.matches)),
    _named(Kind.HANDSET, "Polycom", "*CX100"),
    _named(Kind.HANDSET, "Polycom", "*CX200"),
    _named(Kind.HANDSET, "Plantronics", "*P540*"),
    _named(Kind.HANDSET, "Snom", "*UC600*"),
)


def model_of(facts: DeviceFacts) -> Model | None:
    """Return the model that the device says it is, or None."""
    return next((m for m in MODELS if any(row.fits(facts) for row in m.matches)), None)
