"""The part of pyusb that is used, with types: pyusb itself has none."""

# ruff: noqa: N802, N803, N815  (the names are pyusb's, and those of the USB specification)

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, cast, overload

import usb.core
import usb.util

USBError = usb.core.USBError
USBTimeoutError = usb.core.USBTimeoutError

Identification = object
"""What a backend calls a device by; opaque."""


class Listed(Protocol):
    """What a bus tells of a device without asking it: of its device descriptor, and its place."""

    @property
    def idVendor(self) -> int: ...  # noqa: D102
    @property
    def idProduct(self) -> int: ...  # noqa: D102
    @property
    def bcdDevice(self) -> int: ...  # noqa: D102
    @property
    def bDeviceClass(self) -> int: ...  # noqa: D102
    @property
    def bus(self) -> int | None: ...  # noqa: D102
    @property
    def address(self) -> int | None: ...  # noqa: D102
    @property
    def port_numbers(self) -> Sequence[int] | None: ...  # noqa: D102


class Backend(Protocol):
    """A way to devices (``usb.backend.IBackend``), as far as it is called directly."""

    def enumerate_devices(self) -> Iterable[Identification]:
        """Return what is attached now; raises ``USBError``."""
        ...

    def get_device_descriptor(self, dev: Any, /) -> Listed:
        """Return the device descriptor, which libusb knows without opening the device."""
        ...


class Endpoint(Protocol):
    """An endpoint descriptor."""

    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int


class Interface(Protocol):
    """An alternate setting of an interface."""

    bInterfaceNumber: int
    bAlternateSetting: int
    bInterfaceClass: int
    bInterfaceSubClass: int
    bInterfaceProtocol: int
    iInterface: int

    def __iter__(self) -> Iterator[Endpoint]: ...

    def set_altsetting(self) -> None:
        """Choose this alternate setting."""
        ...


class Device(Protocol):
    """A device; every method may raise what ``failures.FAILURES`` lists. Times are in ms."""

    idVendor: int
    idProduct: int
    bDeviceClass: int
    iManufacturer: int
    iProduct: int
    iSerialNumber: int
    bNumConfigurations: int
    bus: int | None
    address: int | None
    port_numbers: Sequence[int] | None

    def __getitem__(self, index: int) -> Iterable[Interface]: ...

    def get_active_configuration(self) -> Iterable[Interface]:
        """Return the alternate settings of the active configuration."""
        ...

    def set_configuration(self) -> None:
        """Set the first configuration."""
        ...

    def write(self, endpoint: int, data: "bytes | array[int]", timeout: int) -> int:
        """Send data, and return how many bytes went; what is no array is copied into one."""
        ...

    # The data of one transfer: a new array, or how many bytes of the buffer they are.
    @overload
    def read(self, endpoint: int, size_or_buffer: int, timeout: int) -> "array[int]": ...
    @overload
    def read(self, endpoint: int, size_or_buffer: "array[int]", timeout: int) -> int: ...

    def ctrl_transfer(
        self,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data_or_wLength: int,
        timeout: int,
    ) -> Iterable[int]:
        """Ask endpoint 0 for data (with the IN direction bit)."""
        ...

    def clear_halt(self, ep: int) -> None:
        """Clear the halt of an endpoint."""
        ...

    def is_kernel_driver_active(self, interface: int) -> bool:
        """Say whether a kernel driver holds the interface."""
        ...

    def detach_kernel_driver(self, interface: int) -> None:
        """Take the interface from its kernel driver."""
        ...

    def attach_kernel_driver(self, interface: int) -> None:
        """Let the kernel find a driver for the interface again."""
        ...


def device_of(identification: Identification, backend: Backend) -> Device:
    """Return pyusb's device; it is opened when that is first needed."""
    made: object = usb.core.Device(identification, backend)  # type: ignore[no-untyped-call]
    return cast("Device", made)


def claim(device: Device, number: int) -> None:
    """Claim an interface."""
    usb.util.claim_interface(device, number)  # type: ignore[no-untyped-call]


def release(device: Device, number: int) -> None:
    """Release an interface."""
    usb.util.release_interface(device, number)  # type: ignore[no-untyped-call]


def dispose(device: Device) -> None:
    """Close the device; pyusb opens it again when it is used again."""
    usb.util.dispose_resources(device)  # type: ignore[no-untyped-call]


def send_request(device: Device, request_type: int, request: int, index: int, timeout: int) -> None:
    """Do a control transfer without data."""
    device.ctrl_transfer(request_type, request, 0, index, 0, timeout)


def new_error(number: int, text: str) -> USBError:
    """Return pyusb's exception for an errno of this system."""
    return USBError(text, None, number)  # type: ignore[no-untyped-call]


def new_timeout(number: int, text: str) -> USBTimeoutError:
    """Return pyusb's exception for a time-out."""
    return USBTimeoutError(text, None, number)  # type: ignore[no-untyped-call]
