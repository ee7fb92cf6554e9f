"""A phone that is a real USB device of the kernel is provisioned, over either kind of cable."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from kernel_usb import DEVICES, Desk, node, shell, ttys
from technician import Workplace

VIEW = Path("/run/kernel-view")
SEVERAL = 8


@pytest.mark.parametrize("link", ["bulk", "serial"])
def test_a_phone_is_provisioned(workplace: Workplace, desk: Desk, link: str) -> None:
    workplace.variables["USBPROV_LINK"] = link
    workplace.plug(1)
    (place,) = desk.plug("1-1")
    seen = show_kernels_view(place, link)
    ended = workplace.provision(place, "--json")
    assert ended.code == 0, ended.err
    told = ended.document
    assert told["outcome"] == "provisioned"
    assert told["phone"]["port_path"] == place
    assert told["phone"]["serial"] in seen["lsusb -v"]
    assert told["certificate"]["sha256"] in {row["sha256"] for row in workplace.published()}
    (slot, *_) = workplace.run("info", place, "--json").document["slots"]
    assert slot["active_certificate"] == told["certificate"]["sha256"]


def show_kernels_view(place: str, link: str) -> dict[str, str]:
    """Note what the kernel and udev say of the device; it is shown when all tests are over."""
    folder, device, (tty,) = DEVICES / place, node(place), ttys(place)
    names = ("idVendor", "idProduct", "manufacturer", "product", "serial", "speed", "version")
    attributes = [f"{name:13} {(folder / name).read_text().strip()}" for name in names]
    interfaces = [
        f"{entry.name:13} driver {(entry / 'driver').resolve().name}"
        for entry in sorted(folder.glob(f"{place}:*"))
        if (entry / "driver").exists()
    ]
    seen = {
        "lsusb -v": shell("lsusb", "-v", "-s", f"{device.parent.name}:{device.name}"),
        f"{folder}": "\n".join([str(folder.resolve()), *attributes, *interfaces]),
        f"udevadm info {device}": shell("udevadm", "info", str(device)),
        f"udevadm info {tty}": shell("udevadm", "info", tty),
    }
    VIEW.mkdir(exist_ok=True)
    text = "\n".join(f"# {title}\n{said}" for title, said in seen.items())
    (VIEW / f"{place}, provisioned over {link}").write_text(text)
    return seen


def test_several_phones_are_provisioned_at_once(workplace: Workplace, desk: Desk) -> None:
    workplace.plug(SEVERAL)
    places = desk.plug(*workplace.exported())
    with ExitStack() as stack:
        jobs = [workplace.begin(place, stack) for place in places]
        ended = [job() for job in jobs]
    for place, end in zip(places, ended, strict=True):
        assert end.code == 0, end.err
        assert end.document["outcome"] == "provisioned"
        assert end.document["phone"]["port_path"] == place
    told = {end.document["certificate"]["sha256"] for end in ended}
    assert len(told) == SEVERAL
    assert told <= {row["sha256"] for row in workplace.published()}
