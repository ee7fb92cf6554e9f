"""Who works with the phones in the virtual machine: root, or a user without any rights."""

import json
import pwd
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import processes
from kernel_usb import IN_THE_MACHINE, shell
from processes import Ended, Station

NAME = "technician"


@dataclass
class Workplace(Station):
    """A lab, and a computer whose kernel has the phones.

    Attributes:
        rights: What a command begins with, so that it runs with less than root's rights.
    """

    rights: tuple[str, ...] = ()

    @property
    def bus(self) -> str:
        return "kernel"

    @property
    def exporter(self) -> str:
        """Where the phones' process exports them."""
        return str(self.facts["bus"])

    def exported(self) -> list[str]:
        """Return the exporter's names of the phones."""
        facts = json.loads((self.folder / "lab" / "phones.json").read_text())
        return list(facts["phones"])

    def begin(self, place: str, running: ExitStack) -> Callable[[], Ended]:
        """Start to provision a phone; what is returned waits for the end.

        Args:
            place: The phone's port path.
            running: Ends the program if need be.
        """
        command = self.command(*self.provision_arguments("--json", place))
        process = running.enter_context(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=self.environment,
            )
        )
        running.callback(process.kill)
        assert process.stdin is not None
        process.stdin.write(self.user()["pin"] + "\n")
        process.stdin.flush()

        def end() -> Ended:
            out, err = process.communicate(timeout=processes.PATIENCE)
            return Ended(process.returncode, out, err)

        return end

    def command(self, *arguments: str, bus: str | None = None) -> list[str]:
        return [*self.rights, *super().command(*arguments, bus=bus)]


def make_user() -> None:
    """Make the plain user, in no group but its own, and let it read what is tested."""
    shell("useradd", "--create-home", "--shell", "/bin/sh", NAME)
    for folder in (sys.prefix, sys.base_prefix, Path(__file__).parents[2]):
        let_in(Path(folder).resolve())


def user_id() -> int:
    """Return the plain user's number."""
    return pwd.getpwnam(NAME).pw_uid


def let_in(folder: Path) -> None:
    """Let everybody reach a folder, in the layer above the host's file system."""
    assert IN_THE_MACHINE
    for place in (folder, *folder.parents):
        place.chmod(place.stat().st_mode | 0o555)


def rights_of(*groups: str) -> tuple[str, ...]:
    """Return the words that have a command run as the plain user, with these groups added."""
    added = f"--groups={','.join(groups)}" if groups else "--clear-groups"
    return ("setpriv", f"--reuid={NAME}", f"--regid={NAME}", added, "--inh-caps=-all", "--")


def hand_over(folder: Path) -> None:
    """Give the user a folder, and the way there."""
    let_in(folder.parent)
    shell("chown", "--recursive", "--no-dereference", f"{NAME}:{NAME}", str(folder))
