"""Devices whose descriptors lie: listed with what can be read, bounded, harmless to a terminal."""

import time
import tracemalloc
from contextlib import suppress

import pytest
from doubles.descriptors import (
    CONFIGURATION,
    DEVICE,
    LIES,
    PAIR,
    STRING,
    TRUE,
    Descriptors,
    configuration,
    device,
    endpoint,
    interface,
    string,
)
from doubles.scripted_usb import ScriptedSession, assert_harmless, bus_of
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov.errors import LinkBroken, UsbError
from usbprov.usb.descriptors import MAX_LENGTH, MalformedDescriptor, parse_configuration
from usbprov.usb.devices import AttachedDevice, DeviceFacts
from usbprov.usb.transfers import Completion
from usbprov_drivers.smp.driver import DRIVER

MEMORY = 4 << 20
"""Bytes that one device may cost while it is read, its lies of 64 KiB included."""

REQUESTS = 200
"""Control transfers that reading one device may take: 64 interface names, 8 configurations."""


def read(said: Descriptors) -> tuple[AttachedDevice, ScriptedSession]:
    session = ScriptedSession(said)
    (attached,) = bus_of({"1-1": session}).devices()
    return attached, session


def facts_of(said: Descriptors) -> DeviceFacts:
    return read(said)[0].facts


def use(attached: AttachedDevice) -> None:
    """Open whatever the device seems to offer, and use it."""
    for number in attached.facts.interfaces[:3]:
        with suppress(UsbError):
            link = attached.open_bulk(number)
            try:
                link.write(bytes(512), 0.01)
                link.read(0.01)
            finally:
                link.close()
    with suppress(UsbError):
        DRIVER.open(attached)


@pytest.mark.parametrize("said", LIES.values(), ids=LIES)
def test_a_lie_gives_facts_or_a_problem(said: Descriptors) -> None:
    attached, session = read(said)
    assert_harmless(attached.facts)
    assert session.transfers <= REQUESTS
    use(attached)


@pytest.mark.parametrize("said", LIES.values(), ids=LIES)
def test_a_lie_does_not_touch_the_neighbour(said: Descriptors) -> None:
    both = {"1-1": ScriptedSession(said), "1-2": ScriptedSession(TRUE)}
    neighbour = next(d for d in bus_of(both).devices() if d.facts.port_path == "1-2")
    assert (neighbour.facts.serial, neighbour.facts.problem) == ("EMU0001", None)


PROBLEMS = {
    "a configuration of length 8": "",
    "255 configurations, one there": "",
    "no configuration": "its interfaces cannot be read",
    "bLength 0 within": "its interfaces cannot be read",
    "bLength beyond the end": "its interfaces cannot be read",
    "an endpoint too short": "its interfaces cannot be read",
    "a configuration without end": "its interfaces cannot be read",
    "half a surrogate pair": "its serial number cannot be read: it is not text",
    "a string of length 1": "its serial number cannot be read: it is no string descriptor",
    "languages stall": "its manufacturer cannot be read: it refuses the request",
}


@pytest.mark.parametrize("lie", PROBLEMS)
def test_the_problem_is_told(lie: str) -> None:
    problem = facts_of(LIES[lie]).problem or ""
    assert problem.startswith(PROBLEMS[lie])
    assert bool(problem) is bool(PROBLEMS[lie])
    assert "index out of range" not in problem


@pytest.mark.parametrize(
    "lie",
    ["endpoint 0", "endpoints with no room", "zero endpoints", "the same endpoint twice",
     "two endpoints claimed, none there", "reserved endpoint bits"],
)  # fmt: skip
def test_no_link_is_made_over_impossible_endpoints(lie: str) -> None:
    attached, session = read(LIES[lie])
    before = session.transfers
    with pytest.raises(LinkBroken):
        attached.open_bulk(attached.facts.interfaces[0])
    assert session.transfers <= before + 4


@pytest.mark.parametrize("lie", [name for name in LIES if name.endswith(("end", "full", "65535"))])
def test_memory_is_bounded(lie: str) -> None:
    read(TRUE)
    tracemalloc.start()
    try:
        attached, _ = read(LIES[lie])
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert attached.facts.port_path == "1-1"
    assert kept < MEMORY / 2
    assert peak < MEMORY


def test_no_more_is_asked_for_than_is_taken() -> None:
    _, session = read(LIES["a configuration of length 65535"])
    assert max(session.lengths) == MAX_LENGTH + 1


def test_a_configuration_is_taken_up_to_a_bound() -> None:
    most = (MAX_LENGTH - 9) // 9
    assert len(parse_configuration(configuration(interface() * most)).interfaces[0]) == most
    with pytest.raises(MalformedDescriptor, match="16384"):
        parse_configuration(configuration(interface() * (most + 1)))


def test_a_device_that_is_slow_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer comes just in time, and there are hundreds to ask for."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    several = {(CONFIGURATION, index): TRUE[CONFIGURATION, 0] for index in range(255)}
    said = {**TRUE, **several, (DEVICE, 0): device(configurations=255)}

    def late() -> None:
        now[0] += 0.95

    attached = bus_of({"1-1": ScriptedSession(said, tick=late)}).devices()[0]
    assert attached.facts.problem is not None
    assert now[0] < 10


# --- any descriptors -----------------------------------------------------------------------------

byte = st.integers(0, 255)
piece = st.one_of(
    st.builds(interface, byte, st.integers(0, 2), st.integers(0, 3), name=byte),
    st.builds(endpoint, byte, byte, st.integers(0, 0xFFFF), byte),
    st.binary(min_size=2, max_size=8),
    st.builds(lambda body: bytes([2 + len(body)]) + body, st.binary(max_size=12)),
    st.just(PAIR),
)
configurations = st.builds(
    lambda parts, total, count: configuration(*parts, total=total, interfaces=count),
    st.lists(piece, max_size=12),
    st.none() | st.integers(0, 0xFFFF),
    byte,
)
strings = st.binary(max_size=40) | st.builds(
    lambda text, length: string(text, length=length), st.text(max_size=60), st.none() | byte
)
devices = st.builds(
    lambda count, indices, cut: device(configurations=count, strings=indices)[:cut],
    st.sampled_from([0, 1, 1, 1, 2, 3, 255]),
    st.binary(min_size=3, max_size=3),
    st.sampled_from([18, 18, 18, 18, 8, 17]),
)
said = st.builds(
    lambda head, configs, texts, honest: {**(TRUE if honest else {}), **head, **configs, **texts},
    st.fixed_dictionaries({(DEVICE, 0): devices}),
    st.dictionaries(st.tuples(st.just(CONFIGURATION), st.integers(0, 3)), configurations),
    st.dictionaries(st.tuples(st.just(STRING), byte), strings, max_size=5),
    st.booleans(),
)


@settings(max_examples=120)
@given(said)
def test_whatever_a_device_says(said: Descriptors) -> None:
    session = ScriptedSession(said)
    found = bus_of({"1-1": session}).devices()
    assert len(found) == 1
    assert_harmless(found[0].facts)
    assert session.transfers <= REQUESTS
    use(found[0])


@settings(max_examples=120)
@given(strings)
def test_whatever_a_string_is(raw: bytes) -> None:
    facts = facts_of({**TRUE, (STRING, 3): raw})
    assert_harmless(facts)
    assert facts.product == "EP-100"


@settings(max_examples=120)
@given(configurations)
def test_a_configuration_has_only_what_its_bytes_hold(raw: bytes) -> None:
    try:
        parsed = parse_configuration(raw)
    except MalformedDescriptor:
        return
    settings_of = [setting for group in parsed.interfaces for setting in group]
    numbers = [group[0].bInterfaceNumber for group in parsed.interfaces]
    assert len(set(numbers)) == len(numbers) == parsed.bNumInterfaces
    assert 9 * len(settings_of) + 7 * sum(s.bNumEndpoints for s in settings_of) <= len(raw)


@settings(max_examples=60)
@given(st.lists(st.builds(Completion, st.integers(-200, 200), st.binary(max_size=64), byte)))
def test_whatever_a_bulk_endpoint_does(incoming: list[Completion]) -> None:
    session = ScriptedSession(TRUE, [c for c in incoming if c.length == len(c.data) or c.status])
    (attached,) = bus_of({"1-1": session}).devices()
    link = attached.open_bulk(attached.facts.interfaces[0])
    try:
        for _ in range(len(incoming) + 1):
            with suppress(UsbError):
                assert link.read(0.001)
            with suppress(UsbError):
                link.resync()
    finally:
        link.close()
