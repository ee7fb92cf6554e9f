"""Our exporter with the kernel's own client, and our client with the kernel's own exporter."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import processes
from gadget_desk import device_port, phone, place_of
from kernel_usb import DEVICES, FREE, is_whole, settle, shell, vhci_ports
from processes import wait_for
from technician import Workplace

FOREIGN_PORT = "3241"


def place_in(number: int) -> str:
    """Return the port path of what is in a port of vhci, once it is all there."""

    def look() -> str | None:
        (port,) = (p for p in vhci_ports() if p.number == number)
        return port.device if is_whole(port.device) else None

    return str(wait_for(look, f"the device at port {number}"))


def test_usbip_attach_brings_a_phone_to_the_desk(workplace: Workplace) -> None:
    workplace.plug(2)
    usbip = ("usbip", "--tcp-port", str(urlsplit(workplace.exporter).port))
    offered = shell(*usbip, "list", "--remote", "127.0.0.1")
    assert "1-1:" in offered
    assert "1-2:" in offered
    shell(*usbip, "attach", "--remote", "127.0.0.1", "--busid", "1-2")
    try:
        place = place_in(0)
        assert "Port 00: <Port in Use>" in shell("usbip", "port")
        listed = workplace.run("list", "--json")
        assert [(row["port_path"], row["serial"]) for row in listed.document] == [
            (place, "EMU0002")
        ]
        assert workplace.run("info", place, "--json").document["serial"] == "EMU0002"
        left = workplace.run("list", "--json", bus=workplace.exporter).document
        assert [(row["port_path"], bool(row["problem"])) for row in left] == [
            ("1-1", False),
            ("1-2", True),
        ]
    finally:
        shell("usbip", "detach", "--port", "0")
    wait_for(lambda: not (DEVICES / place).exists(), f"{place} to be gone")
    wait_for(lambda: all(port.state == FREE for port in vhci_ports()), "the port to be free")


@contextmanager
def exported_by_the_kernel(place: str) -> Iterator[str]:
    """Have the device at ``place`` exported by ``usbip-host`` and ``usbipd``; yields the bus."""
    shell("modprobe", "usbip_host")
    shell("usbip", "bind", "--busid", place)
    daemon = subprocess.Popen(["usbipd", "-4", "--tcp-port", FOREIGN_PORT])
    try:
        wait_for(listens, "usbipd")
        yield f"usbip://127.0.0.1:{FOREIGN_PORT}"
    finally:
        daemon.terminate()
        daemon.wait(processes.PATIENCE)
        shell("usbip", "unbind", "--busid", place)
        settle()


def listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(FOREIGN_PORT)), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_phone_is_provisioned_through_the_kernels_exporter(workplace: Workplace) -> None:
    # The phone is on dummy_hcd: what came in through vhci_hcd is not exported again.
    with device_port(), phone(workplace), exported_by_the_kernel(place_of("EMU0001")) as bus:
        (row,) = workplace.run("list", "--json", bus=bus).document
        assert (row["serial"], row["driver"], row["problem"]) == ("EMU0001", "smp", None)
        arguments = workplace.provision_arguments("--json")
        ended = workplace.run(*arguments, typed=workplace.user()["pin"] + "\n", bus=bus)
        assert ended.code == 0, ended.err
        assert ended.document["outcome"] == "provisioned"
        assert ended.document["phone"]["bus"] == bus
        (slot, *_) = workplace.run("info", "--json", bus=bus).document["slots"]
        assert slot["active_certificate"] == ended.document["certificate"]["sha256"]
