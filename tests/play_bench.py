"""Plays a made-up shift on the board, to be looked at, and for the tests on a terminal.

python tests/play_bench.py [--ports 64] [--speed 1] [--seconds 90] [--ask] [--crash]
    [--impatient] [--report FILE]
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from doubles.shift import BenchDouble, Player, port, shift

from usbprov.bench.states import PortState
from usbprov.bench.terminal import board_for
from usbprov.bench.terminal.board import TerminalBoard


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--ports", type=int, default=64)
    options.add_argument("--speed", type=float, default=1.0)
    options.add_argument("--seconds", type=float, default=90.0)
    options.add_argument("--ask", action="store_true", help="ask for a PIN at the beginning")
    options.add_argument("--crash", action="store_true", help="fail when the shift is over")
    options.add_argument("--impatient", action="store_true", help="press Ctrl-C on the way out")
    options.add_argument("--report", type=Path, help="write what was asked for, and the CPU time")
    play(options.parse_args())


def play(chosen: argparse.Namespace) -> None:
    desk = BenchDouble()
    moments = shift(chosen.ports, seconds=chosen.seconds)
    began = time.process_time()
    try:
        player = Player(desk.feed, moments, chosen.speed)
        with board_for(desk, "bench-1"), player:
            if chosen.ask:
                desk.feed.publish(port("Z1", PortState.WAITING, asks="PIN of Ada Byron (1001)"))
            player.ended.wait()
            if chosen.impatient:
                sys.setprofile(interrupt_the_end)
                return
            if chosen.crash:
                raise ZeroDivisionError
            if chosen.seconds > 0:
                threading.Event().wait(3600 if chosen.report else 1)
    except KeyboardInterrupt:
        pass
    finally:
        if chosen.report:
            told = {"asked": desk.asked, "pins": desk.pins, "cpu": time.process_time() - began}
            chosen.report.write_text(json.dumps(told))


def interrupt_the_end(frame: FrameType, event: str, _: object) -> None:
    """Be pressed at the worst moment: before the board's end has done anything."""
    if event == "call" and frame.f_code is TerminalBoard.__exit__.__code__:
        sys.setprofile(None)
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
