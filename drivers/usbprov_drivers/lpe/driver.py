"""The driver of the ``lpe`` family: says what a phone is, and never sends it anything."""

from typing import NoReturn

from usbprov.errors import NoDriver, NoPublicProtocol, NothingToProvision
from usbprov.usb.devices import AttachedDevice, LinkKind
from usbprov_drivers.lpe.models import MODELS, Kind, model_of

_REFUSALS = {Kind.PHONE: NoPublicProtocol, Kind.HANDSET: NothingToProvision}


class LpeDriver:
    """The family's entry in the driver registry (``usbprov.phone.contract.Driver``)."""

    family = "lpe"
    summary = "Lync Phone Edition phones and their USB handsets: recognised, never written to"

    matches = tuple(row for model in MODELS for row in model.matches)
    detects_only = True

    def open(self, device: AttachedDevice, link: LinkKind | None = None) -> NoReturn:
        """Refuse; the device is not opened and nothing is sent to it.

        Raises:
            NoPublicProtocol: It is a phone, and nobody has published how it takes a key.
            NothingToProvision: It is a handset of the computer.
            NoDriver: It is none of this family.
        """
        model = model_of(device.facts)
        if model is None:
            raise NoDriver(device.facts.name)
        raise _REFUSALS[model.kind](device.facts.name, model.name)


DRIVER = LpeDriver()
