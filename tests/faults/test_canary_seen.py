"""No secret is shown or left where somebody keys one in, looks at a board, or finds a core file."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from board_client import link_in, session
from canary.search import texts
from canary.secrets import PIN
from canary.stand import Stand, stand
from canary.watching import Watch
from processes import PATIENCE, wait_for
from screens import terminal

pytestmark = pytest.mark.timeout(240)

ALICE = ("provision", "1-1", "--extension", "1001")


def clean(at: Stand) -> None:
    """Nothing is found, and nothing was written where it would not be looked for."""
    assert at.leaks() == {}
    assert at.written_elsewhere() == set()
    assert {"assertion", "signed"} <= at.spied().keys(), "the jobs were done"


def test_keyed_in_at_a_prompt(tmp_path: Path) -> None:
    with stand(tmp_path) as at:
        command = at.command(at.log("asked"), *ALICE, *at.servers, *at.registrar)
        with (
            terminal(command, variables=at.environment(started=True)) as screen,
            Watch(screen.process.pid) as watch,
        ):
            screen.shows("PIN of extension 1001:")
            screen.type(f"{PIN}\n")
            assert screen.process.wait(PATIENCE) == 0, screen.text
        at.said |= {"terminal": bytes(screen.sent), "processes": b"\n".join(watch.seen)}
        assert b"--extension" in at.said["processes"]
        assert b"CANARY_FOLDER" in at.said["processes"]
        clean(at)


def bench(at: Stand) -> list[str]:
    """A bench whose user's PIN nobody knows."""
    (at.given / "users.csv").write_text("extension,sip address\n1001,sip:alice@contoso.test\n")
    given = ["bench", "run", str(at.given / "users.csv"), *at.servers, *at.registrar]
    return [*given, "--name", "desk", "--key-in-pins"]


def test_keyed_in_at_the_board_for_browsers(tmp_path: Path) -> None:
    with stand(tmp_path) as at, at.begun(*bench(at), "--board", "0", "--until", "1") as running:
        found = None
        while found is None:
            found = link_in(running.line())
        browser = Browser(at, *found)
        events = threading.Thread(target=browser.read_events)
        events.start()
        wait_for(lambda: b"PIN" in at.said["events"], "the question")
        answer = browser.ask("POST", "/order", {"order": "pin", "of": "1-1", "pin": PIN})
        assert b"the PIN is taken" in answer, answer
        for path in ("/", "/static/board.js", "/nothing"):
            browser.ask("GET", path)
        ended = running.end()
        events.join()
        assert ended.code == 0, ended.err
        assert b"done: unplug" in at.said["events"]
        clean(at)


class Browser:
    """A browser at the board; what it is answered is taken down."""

    def __init__(self, at: Stand, port: int, token: str) -> None:
        self._said, self._port = at.said, port
        with self._connected() as connection:
            _, self._headers = session(connection, token)
        for name, header in self._headers.items():
            at.known += texts(f"board's {name}", header.rpartition("=")[2])
        at.said["events"] = b""

    def _connected(self) -> "contextlib.closing[http.client.HTTPConnection]":
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        return contextlib.closing(connection)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        with self._connected() as connection:
            connection.request(method, path, body and json.dumps(body), self._headers)
            answer = connection.getresponse()
            told = answer.read()
        self._said[f"{method} {path}"] = str(answer.headers).encode() + told
        return told

    def read_events(self) -> None:
        with self._connected() as connection, contextlib.suppress(OSError):
            connection.request("GET", "/events", headers=self._headers)
            answer = connection.getresponse()
            while part := answer.read1():
                self._said["events"] += part


def test_keyed_in_at_the_board_on_a_terminal(tmp_path: Path) -> None:
    with stand(tmp_path) as at:
        command = at.command(at.log("board"), *bench(at), "--until", "1")
        with terminal(command, variables=at.environment(started=True)) as screen:
            screen.shows("PIN of 1001:")
            for count, digit in enumerate(PIN, 1):  # what comes all at once is a scanner's
                screen.type(digit)
                wait_for(lambda n=count: screen.text.count("•") >= n, "the digit")
            screen.type("\r")
            assert screen.process.wait(PATIENCE) == 0, screen.text
        at.said["terminal"] = bytes(screen.sent)
        clean(at)


# --- a crash that nothing in the program can catch

UNLIMITED = ["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh"]
"""What stands before a command that may leave as large a core file as it likes."""


WITH_SECRETS = ("secret read", "key given")
"""Where the program is aborted: it has a PIN; it has a ticket and a private key, too."""


def dumped(process: "subprocess.Popen[bytes]") -> bool:
    """Say whether the kernel has written a process's memory to anywhere when it was aborted."""
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_status == signal.SIGABRT, ended
    return ended.si_code == os.CLD_DUMPED


def test_an_abort_with_secrets_in_memory_leaves_no_core_file(tmp_path: Path) -> None:
    """Also not with PYTHONFAULTHANDLER, which tells where each thread was."""
    control = [*UNLIMITED, sys.executable, "-c", "import os; os.abort()"]
    with subprocess.Popen(control, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        if not dumped(process):
            pytest.skip("this system writes no core files, whatever a program does")
    for core in tmp_path.glob("core*"):
        core.unlink()
    with stand(tmp_path, options=["--personality", "import-key"]) as at:
        given = [*ALICE, "--pin-stdin", *at.servers, "--key", "host"]
        for number, point in enumerate(
            ["secret read", "ticket read", "host key made", "key given"]
        ):
            command = at.command(at.log(f"{number}"), *given)
            environment = at.environment(f"{point}:abort", started=True)
            with subprocess.Popen(
                [*UNLIMITED, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment | {"PYTHONFAULTHANDLER": "1"},
                cwd=at.work,
            ) as process:
                assert process.stdin is not None
                assert process.stderr is not None
                process.stdin.write(f"{PIN}\n".encode())
                process.stdin.close()
                at.said[f"errors {number}"] = process.stderr.read()
                assert not dumped(process), point
            assert b"Fatal Python error: Aborted" in at.said[f"errors {number}"]
        assert not list(at.work.glob("core*"))
        assert at.leaks() == {}
        assert {"assertion", "pkcs8"} <= at.spied().keys()
