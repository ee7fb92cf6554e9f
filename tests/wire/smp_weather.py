"""A cable on which everything goes wrong that can, by a seeded die, on a clock of its own.

No threads, no waiting: the phone's firmware answers at once, and its answers lie in the cable until
the host's clock has come to them. So thousands of schedules run in seconds, each the same again.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from smp_links import foreign

from usbprov.errors import LinkBroken, LinkTimeout, PhoneGone
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.framing import Framing, LineCode, LineDecoder, LineFraming
from usbprov_drivers.smp.wire import Decoder, MalformedMessage, Message

FAST = 0.001
"""Seconds that a message takes."""

ENDLESS = 200_000
"""Reads and writes after which a host is said to hang."""

Coded = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Weather:
    """How often what happens to a message, from 0 to 1.

    Attributes:
        lost: It does not arrive; requests and answers.
        late: The phone takes up to ``latest`` seconds for it.
        twice: The answer comes twice.
        foreign: An answer to something else comes before it.
        babble: Bytes without meaning come before it; on bulk, more than fits.
        damaged: One bit of it is wrong; on serial lines only, USB has its own CRC.
        bytewise: It comes one byte at a time.
    """

    lost: float = 0.0
    late: float = 0.0
    twice: float = 0.0
    foreign: float = 0.0
    babble: float = 0.0
    damaged: float = 0.0
    bytewise: float = 0.0
    latest: float = 25.0


WEATHERS = {
    "none": Weather(),
    "one byte at a time": Weather(bytewise=1.0),
    "a fifth is lost": Weather(lost=0.2),
    "delay": Weather(late=0.2, latest=8.0),
    "duplicates": Weather(twice=0.6),
    "foreign answers": Weather(foreign=0.6),
    "babble": Weather(babble=0.2),
    "damage": Weather(damaged=0.15),
    "everything": Weather(0.06, 0.04, 0.3, 0.3, 0.05, 0.05, 0.1),
}


class Cable:
    """A ``Link`` to a firmware, without threads.

    Attributes:
        now: The time, in seconds; it passes only by reading and writing.
        steps: How many messages were written or waited for.
        gone_at: The step at which the cable is pulled; then it is out until ``plug``.
    """

    name = "phone 1-1"

    def __init__(self, firmware: Firmware, dice: random.Random, weather: Weather) -> None:
        self.firmware = firmware
        self.dice = dice
        self.weather = weather
        self.now = 0.0
        self.steps = 0
        self.gone_at = -1
        self._free = 0.0
        self._coming: deque[tuple[float, bytes]] = deque()

    def clock(self) -> float:
        return self.now

    def plug(self) -> None:
        self.gone_at = -1
        self._coming.clear()

    def write(self, data: bytes, timeout: float) -> None:
        self._step()
        self.now += FAST
        if self._happens(self.weather.lost):
            return
        for coded, request in self._requests(self._perhaps_damaged(data)):
            response = self.firmware.handle(request)
            self.firmware.answered()
            self._answer(coded, response.encode())

    def read(self, timeout: float) -> bytes:
        self._step()
        if not self._coming or self._coming[0][0] > self.now + timeout:
            self.now += timeout
            raise LinkTimeout(self.name, "a transfer", timeout)
        due, data = self._coming.popleft()
        self.now = max(self.now, due)
        if not data:
            raise LinkBroken(self.name, "babble")
        return data

    def resync(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._coming.clear()

    def _requests(self, data: bytes) -> Iterable[tuple[Coded, Message]]:
        raise NotImplementedError

    def _perhaps_damaged(self, data: bytes) -> bytes:
        return data

    def _babble(self) -> bytes:
        raise NotImplementedError

    def _step(self) -> None:
        if self.steps == self.gone_at:
            raise PhoneGone(self.name)
        self.steps += 1
        assert self.steps < ENDLESS, "the host hangs"

    def _happens(self, chance: float) -> bool:
        return self.dice.random() < chance

    def _answer(self, coded: Coded, response: bytes) -> None:
        """Put an answer into the cable; answers do not overtake one another."""
        weather = self.weather
        if self._happens(weather.lost):
            return
        delay = self.dice.uniform(0.1, weather.latest) if self._happens(weather.late) else FAST
        self._free = max(self._free, self.now) + delay
        if self._happens(weather.babble):
            self._coming.append((self._free, self._babble()))
        if self._happens(weather.foreign):
            self._send(coded(foreign(response, self.dice)))
        self._send(coded(response))
        if self._happens(weather.twice):
            self._send(coded(response))

    def _send(self, data: bytes) -> None:
        data = self._perhaps_damaged(data)
        bytewise = self._happens(self.weather.bytewise)
        size = 1 if bytewise else self.dice.randrange(1, 2000)
        for at in range(0, len(data), size):
            self._coming.append((self._free, data[at : at + size]))


class BulkCable(Cable):
    """Raw messages; the phone may have sent already what RESYNC would make it forget."""

    def __init__(self, firmware: Firmware, dice: random.Random, weather: Weather) -> None:
        super().__init__(firmware, dice, weather)
        self._decoder = Decoder(firmware.model.buffer)

    def resync(self) -> None:
        self._step()
        self._decoder.reset()
        if self._coming and self._coming[0][0] > self.now and self._happens(0.5):
            return
        self._coming.clear()

    def _requests(self, data: bytes) -> Iterable[tuple[Coded, Message]]:
        try:
            return [(bytes, request) for request in self._decoder.feed(data)]
        except MalformedMessage:
            self._decoder.reset()
            return []

    def _babble(self) -> bytes:
        return b""


class LineCable(Cable):
    """A serial line: bits may be wrong, log text is between, and nobody can be told to forget."""

    def __init__(self, firmware: Firmware, dice: random.Random, weather: Weather) -> None:
        super().__init__(firmware, dice, weather)
        self._decoder = LineDecoder(firmware.model.room, cobs=firmware.model.cobs)
        self._heard = 0.0

    def resync(self) -> None:
        self._step()
        self.now += 0.05
        while self._coming and self._coming[0][0] <= self.now:
            self._coming.popleft()

    def _requests(self, data: bytes) -> Iterable[tuple[Coded, Message]]:
        if self.now - self._heard > 1.0:  # PROTOCOL.md 6.3
            self._decoder.reset()
        self._heard = self.now
        return [(code.encode, request) for code, request in self._decoder.feed(data)]

    def _perhaps_damaged(self, data: bytes) -> bytes:
        if not self._happens(self.weather.damaged):
            return data
        at = self.dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.dice.randrange(8)]) + data[at + 1 :]

    def _babble(self) -> bytes:
        log = b"[00:00:09.731] <dbg> smp: at work\r\n"
        half_a_line = LineCode.CONSOLE.encode(bytes(90))[:70]
        noise = self.dice.randbytes(self.dice.randrange(1, 60))
        return self.dice.choice([log, half_a_line + b"\n", noise])


def framing_of(cable: Cable) -> Framing | None:
    return LineFraming() if isinstance(cable, LineCable) else None
