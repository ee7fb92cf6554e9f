"""Throughput of PUT against a bare loop: what our side of the cable costs.

A phone in a process of its own takes objects of random bytes. They come by turns from usbprov's
session over its link, and from a loop of pyusb's or pyserial's ``write`` and ``read`` that sends
the very same sizes and knows how many bytes come back. Both use one open device. What the loop
sends is recorded beforehand: the same session rehearses it with a phone in this process. The
objects' digests are made beforehand, too: they are the same whatever the cable.

Places: ``usbip`` (user-space USB/IP), ``pty``, and, as root where there are the kernel modules,
``kernel-bulk`` and ``kernel-serial`` (USB/IP and vhci_hcd, cdc_acm), ``gadget-bulk`` and
``gadget-serial`` (dummy_hcd, on which packets are packets, and which moves them at ticks of 4 ms
only). The goal is for ``kernel-bulk`` and ``kernel-serial``.
"""

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import serial
import usb.core

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.function import Function
from usbprov.emulation.registry import emulators
from usbprov.errors import LinkTimeout
from usbprov.usb.bulk import BulkLink, BulkPair
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import DeviceFacts
from usbprov.usb.link import Link
from usbprov.usb.pyusb import Device, claim, dispose
from usbprov.usb.serial_link import SerialLink
from usbprov.usb.usbip_backend import UsbIpBackend
from usbprov.usb.usbip_client import Address
from usbprov_drivers.smp.framing import LineFraming, RawFraming
from usbprov_drivers.smp.messages import Kind
from usbprov_drivers.smp.opening import serial_port
from usbprov_drivers.smp.session import Session
from usbprov_drivers.smp.transfer import Parcel, send_parcel

GOAL = 0.9
"""Least ratio of our throughput to the bare loop's, at the places of ``WITH_GOAL``."""
WITH_GOAL = frozenset({"kernel-bulk", "kernel-serial"})

PAIRS = 100
WARM_UPS = 5
OBJECT_SIZE = 16384
"""Bytes; the largest that the emulated phone takes."""

FAMILY = "smp"
PROCESSORS = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
BUS_THREADS = frozenset({"vhci_rx", "vhci_tx"})
PATIENCE = 30.0


@dataclass(frozen=True)
class Exchange:
    """A request as it goes over the cable, and the answer that must come back."""

    request: bytes
    answer: bytes


Bare = Callable[[Sequence[Exchange]], None]
"""A loop that does no more than it must to make these exchanges."""


@dataclass(frozen=True)
class Place:
    """A phone, and the two ways to it over one open device."""

    session: Session
    bare: Bare
    is_serial: bool


def bare_bulk(device: Device, pair: BulkPair) -> Bare:
    """Return a loop over pyusb and nothing else."""

    def run(exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            device.write(pair.out_address, exchange.request, 10000)
            if len(exchange.request) % pair.out_packet == 0:
                device.write(pair.out_address, b"", 10000)  # it could not know the end otherwise
            check(bytes(device.read(pair.in_address, OBJECT_SIZE, 10000)), exchange)

    return run


def bare_serial(port: serial.Serial) -> Bare:
    """Return a loop over pyserial and nothing else; how long each answer is, is known."""

    def run(exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            port.write(exchange.request)
            check(port.read(len(exchange.answer)), exchange)

    return run


def check(got: bytes, exchange: Exchange) -> None:
    """Stop the benchmark when the phone says anything else."""
    if got != exchange.answer:
        sys.exit(f"the phone answered with {len(got)} bytes instead of {len(exchange.answer)}")


# --- the rehearsal: what the bare loop is to send -------------------------------------------------


class Rehearsal:
    """A ``Link`` to a phone in this process that writes everything down."""

    name = "the rehearsal"

    def __init__(self, function: Function) -> None:
        self._function = function
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.exchanges: list[Exchange] = []
        function.connect(self._answers.put)

    def write(self, data: bytes, timeout: float) -> None:
        """Give the phone a request."""
        self.exchanges.append(Exchange(data, b""))
        self._function.receive(data)

    def read(self, timeout: float) -> bytes:
        """Return an answer."""
        try:
            data = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise LinkTimeout(self.name, "a transfer", timeout) from None
        if self.exchanges:
            request, answer = self.exchanges[-1].request, self.exchanges[-1].answer
            self.exchanges[-1] = Exchange(request, answer + data)
        return data

    def resync(self) -> None:
        """Forget what is under way."""
        self._function.reset()
        while not self._answers.empty():
            self._answers.get()

    def close(self) -> None:
        """Nothing is open."""


class Script:
    """Makes what the bare loop sends, message for message as a session does."""

    def __init__(self, folder: Path, personality: Mapping[str, str], *, is_serial: bool) -> None:
        spec = PhoneSpec(1, folder / "rehearsal.state", (), personality)
        device = emulators()[FAMILY].make(spec)
        function = next(i.function for i in device.interfaces if i.streaming is is_serial)
        self._link = Rehearsal(function)
        self._session = new_session(self._link, is_serial=is_serial)

    def exchanges(self, parcel: Parcel) -> list[Exchange]:
        """Return the messages that carry an object."""
        self._link.exchanges.clear()
        send(self._session, parcel)
        return list(self._link.exchanges)


def new_session(link: Link, *, is_serial: bool) -> Session:
    """Return a session that has agreed on sizes and framing."""
    session = Session(link, LineFraming() if is_serial else RawFraming())
    session.start()
    return session


def send(session: Session, parcel: Parcel) -> None:
    """Transfer an object."""
    send_parcel(session, parcel, lambda _: None)


def new_parcel() -> Parcel:
    """Return an object that no phone has seen, its digest known.

    Nothing in it looks like the beginning of a console line. Frames that do are coded in another
    way, and two objects would not be of equal size on the line.
    """
    parcel = Parcel(Kind.CHAIN, os.urandom(OBJECT_SIZE).replace(b"\x06", b"\x07"), 0)
    assert parcel.sha  # noqa: S101 - kept from now on
    return parcel


# --- the places -----------------------------------------------------------------------------------


@contextmanager
def child(command: Sequence[str]) -> Iterator[str]:
    """Run a phone's process, and yield the first line that it says."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    part(process.pid)
    with process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def part(phone: int) -> None:
    """Give the phone's process and this one a processor each, as a real phone has its own."""
    if sys.platform == "linux" and len(PROCESSORS) > 1:
        os.sched_setaffinity(phone, PROCESSORS[1:])
        os.sched_setaffinity(0, PROCESSORS[:1])


def part_the_bus() -> None:
    """Let the kernel's threads that carry USB/IP run beside the phone.

    A host controller moves bytes by itself; these threads do it in its place, and would take the
    time of whichever processor they happen to be on.
    """
    for process in Path("/proc").glob("[0-9]*"):
        if process.joinpath("comm").read_text().strip() in BUS_THREADS:
            os.sched_setaffinity(int(process.name), PROCESSORS[1:] or PROCESSORS)


def export(state: Path, personality: Mapping[str, str]) -> None:
    """Be the process of a phone on USB/IP."""
    device = emulators()[FAMILY].make(PhoneSpec(1, state, (), personality))
    with Exporter({"1-1": device}) as exporter:
        print(exporter.uri, flush=True)
        sys.stdin.read()


@contextmanager
def exported(folder: Path, options: Sequence[str]) -> Iterator[str]:
    """Have a phone on USB/IP; yields the bus."""
    with child([sys.executable, __file__, "--export", str(folder / "state"), *options]) as uri:
        yield uri


@contextmanager
def usbip(folder: Path, options: Sequence[str]) -> Iterator[Place]:
    """User-space USB/IP."""
    with exported(folder, options) as uri:
        where = urlsplit(uri)
        backend = UsbIpBackend(Address(str(where.hostname), int(where.port or 0)))
        with bulk(backend=backend) as place:
            yield place


@contextmanager
def pty(folder: Path, options: Sequence[str]) -> Iterator[Place]:
    """A pseudo-terminal."""
    link = folder / "terminal"
    command = [*lab_phone(folder, options), "--pty", "--link-name", str(link)]
    with child(command):
        wait_for(link.exists, "the terminal")
        with line(str(link)) as place:
            yield place


@contextmanager
def vhci(folder: Path, options: Sequence[str]) -> Iterator[DeviceFacts]:
    """A device of this kernel, over USB/IP."""
    modprobe("vhci_hcd", "cdc_acm")
    with exported(folder, options) as uri:
        port = str(urlsplit(uri).port)
        attach = ["usbip", "--tcp-port", port, "attach", "-r", "127.0.0.1", "-b", "1-1"]
        subprocess.run(attach, check=True)
        facts = found_by_kernel()
        part_the_bus()
        yield facts


@contextmanager
def gadget(folder: Path, options: Sequence[str]) -> Iterator[DeviceFacts]:
    """A gadget of this kernel, on its host controller without hardware."""
    modprobe("dummy_hcd", "cdc_acm")
    with child([*lab_phone(folder, options), "--gadget"]):
        yield found_by_kernel()


def lab_phone(folder: Path, options: Sequence[str]) -> list[str]:
    """Return the command that serves one phone."""
    return [sys.executable, "-m", "usbprov", "lab", "phone", "--dir", str(folder), *options]


def modprobe(*modules: str) -> None:
    """Load kernel modules."""
    subprocess.run(["modprobe", "--all", *modules], check=True)


def found_by_kernel() -> DeviceFacts:
    """Wait until the phone is whole: all its interfaces, and the serial port."""
    found: list[DeviceFacts] = []

    def look() -> bool:
        found[:] = [d.facts for d in open_bus("kernel").devices() if serial_port(d.facts)]
        return bool(found)

    wait_for(look, "the phone on the kernel's bus")
    return found[0]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.1)


@contextmanager
def bulk(**wanted: object) -> Iterator[Place]:
    """Open the phone's vendor interface."""
    found: object = usb.core.find(**wanted)  # type: ignore[no-untyped-call]
    device = cast("Device", found)
    vendor, *_ = device.get_active_configuration()
    claim(device, vendor.bInterfaceNumber)
    try:
        sizes = {e.bEndpointAddress: e.wMaxPacketSize for e in vendor}
        out, into = sorted(sizes)
        pair = BulkPair(out, into, sizes[out], sizes[into])
        link = BulkLink(device, vendor.bInterfaceNumber, pair, "the phone")
        yield Place(new_session(link, is_serial=False), bare_bulk(device, pair), is_serial=False)
    finally:
        dispose(device)


@contextmanager
def line(path: str) -> Iterator[Place]:
    """Open the phone's serial port."""
    with serial.Serial(path, timeout=10, exclusive=True) as port:
        session = new_session(SerialLink(port, "the phone"), is_serial=True)
        yield Place(session, bare_serial(port), is_serial=True)


def kernel_bulk(facts: DeviceFacts) -> AbstractContextManager[Place]:
    """Open the vendor interface through libusb."""
    wanted = {"idVendor": facts.vendor_id, "idProduct": facts.product_id}
    return bulk(**wanted, serial_number=facts.serial)


def kernel_line(facts: DeviceFacts) -> AbstractContextManager[Place]:
    """Open the serial port that the kernel has made."""
    port = serial_port(facts)
    return line(port.path if port else "")


KERNEL = {
    "kernel-bulk": (vhci, kernel_bulk),
    "kernel-serial": (vhci, kernel_line),
    "gadget-bulk": (gadget, kernel_bulk),
    "gadget-serial": (gadget, kernel_line),
}
USER_SPACE = {"usbip": usbip, "pty": pty}


@contextmanager
def place_named(name: str, folder: Path, options: Sequence[str]) -> Iterator[Place]:
    """Have a phone at the place of that name."""
    with ExitStack() as stack:
        if name in USER_SPACE:
            yield stack.enter_context(USER_SPACE[name](folder, options))
        else:
            attach, way = KERNEL[name]
            facts = stack.enter_context(attach(folder, options))
            yield stack.enter_context(way(facts))


# --- the measurement ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What was measured at one place; throughput in bytes of objects a second."""

    place: str
    largest: int
    messages: int
    pairs: int
    ours: float
    bare: float
    ratio: float
    quartiles: tuple[float, float]
    overhead_us: float

    @property
    def good(self) -> bool:
        """Whether the goal is met, where there is one."""
        return self.place not in WITH_GOAL or self.ratio >= GOAL


def measure(name: str, pairs: int, personality: Sequence[str]) -> Result:
    """Compare the two ways at one place, object by object in turns."""
    options = [part for word in personality for part in ("--personality", word)]
    with tempfile.TemporaryDirectory(dir=fast_folder()) as where:
        folder = Path(where)
        with place_named(name, folder, options) as place:
            script = Script(folder, parsed(personality), is_serial=place.is_serial)
            times: tuple[list[float], list[float]] = ([], [])
            exchanges: list[Exchange] = []
            for pair in range(-WARM_UPS, pairs):
                ours, theirs = new_parcel(), new_parcel()
                exchanges = script.exchanges(theirs)
                ways = (partial(send, place.session, ours), partial(place.bare, exchanges))
                for which in (0, 1) if pair % 2 == 0 else (1, 0):
                    taken = seconds(ways[which])
                    if pair >= 0:
                        times[which].append(taken)
    return result_of(name, exchanges, *times)


def seconds(action: Callable[[], None]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def result_of(
    name: str, exchanges: Sequence[Exchange], ours: Sequence[float], bare: Sequence[float]
) -> Result:
    """Condense the times: medians, and the ratio of each pair."""
    low, middle, high = statistics.quantiles([b / o for o, b in zip(ours, bare, strict=True)], n=4)
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return Result(
        place=name,
        largest=max(len(exchange.request) for exchange in exchanges),
        messages=len(exchanges),
        pairs=len(ours),
        ours=round(OBJECT_SIZE / mine),
        bare=round(OBJECT_SIZE / theirs),
        ratio=round(middle, 3),
        quartiles=(round(low, 3), round(high, 3)),
        overhead_us=round((mine - theirs) / len(exchanges) * 1e6),
    )


def fast_folder() -> str | None:
    """Return a folder in memory, so that the phone's disk does not hide our own time."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def parsed(personality: Sequence[str]) -> dict[str, str]:
    """Return the options of the phone's family by name."""
    return {name: value for name, _, value in (word.partition("=") for word in personality)}


def show(result: Result) -> None:
    """Print one line."""
    met = "met" if result.good else "MISSED"
    goal = f"; goal {GOAL}: {met}" if result.place in WITH_GOAL else ""
    low, high = result.quartiles
    print(
        f"{result.place:<14}{result.largest:>7}{result.bare / 1e3:>10.1f}{result.ours / 1e3:>10.1f}"
        f"  {result.ratio:.3f} ({low:.3f} to {high:.3f}), {result.overhead_us} us a message{goal}",
        flush=True,
    )


def main() -> int:
    """Measure, print, and say by the exit code whether the goal is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("places", nargs="*", default=list(USER_SPACE), metavar="PLACE")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="default: %(default)s")
    parser.add_argument("--personality", action="append", default=[], metavar="NAME[=VALUE]")
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.export:
        export(found.export, parsed(found.personality))
        return 0
    unknown = set(found.places) - {*KERNEL, *USER_SPACE}
    if unknown:
        parser.error(f"no such place: {', '.join(sorted(unknown))}")
    print("largest request in bytes; kB/s of objects; ratio of each pair: median, quartiles")
    print(f"{'place':<14}{'largest':>7}{'bare':>10}{'usbprov':>10}  ratio")
    results = []
    for name in found.places:
        results.append(measure(name, found.pairs, found.personality))
        show(results[-1])
    print(json.dumps([asdict(result) for result in results]))
    return int(not all(result.good for result in results))


if __name__ == "__main__":
    sys.exit(main())
