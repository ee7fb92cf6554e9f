"""The board on a terminal: a thread that shows views as they come, and takes what is typed."""

import _thread
import atexit
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import NoReturn, Self

from rich.console import Console
from rich.text import Text

from usbprov.bench.controls import Controls
from usbprov.bench.states import PortState
from usbprov.bench.terminal import saying
from usbprov.bench.terminal.aside import errors_set_aside
from usbprov.bench.terminal.hands import Hands, Intent, Redraw, Say, ShowLink, Stop
from usbprov.bench.terminal.keyboard import Keyboard, TerminalKeyboard
from usbprov.bench.terminal.keys import Key, KeyDecoder
from usbprov.bench.terminal.looks import Urgency, in_ascii, urgency_of
from usbprov.bench.terminal.orders import Orders
from usbprov.bench.terminal.picture import Message, picture
from usbprov.bench.terminal.plain import PlainBoard
from usbprov.bench.terminal.question import Questions
from usbprov.bench.terminal.screen import Screen
from usbprov.bench.terminal.seen import Seen

_log = logging.getLogger(__name__)

PERIOD = 1 / 8
"""Seconds between two looks at the views: eight pictures a second at most."""

_ECHO = 1 / 25
"""Seconds between two pictures while somebody types, or a scanner does."""

_HEAL = 5.0
"""Seconds after which every line is written anew, over whatever else has written there."""

_PATIENCE = 2.0
"""Seconds for the terminal to be given back when the user cannot wait."""

_MESSAGE = 12.0
"""Seconds for which a message stands."""


NO_LINK = "There is no board for browsers: start the bench with --board PORT."


class TerminalBoard:
    """Shows the bench on a terminal and takes keys and scans.

    A context manager: inside the block the terminal is the board's; on every way out it is given
    back as it was, and the sums and what did not succeed are printed.
    """

    def __init__(
        self, controls: Controls, name: str, keyboard: Keyboard, console: Console, link: str = ""
    ) -> None:
        """Prepare; nothing is shown before the block is entered.

        Args:
            controls: The bench.
            name: The bench's name: its ports get lines, other benches sums.
            keyboard: Where keys come from.
            console: Where the board is shown.
            link: To the board for browsers, or "" where there is none.
        """
        self._controls = controls
        self._views = controls.feed.subscribe()
        self._keyboard = keyboard
        self._console = console
        self._screen = Screen(console)
        self._seen = Seen(name)
        self._hands = Hands()
        self._decoder = KeyDecoder()
        self._orders = Orders(controls, self._show_message)
        self._questions = Questions()
        self._link = link
        self._said: tuple[Message, float] | None = None
        self._labels: Sequence[str] = ()
        self._failed: frozenset[str] = frozenset()
        self._is_ascii = not console.encoding.startswith("utf")
        self._next_look = self._next_echo = self._next_second = self._next_heal = 0.0
        self._is_stale = True
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._signals = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._signals.enter_context(_signals_end_cleanly())
        if self._link:
            self.say(self._link)
        atexit.register(self._give_back)  # for a second Ctrl-C, at any point of the way out
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._ended.wait()
        self._give_back()
        atexit.unregister(self._give_back)

    def _give_back(self) -> None:
        """Wait for the board's thread to give the terminal back, and let go of all else.

        Not by ``join``: CPython 3.11 takes a thread for ended when Ctrl-C interrupts that.
        """
        self._stopping.set()
        self._ended.wait(_PATIENCE)
        self._orders.close()
        self._views.close()
        self._signals.close()

    def say(self, words: str, *, bad: bool = False) -> None:
        """Show a line below the ports for a while; from any thread."""
        self._show_message(Message(words, bad))

    def _show_message(self, message: Message) -> None:
        self._said = (message, time.monotonic() + _MESSAGE)
        self._is_stale = True

    @property
    def takes_pins(self) -> bool:
        """Whether the PINs that ports wait for can be keyed in here."""
        return isinstance(self._keyboard, TerminalKeyboard) and not self._ended.is_set()

    def _run(self) -> None:
        try:
            self._show_until_stopped()
        finally:
            self._ended.set()

    def _show_until_stopped(self) -> None:
        try:
            with errors_set_aside(self._say_aside), self._keyboard, self._screen:
                while not self._stopping.is_set():
                    self._turn()
            self._print_rest()
        except OSError as error:  # the terminal is gone; the bench goes on
            _log.warning("the board has ended: %s", error.strerror)
        except Exception:
            _log.exception("the board has failed; plain lines go on")
            self._go_on_plainly()

    def _say_aside(self, line: str) -> None:
        self.say(line, bad=True)

    def _go_on_plainly(self) -> None:
        with PlainBoard(self._controls, self._seen.name):
            self._stopping.wait()

    def _turn(self) -> None:
        """Wait for keys or for the next look, and show what has changed."""
        due = min(self._next_look, self._next_echo) if self._is_stale else self._next_look
        self._press(self._keyboard.read(max(0.0, due - time.monotonic())))
        at = time.monotonic()
        if at >= self._next_look:
            self._next_look = at + PERIOD
            self._look(at)
        if self._is_stale and at >= self._next_echo:
            self._next_echo = at + _ECHO
            self._is_stale = False
            self._show()

    def _look(self, at: float) -> None:
        """Take the newest views in, and whatever a clock brings."""
        self._is_stale |= bool(self._take())
        self._is_stale |= self._questions.look(self._seen.ports, self._hands, at)
        if self._said and at >= self._said[1]:
            self._said, self._is_stale = None, True
        if at >= self._next_second:
            self._next_second, self._is_stale = at + 1, True
            if self._keyboard.keep() or at >= self._next_heal:
                self._next_heal = at + _HEAL
                self._screen.forget()

    def _take(self) -> int:
        views = self._views.next(0)
        for view in self._seen.take(views):
            if view.state is PortState.EMPTY:
                self._orders.went_away(view.label)
        return len(views)

    def _press(self, typed: str) -> None:
        at = time.monotonic()
        was_waiting = self._decoder.waits
        keys: list[Key | str] = list(self._decoder.feed(typed))
        if not typed and was_waiting:
            keys += self._decoder.flush()
        for key in keys:
            self._is_stale = True
            self._said = None
            intent = self._hands.press(key, self._labels, at)
            if intent is not None:
                self._carry_out(intent)

    def _carry_out(self, intent: Intent) -> None:
        match intent:
            case Say(words):
                self.say(words, bad=True)
            case ShowLink():
                self.say(self._link or NO_LINK, bad=not self._link)
            case Redraw():
                self._screen.forget()
            case Stop():
                _thread.interrupt_main()
            case _:
                self._orders.give(intent)

    def _show(self) -> None:
        message = self._said[0] if self._said else None
        made = picture(self._seen, self._hands, message, self._screen.size, datetime.now(UTC))
        self._labels = made.labels
        lines = [in_ascii(line) for line in made.lines] if self._is_ascii else made.lines
        self._screen.show(lines, bell=self._is_failure_new())

    def _is_failure_new(self) -> bool:
        """Say whether a port has failed since the last picture."""
        ports = self._seen.ports.items()
        failed = frozenset(n for n, view in ports if urgency_of(view) is Urgency.FAILED)
        before, self._failed = self._failed, failed
        return bool(failed - before)

    def _print_rest(self) -> None:
        """Leave on the usual screen how it ended: the sums, and what did not succeed."""
        self._take()
        views = sorted(self._seen.ports.values(), key=lambda view: (urgency_of(view), view.label))
        lines = [saying.port_line(v) for v in views if urgency_of(v) <= Urgency.HAND]
        if self._seen.bench:
            lines.append(saying.bench_line(self._seen.bench, datetime.now(UTC)))
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


_SIGNALS = ("SIGHUP", "SIGTERM")


def _interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _signals_end_cleanly() -> Iterator[None]:
    """Let signals that would kill end the program as Ctrl-C does: the terminal is given back."""
    usual: dict[int, object] = {}
    if threading.current_thread() is threading.main_thread():
        known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        usual = {number: signal.getsignal(number) for number in known}
    deadly = [number for number, handler in usual.items() if handler is signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, _interrupted)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)
