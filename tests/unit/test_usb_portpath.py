"""Port paths: reading, writing, sorting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.usb.portpath import PortPath

PATHS = st.builds(
    PortPath,
    st.integers(0, 99999),
    st.lists(st.integers(0, 255), min_size=1, max_size=7).map(tuple),
)


@given(PATHS)
def test_round_trip(path):
    assert PortPath.parse(str(path)) == path


def test_sorts_as_numbers():
    texts = ["10-1", "1-10", "1-2", "1-2.11", "1-2.3", "2-1", "1-2.3.1"]
    in_order = sorted(map(PortPath.parse, texts))
    assert list(map(str, in_order)) == ["1-2", "1-2.3", "1-2.3.1", "1-2.11", "1-10", "2-1", "10-1"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "usb1", "1", "1-", "-1", "1-1.", "1-1..2", "1-0:1.0", "1-1\n", " 1-1", "a-b"),
        *("1-\N{ARABIC-INDIC DIGIT ONE}", "1-1.1.1.1.1.1.1.1", "usbip-vudc.0", "123456-1"),
    ],
)
def test_refused(text):
    with pytest.raises(ValueError, match="is not a port path"):
        PortPath.parse(text)


@pytest.mark.parametrize(
    ("bus", "ports", "text"),
    [
        (1, (1, 4, 2), "1-1.4.2"),
        (3, [7], "3-7"),
        (1, None, None),
        (1, (), None),
        (None, (1,), None),
    ],
)
def test_of_pyusb_attributes(bus, ports, text):
    path = PortPath.of(bus, ports)
    assert (str(path) if path else None) == text
