"""The udev rules as files: installing them, removing them, and seeing whether they are right."""

import contextlib
import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from usbprov.checks import CheckResult, Verdict
from usbprov.errors import RulesNotChanged
from usbprov.files import write_whole
from usbprov.usb.udev_rules import MARK, RulesFile

logger = logging.getLogger(__name__)

RULES_DIR = Path("/etc/udev/rules.d")
"""Where the administrator's rules are."""

SEARCHED = tuple(
    Path(root, "udev/rules.d") for root in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
"""Where udev looks; of files with the same name it takes the first (udev(7))."""

SEAT_LATE = "73-seat-late.rules"
"""What acts on the tag uaccess."""

INSTALL = "sudo usbprov udev install"

_SECONDS = 30.0
_TEST_DEVICE = "/sys/devices/virtual/mem/null"
"""A device that every Linux has; to test the rules on one is how udev is made to read them all."""


@dataclass(frozen=True)
class Ran:
    """What a program said, standard output and error together, and how it ended."""

    code: int
    said: str


Runner = Callable[[Sequence[str]], Ran | None]
"""Runs a program; None where there is no such program."""


def run_program(command: Sequence[str]) -> Ran | None:
    """Run a program of the system, which has half a minute for it."""
    program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
    if program is None:
        return None
    try:
        ended = subprocess.run(  # noqa: S603  (our own arguments, no shell)
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        return Ran(-1, str(failure))
    logger.debug("%s ended with %d", " ".join(command), ended.returncode)
    return Ran(ended.returncode, ended.stdout.decode("utf-8", "replace"))


def install(files: Sequence[RulesFile], directory: Path) -> tuple[str, ...]:
    """Write the files, and say in a line each what was done.

    Raises:
        RulesNotChanged: They cannot be written, or a file of that name is somebody else's.
    """
    paths = [directory / file.name for file in files]
    for path in paths:  # all are looked at before any is changed
        _refuse_foreign(path)
    done = []
    for file, path in zip(files, paths, strict=True):
        if _read(path) == file.text:
            done.append(f"{path} is as it must be already")
            continue
        with _told(path):
            write_whole(path, file.text.encode(), 0o644)
        done.append(f"{path} is written")
    return tuple(done)


def uninstall(files: Sequence[RulesFile], directory: Path) -> tuple[str, ...]:
    """Remove the files that are ours, and say in a line each what was done.

    Raises:
        RulesNotChanged: They cannot be removed, or a file of that name is somebody else's.
    """
    paths = [directory / file.name for file in files]
    for path in paths:
        _refuse_foreign(path)
    done = []
    for path in paths:
        if not path.exists():
            done.append(f"{path} was not there")
            continue
        with _told(path):
            path.unlink()
        done.append(f"{path} is removed")
    return tuple(done)


def load(run: Runner = run_program) -> tuple[str, ...]:
    """Have udev read the rules and apply them to what is attached; say what was done.

    The event is ``change``, not ``add``: it sets rights and properties anew, but starts nothing
    that others start when a device is plugged in.
    """
    reloaded = run(("udevadm", "control", "--reload"))
    if reloaded is None:
        return ("there is no udevadm here: the rules count from the next start of udev on",)
    if reloaded.code != 0:
        return ("udev does not run here: the rules count from its next start on",)
    trigger = ("udevadm", "trigger", "--action=change")
    usb = (*trigger, "--subsystem-match=usb")
    ports = (*trigger, "--subsystem-match=tty", "--property-match=ID_BUS=usb")
    settle = ("udevadm", "settle", "--timeout=10")
    failed = [step for step in (usb, ports, settle) if (ran := run(step)) is None or ran.code != 0]
    if failed:
        return ("udev has read the rules; plug phones that are attached in again",)
    return ("udev has read the rules and applied them to what is attached",)


def check_rules(
    files: Sequence[RulesFile], directories: Sequence[Path] = SEARCHED
) -> Iterator[CheckResult]:
    """Compare what is installed with what must be, and look for files of ours that must not be."""
    for file in files:
        yield _check_file(file, directories)
    names = {file.name for file in files}
    folders = dict.fromkeys(Path(directory).resolve() for directory in directories)
    for folder in folders:
        with contextlib.suppress(OSError):
            for path in sorted(folder.glob("*usbprov*.rules")):
                if path.name not in names:
                    yield _stray(path)


def lint(
    files: Sequence[RulesFile],
    directories: Sequence[Path] = SEARCHED,
    run: Runner = run_program,
) -> CheckResult:
    """Let udev itself read the installed files, and return what it says of them.

    ``udevadm verify`` does that since systemd 254. Before, ``udevadm test`` reads all rules and
    says what it ignores, but only in the folders where udev looks.
    """
    name = "udev's opinion"
    paths = [path for file in files if (path := _find(file.name, directories)) is not None]
    if not paths:
        return CheckResult(name, Verdict.UNKNOWN, "there is no file to look at")
    verified = run(("udevadm", "verify", "--no-summary", *map(str, paths)))
    if verified is None:
        return CheckResult(name, Verdict.UNKNOWN, "there is no udevadm here")
    if "Unknown command verb" in verified.said:
        if not set(directories) <= set(SEARCHED):
            return CheckResult(name, Verdict.UNKNOWN, "this udevadm reads only installed files")
        verified = run(("udevadm", "test", _TEST_DEVICE)) or Ran(-1, "")
    complaints = _complaints(verified.said, paths)
    if complaints:
        cause, remedy = "A group that this system has not, or another version's syntax.", INSTALL
        return CheckResult(name, Verdict.BAD, "; ".join(complaints), cause, remedy)
    if verified.code != 0:
        return CheckResult(name, Verdict.UNKNOWN, f"udevadm ended with {verified.code}")
    return CheckResult(name, Verdict.GOOD, "it takes every line")


def _complaints(said: str, paths: Sequence[Path]) -> list[str]:
    """Return what is said about lines of our files."""
    ours = re.compile("(?:" + "|".join(re.escape(str(path)) for path in paths) + r"):\d+\b.*")
    return [line.strip() for line in said.splitlines() if ours.match(line.strip())]


def _check_file(file: RulesFile, directories: Sequence[Path]) -> CheckResult:
    name = f"rules {file.name}"
    path = _find(file.name, directories)
    if path is None:
        cause = "They were never installed, or were removed."
        return CheckResult(name, Verdict.BAD, "not installed", cause, INSTALL)
    text = _read(path)
    if text is None:
        return CheckResult(name, Verdict.UNKNOWN, f"{path} cannot be read")
    if text == file.text:
        return CheckResult(name, Verdict.GOOD, f"installed: {path}")
    if not text.strip():
        cause = "An administrator has switched the rules off with an empty file."
        return CheckResult(name, Verdict.BAD, f"{path} is empty", cause, f"sudo rm {path}")
    cause = "Another version of usbprov wrote it, drivers were added, or it was changed by hand."
    return CheckResult(name, Verdict.BAD, f"{path} is not what it must be", cause, INSTALL)


def _stray(path: Path) -> CheckResult:
    cause = "An older usbprov, or a page that names another file."
    if path.name > SEAT_LATE:
        cause += f" Its name sorts after {SEAT_LATE}, so its tag uaccess does nothing."
    return CheckResult(
        "other rules", Verdict.BAD, f"{path} is of no use", cause, f"sudo rm {path}; {INSTALL}"
    )


def _find(name: str, directories: Sequence[Path]) -> Path | None:
    paths = (directory / name for directory in directories)
    return next((path for path in paths if path.exists() or path.is_symlink()), None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _refuse_foreign(path: Path) -> None:
    text = _read(path)
    if text is None and not path.exists():
        return
    if text is None or not text.startswith(MARK):
        raise RulesNotChanged(str(path), "there is a file of that name that usbprov did not write")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        reason = f"there is no folder {path.parent}: has this system udev?"
        raise RulesNotChanged(str(path), reason) from None
    except OSError as failure:
        raise RulesNotChanged(str(path), failure.strerror or str(failure)) from None
