"""A transfer is answered or unlinked, never both: the race, run on the wire."""

import random
import socket
import struct
import threading
from collections.abc import Callable

import pytest
from doubles.usb_device import Recorder, phone_like
from doubles.usbip_client import RawClient

from usbprov.emulation.exporter import Exporter

ROUNDS = 1000
WINDOW = 4
DEADLINE = 10.0
UNLINKED = -104
SUBMIT_REPLY, UNLINK_REPLY = 3, 4


class Race:
    """Submits and unlinks at random on one thread, reads the replies on another.

    Only a few transfers are under way at a time, so that unlinks and answers meet.
    """

    def __init__(self, client: RawClient, rng: random.Random) -> None:
        self.client = client
        self.rng = rng
        self.submitted: list[int] = []
        self.unlinks: dict[int, int] = {}
        self.answered: list[int] = []
        self.payloads: list[int] = []
        self.results: dict[int, int] = {}
        self.withdrawn: set[int] = set()
        self._news = threading.Condition()

    def run(self) -> None:
        listener = threading.Thread(target=self._listen)
        listener.start()
        for _ in range(ROUNDS):
            self._wait(lambda: self._under_way() < WINDOW)
            self.submitted.append(self.client.submit(0x81, room=64))
            if self.rng.random() < 0.5:
                self._unlink(self.rng.choice(self.submitted[-2 * WINDOW :]))
        self._wait(lambda: self._under_way() == 0 and len(self.results) == len(self.unlinks))
        self.client.sock.shutdown(socket.SHUT_RD)
        listener.join()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._news:
            settled = self._news.wait_for(condition, DEADLINE)
        assert settled, "some transfer was neither answered nor unlinked"

    def _under_way(self) -> int:
        return len(self.submitted) - len(self.answered) - len(self.withdrawn)

    def _unlink(self, target: int) -> None:
        if target not in self.unlinks.values():
            self.unlinks[self.client.seqnum + 1] = target
            self.client.unlink(target)

    def _listen(self) -> None:
        try:
            while True:
                self._reply(*self.client.header())
        except (EOFError, TimeoutError):
            return  # what is missing is noticed by ``run``

    def _reply(self, command: int, seqnum: int, status: int, length: int) -> None:
        assert command in (SUBMIT_REPLY, UNLINK_REPLY)
        data = self.client.exactly(length) if command == SUBMIT_REPLY else b""
        with self._news:
            if command == UNLINK_REPLY:
                self.results[seqnum] = status
                self.withdrawn |= {self.unlinks[seqnum]} if status == UNLINKED else set()
            else:
                self.answered.append(seqnum)
                self.payloads.append(struct.unpack(">I", data)[0])
            self._news.notify_all()


def chatter(function: Recorder, rng: random.Random, stop: threading.Event) -> None:
    count = 0
    while not stop.is_set():
        function.send(struct.pack(">I", count))
        count += 1
        stop.wait(rng.random() * 0.0005)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_1000_random_submits_and_unlinks_are_settled_exactly_once(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    function = Recorder()
    stop = threading.Event()
    talker = threading.Thread(target=chatter, args=(function, rng, stop))
    with Exporter({"1-1": phone_like(function)}) as exporter, RawClient(exporter.port) as client:
        assert client.attach("1-1") == 0
        client.configure()
        race = Race(client, rng)
        talker.start()
        try:
            race.run()
        finally:
            stop.set()
            talker.join()
        client.sock.shutdown(socket.SHUT_WR)
    assert len(race.answered) == len(set(race.answered))
    assert race.withdrawn.isdisjoint(race.answered)
    assert race.withdrawn.union(race.answered) == set(race.submitted)
    assert set(race.results.values()) == {0, UNLINKED}, "the race was not run"
    assert race.payloads == sorted(race.payloads), "answers in another order than the data"
