"""A phone that answers each request with whatever a test has thought of, over a link in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from usbprov.errors import LinkTimeout
from usbprov.usb.devices import DeviceFacts
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.driver import SmpPhone
from usbprov_drivers.smp.framing import LineDecoder, LineFraming, RawFraming
from usbprov_drivers.smp.messages import GROUP
from usbprov_drivers.smp.session import Session
from usbprov_drivers.smp.wire import Message, decode_message

FACTS = DeviceFacts("test", "1-1", 0x1209, 1, serial="EMU0001")

Answer = dict[str, object] | bytes | None
"""A map; or a payload as it is; or nothing at all, and the host's time runs out."""

Script = Callable[[Message], Answer]


@dataclass
class Clock:
    """Time that passes when somebody waits."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class ScriptedLink:
    """A ``Link``; ``raw`` bytes come before an answer, ``seconds`` is what each answer takes."""

    script: Script
    clock: Clock = field(default_factory=Clock)
    seconds: float = 0.0
    raw: Callable[[Message], bytes] = lambda _: b""
    requests: int = 0
    due: list[bytes] = field(default_factory=list)
    name = "phone 1-1 (serial EMU0001)"
    closed = False

    def write(self, data: bytes, timeout: float) -> None:
        self.take(decode_message(data), bytes)

    def take(self, request: Message, framed: Callable[[bytes], bytes]) -> None:
        self.requests += 1
        answer = self.script(request)
        payload = encode_map(answer) if isinstance(answer, dict) else answer
        if payload is not None:
            self.due += [self.raw(request) + framed(request.response(payload).encode())]

    def read(self, timeout: float) -> bytes:
        if not self.due or self.seconds > timeout:
            self.clock.sleep(timeout)
            raise LinkTimeout(self.name, "a transfer", timeout)
        self.clock.sleep(self.seconds)
        return self.due.pop(0)

    def resync(self) -> None:
        self.due.clear()

    def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedLine(ScriptedLink):
    """The same on a serial line: answers come in the coding in which they were asked for."""

    decoder: LineDecoder = field(default_factory=LineDecoder)

    def write(self, data: bytes, timeout: float) -> None:
        for code, request in self.decoder.feed(data):
            self.take(request, code.encode)


PARAMETERS, ECHO = (0, 6), (0, 0)


def always(answer: Answer, buffer: int = 1024) -> Script:
    """Answer everything alike, but echo and the size of the buffer truly."""

    def script(request: Message) -> Answer:
        if (request.group, request.command) == ECHO:
            return {"r": decode_map(request.payload)["d"]}
        if (request.group, request.command) == PARAMETERS:
            return {"buf_size": buffer, "buf_count": 1}
        return answer

    return script


def by_command(scripts: Mapping[int, Script]) -> Script:
    """Answer these commands of the private group, and refuse the others."""
    rest = always({"err": {"group": GROUP, "rc": 7}})

    def script(request: Message) -> Answer:
        mine = request.group == GROUP and request.command in scripts
        return scripts[request.command](request) if mine else rest(request)

    return script


def phone_over(link: ScriptedLink) -> SmpPhone:
    """Open the phone behind the link."""
    framing = LineFraming() if isinstance(link, ScriptedLine) else RawFraming()
    session = Session(link, framing, clock=link.clock)
    session.start()
    return SmpPhone(FACTS, session)
