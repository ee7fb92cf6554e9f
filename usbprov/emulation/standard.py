"""The standard requests that every device answers on its control endpoint (USB 2.0, 9.4)."""

from collections.abc import Callable, Mapping
from typing import Protocol

from usbprov.usbip import SetupPacket

ENDPOINT_HALT = 0
"""Feature selector (USB 2.0, table 9-6)."""

PORT_RESET = 4
"""Feature selector of a hub's port (USB 2.0, table 11-17)."""

_SELF_POWERED = b"\x01\x00"


class StandardTarget(Protocol):
    """The state of a device that standard requests read and change.

    The methods that answer True or False say whether the request was a sensible one.
    """

    @property
    def configuration(self) -> int:
        """Configuration in force (bConfigurationValue), 0 for none."""
        ...

    def descriptor(self, kind: int, index: int) -> bytes | None:
        """Return a descriptor, or None."""
        ...

    def configure(self, value: int) -> bool:
        """Take a configuration, or 0 for none."""
        ...

    def alternate(self, interface: int) -> int | None:
        """Return the alternate setting in force; None where there is no such interface."""
        ...

    def select(self, interface: int, alternate: int) -> bool:
        """Take an alternate setting."""
        ...

    def halted(self, endpoint: int) -> bool | None:
        """Say whether an endpoint is halted; None where there is no such endpoint."""
        ...

    def set_halt(self, endpoint: int, *, on: bool) -> bool:
        """Halt an endpoint, or make it good again."""
        ...

    def reset_port(self) -> bool:
        """Reset the device and give it back its configuration, as a host's reset does."""
        ...


_Handler = Callable[[StandardTarget, SetupPacket], bytes | None]


def _done(*, sensible: bool) -> bytes | None:
    return b"" if sensible else None


def _get_descriptor(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return target.descriptor(setup.value >> 8, setup.value & 0xFF)


def _get_configuration(target: StandardTarget, _: SetupPacket) -> bytes | None:
    return bytes((target.configuration,))


def _set_configuration(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return _done(sensible=target.configure(setup.value & 0xFF))


def _get_interface(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    alternate = target.alternate(setup.index & 0xFF)
    return None if alternate is None else bytes((alternate,))


def _set_interface(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return _done(sensible=target.select(setup.index & 0xFF, setup.value))


def _device_status(_target: StandardTarget, _setup: SetupPacket) -> bytes | None:
    return _SELF_POWERED


def _interface_status(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return None if target.alternate(setup.index & 0xFF) is None else bytes(2)


def _endpoint_status(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    halted = target.halted(setup.index & 0xFF)
    return None if halted is None else bytes((halted, 0))


def _halt(target: StandardTarget, setup: SetupPacket, *, on: bool) -> bytes | None:
    sensible = setup.value == ENDPOINT_HALT and target.set_halt(setup.index & 0xFF, on=on)
    return _done(sensible=sensible)


def _set_halt(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return _halt(target, setup, on=True)


def _clear_halt(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return _halt(target, setup, on=False)


def _set_address(_target: StandardTarget, _setup: SetupPacket) -> bytes | None:
    return b""  # the exporter, not the cable, gives addresses


def _set_port_feature(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    return _done(sensible=setup.value == PORT_RESET and target.reset_port())


_HANDLERS: Mapping[tuple[int, int], _Handler] = {
    (0x80, 0): _device_status,
    (0x81, 0): _interface_status,
    (0x82, 0): _endpoint_status,
    (0x02, 1): _clear_halt,
    (0x02, 3): _set_halt,
    (0x00, 5): _set_address,
    (0x80, 6): _get_descriptor,
    (0x80, 8): _get_configuration,
    (0x00, 9): _set_configuration,
    (0x81, 10): _get_interface,
    (0x01, 11): _set_interface,
    # Not for a device, but so a USB/IP client has the exporter reset the port it is on.
    (0x23, 3): _set_port_feature,
}
"""By bmRequestType and bRequest."""


def answer_standard(target: StandardTarget, setup: SetupPacket) -> bytes | None:
    """Carry out a standard request.

    Returns the data stage, not yet cut to wLength and empty where there is none; None means that
    the request is to be stalled.
    """
    handler = _HANDLERS.get((setup.request_type, setup.request))
    return handler(target, setup) if handler else None
