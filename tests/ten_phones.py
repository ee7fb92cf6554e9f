"""The table of docs/bench.md: a lab, a hub of ten ports, ten phones, and what is to be typed."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from processes import PATIENCE, Station, station

from usbprov.bench.mapfile import write_map
from usbprov.bench.portmap import Hub, PortMap
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators
from usbprov.pki.certificates import load_pem_certificates, to_der

PAGE = Path(__file__).parents[1] / "docs" / "bench.md"

_LAST = ("1", "2", "3", "4.1", "4.2", "4.3", "4.4.1", "4.4.2", "4.4.3", "4.4.4")
PORTS = tuple(f"1-1.{place}" for place in _LAST)
"""A hub of ten ports is three chips of four, each behind the last port of the one before."""

_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_USERS = """
[[users]]
sip_uri = "{uri}"
extension = "{extension}"
pin = "{pin}"
password = "Lab-{extension}"
"""


@dataclass(frozen=True)
class Page:
    """What the page has in its fences.

    Attributes:
        files: The files that it shows, by name.
        commands: What it says to type, in order.
    """

    files: dict[str, str]
    commands: list[str]

    @classmethod
    def read(cls, path: Path = PAGE) -> "Page":
        fences = _FENCE.findall(path.read_text("utf-8"))
        files = {name: text for _, name, text in fences if name}
        shell = "".join(text for kind, _, text in fences if kind == "sh")
        return cls(files, [line.partition("  #")[0].rstrip() for line in shell.splitlines()])

    @property
    def users(self) -> dict[str, str]:
        """SIP addresses by extension."""
        lines = [line.split(",") for line in self.files["users.csv"].splitlines()[1:]]
        return {extension: uri for extension, uri, _ in lines}

    @property
    def pins(self) -> dict[str, str]:
        return dict(re.findall(r'^(\d+) = "(\d+)"$', self.files["pins.toml"], re.MULTILINE))


@dataclass
class TenPhones:
    """The computer, the hub and the phones."""

    page: Page
    at: Station
    exporter: Exporter
    roots: tuple[bytes, ...]
    personality: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The bench's own folder."""
        return self.at.folder / "bench"

    @property
    def home(self) -> Path:
        return self.at.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """The phones' bus and the terminal's path; all else is in the files of the page."""
        program = str(Path(sys.executable).parent)
        made = dict(self.at.environment)
        made["PATH"] = f"{program}{os.pathsep}{made['PATH']}"
        return made | {"USBPROV_BUS": self.exporter.uri, "PGSERVICEFILE": str(self.home / "pg")}

    def write(self, slip: str | None = None) -> None:
        """Write the page's files; ``slip`` is an extension whose PIN is mistyped."""
        self.folder.mkdir(exist_ok=True)
        config = self.home / "usbprov" / "config.toml"
        config.parent.mkdir(exist_ok=True)
        config.write_text(self._of_the_lab(self.page.files["~/.config/usbprov/config.toml"]))
        (self.folder / "users.csv").write_text(self.page.files["users.csv"])
        self.write_pins(slip)

    def write_pins(self, slip: str | None = None) -> None:
        text = self.page.files["pins.toml"]
        if slip is not None:
            right = self.page.pins[slip]
            text = text.replace(right, right[:-1] + str((int(right[-1]) + 1) % 10))
        path = self.folder / "pins.toml"
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        path.write_text(text)
        if mode is not None:
            path.chmod(mode)

    def write_map(self) -> None:
        """Write what `bench map` learns when it is done as the page says."""
        labels = [f"A{number}" for number in range(1, 11)]
        ports = {f"{self.exporter.uri}/{p}": n for p, n in zip(PORTS, labels, strict=True)}
        hub = Hub("A", (tuple(labels[:5]), tuple(labels[5:])), ports)
        write_map(self.folder / "bench.toml", PortMap("north", (hub,)))

    def _of_the_lab(self, text: str) -> str:
        """Put the lab's servers in place of the page's; nothing else is changed."""
        for name in ("web_services_url", "registrar", "ca_file"):
            value = str(self.at.facts[name])
            text = re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', text, flags=re.MULTILINE)
        return text

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Type a command in the bench's folder."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def plug(self, number: int, port: int | None = None) -> None:
        """Plug phone ``number`` in, at the port of this number, or at another one."""
        state = self.at.folder / f"phone{number}.json"
        made = emulators()["smp"].make(PhoneSpec(number, state, self.roots, self.personality))
        self.exporter.attach(PORTS[(port or number) - 1], made)

    def pull(self, port: int) -> None:
        self.exporter.detach(PORTS[port - 1])


@contextmanager
def ten_phones(folder: Path) -> Iterator[TenPhones]:
    """Run a lab that has the page's users with its PINs."""
    page = Page.read()
    users = folder / "users.toml"
    rows = (
        _USERS.format(uri=uri, extension=extension, pin=page.pins[extension])
        for extension, uri in page.users.items()
    )
    users.write_text("".join(rows))
    with station(folder, 0, ["--users", str(users)]) as at, Exporter({}) as exporter:
        roots = load_pem_certificates(Path(at.facts["ca_file"]).read_bytes())
        yield TenPhones(page, at, exporter, tuple(map(to_der, roots)))
