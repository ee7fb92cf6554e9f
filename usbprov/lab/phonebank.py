"""What emulated phones there shall be, and the lab's hold on their process."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from usbprov.errors import LabUnusable

_START_SECONDS = 120.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class PhonesOptions:
    """What phones there shall be.

    Attributes:
        folder: The lab's folder.
        count: How many.
        port: TCP port of the exporter; 0 for a free one.
        family: The family's name; may be left out where one family only is installed.
        personality: Options of the family, the same for every phone.
        first: Index of the first one, from 1; gives serial numbers, MACs and state files.
    """

    folder: Path
    count: int
    port: int = 0
    family: str | None = None
    personality: Mapping[str, str] = field(default_factory=dict)
    first: int = 1


@dataclass(frozen=True)
class PhonesFacts:
    """Where the phones are.

    Attributes:
        bus: What ``--bus`` takes.
        port: TCP port of the exporter.
        pid: Their process.
        phones: The port path of each.
    """

    bus: str
    port: int
    pid: int
    phones: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """Return the fields by name, for ``phones.json``."""
        return asdict(self)


class PhoneBank:
    """Starts, pulls and ends the phones' process; the phones outlive it in their state files."""

    def __init__(self, options: PhonesOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> PhonesFacts:
        """Start the process and return when its phones can be reached.

        Raises:
            LabUnusable: It says why it cannot serve, or ends without a word.
        """
        self.stop()
        # A session of its own: Ctrl-C at the terminal is for the lab, which then ends the phones.
        process = subprocess.Popen(  # noqa: S603 - this package's own program
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._process = process
        said = _first_word(process)
        if not isinstance(said, dict) or "error" in said:
            self.stop()
            problem = said["error"] if isinstance(said, dict) else "their process ended"
            raise LabUnusable(f"emulated phones: {problem}")
        # Phones that are pulled and come back shall be found where they were.
        self._options = replace(self._options, port=said["port"])
        return PhonesFacts(said["bus"], said["port"], said["pid"], tuple(said["phones"]))

    def stop(self) -> None:
        """End the process in good order; may be called twice."""
        self._end(kill=False)

    def pull(self) -> None:
        """Kill the process: every phone loses power at once."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        with process:  # closes its pipes and waits; the end of its input tells it to stop
            if process.stdin:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _command(self) -> list[str]:
        options = self._options
        command = [sys.executable, "-m", "usbprov.lab.phones", "--dir", str(options.folder)]
        command += ["--count", str(options.count), "--port", str(options.port)]
        command += ["--family", options.family] if options.family else []
        for name, value in options.personality.items():
            command += ["--personality", f"{name}={value}" if value else name]
        return command


def _first_word(process: subprocess.Popen[bytes]) -> object:
    """Return what the process says when it is ready, or None; one that says nothing is killed."""
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
        return json.loads(line or b"null")
    except ValueError:
        return None
    finally:
        watchdog.cancel()
