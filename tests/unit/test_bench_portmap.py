"""The map of a bench's ports: labels, the layout of a board, its file, and how it is learnt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.bench.mapfile import map_text, read_map, write_map
from usbprov.bench.mapping import MapLearner
from usbprov.bench.portmap import Hub, PortMap, Tile, bus_identities
from usbprov.errors import PortMapInvalid, PortMapNotSaved, UsageError
from usbprov.usb.sysfs import SysfsDevice

HUB = Hub("A", (("A1", "A2"), ("", "A4")), {"1-1.1": "A1", "1-1.2": "A2", "1-1.4.4": "A4"})
USBIP = "usbip://127.0.0.1:3240"
MAP = PortMap("bench 1", (HUB, Hub("B", (("B1",),), {f"{USBIP}/1-1": "B1"})))


def test_labels_in_both_directions():
    assert MAP.label_of("1-1.4.4") == MAP.label_of("kernel/1-1.4.4") == "A4"
    assert MAP.address_of("b1") == f"{USBIP}/1-1"
    assert MAP.address_of("C1") is None
    assert MAP.labels == ("A1", "A2", "A4", "B1")


@pytest.mark.parametrize(
    ("uris", "address", "label"),
    [
        ((), "1-1.3", "1-1.3"),
        (("kernel",), "kernel/1-1.3", "1-1.3"),
        ((USBIP,), f"{USBIP}/1-7", "1-7"),
        (("kernel", USBIP), f"{USBIP}/1-7", "2:1-7"),
        (("kernel", USBIP), "1-7", "1-7"),
        (("tty:/dev/ttyS0",), "tty:/dev/ttyS0", "tty:/dev/ttyS0"),
    ],
)
def test_without_a_map_a_port_is_called_by_its_path(uris, address, label):
    assert PortMap(uris=uris).label_of(address) == label


def test_a_hub_lies_as_its_rows_say():
    layout, _ = MAP.layout()

    assert (layout.name, layout.rows, layout.columns, layout.is_guessed) == ("A", 2, 2, False)
    assert layout.tiles == (
        Tile("A1", "1-1.1", 0, 0),
        Tile("A2", "1-1.2", 0, 1),
        Tile("A4", "1-1.4.4", 1, 1),
    )


def test_what_the_map_lacks_is_guessed_from_the_paths():
    addresses = ["1-1.1", "1-10.2", "1-10.1.3", "1-3", "1-2.1", "1-2", f"{USBIP}/1-2"]
    guessed = {hub.name: hub for hub in MAP.layout(addresses) if hub.is_guessed}

    assert {name: [t.label for t in hub.tiles] for name, hub in guessed.items()} == {
        "bus 1": ["1-2", "1-3"],
        "1-2": ["1-2.1"],
        "1-10": ["1-10.1.3", "1-10.2"],
        USBIP: ["1-2"],
    }


@pytest.mark.parametrize(
    ("ports", "shape"), [(1, (1, 1)), (4, (1, 4)), (16, (4, 4)), (64, (8, 8)), (112, (7, 16))]
)
def test_a_guessed_hub_has_rows_that_fit_a_screen(ports, shape):
    (hub,) = PortMap().layout([f"1-1.{n // 8}.{n % 8}" for n in range(ports)])

    assert (hub.rows, hub.columns) == shape
    assert len({(t.row, t.column) for t in hub.tiles}) == ports
    assert all(t.row < hub.rows and t.column < hub.columns for t in hub.tiles)


def test_it_is_the_same_after_writing_and_reading(tmp_path):
    path = tmp_path / "bench.toml"
    full = PortMap('Bänk "1" \\', MAP.hubs, {1: "pci-0000:00:14.0 usb2"})
    write_map(path, full)

    assert read_map(path) == full
    write_map(path, PortMap())
    assert read_map(path) == PortMap()


def test_a_map_by_hand_needs_little(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(
        '[[hub]]\ncolumns = 2\n[hub.ports]\n"1-1.1" = "A"\n"1-1.2" = "B"\n"1-2" = "C"\n'
    )

    (hub,) = read_map(path).hubs
    assert hub.rows == (("A", "B"), ("C",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[bench", "TOML|Expected|expected|declar"),
        ("[bnech]\n", "unknown key 'bnech'"),
        ("[bench]\ncolour = 1\n", r"unknown key 'colour' in \[bench\]"),
        ("[bench]\nname = 3\n", "bench's name must be text"),
        ("[hub]\n", r"must be written \[\[hub\]\]"),
        ('[[hub]]\nname = "A"\n[[hub]]\nname = "a"\n', "hub a is there twice"),
        ('[[hub]]\n[hub.ports]\n"1-1" = "A"\n"1-2" = "a"\n', "label a is there twice"),
        (
            '[[hub]]\n[hub.ports]\n"1-1" = "A"\n[[hub]]\n[hub.ports]\n"kernel/1-1" = "B"\n',
            "port 1-1 is there twice",
        ),
        ('[[hub]]\n[hub.ports]\n"1-1" = 1\n', "hub 1: '' is no label"),
        ('[[hub]]\n[hub.ports]\n"1-1" = "2-1"\n', "label 2-1 looks like a port path"),
        ('[[hub]]\nrows = [["A"]]\n[hub.ports]\n"1-1" = "B"\n', "label B has a port and no place"),
        ('[[hub]]\nrows = ["A"]\n', "rows must be lists"),
        ("[[hub]]\ncolumns = 0\n", "columns must be a number from 1 to 64"),
        ('[buses]\nx = "pci"\n', "'x' is no number of a bus"),
        ("#" * (1 << 20) + "\n", "too big"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path, text, problem):
    path = tmp_path / "bench.toml"
    path.write_text(text)

    with pytest.raises(PortMapInvalid, match=problem):
        read_map(path)


def test_files_that_cannot_be_had_are_told(tmp_path):
    with pytest.raises(PortMapInvalid, match="No such file"):
        read_map(tmp_path / "bench.toml")
    with pytest.raises(PortMapNotSaved):
        write_map(tmp_path / "no" / "bench.toml", MAP)


def root_hub(number, speed, controller):
    path = f"devices/pci0000:00/{controller}"
    return SysfsDevice(f"usb{number}", number, 1, speed, controller_path=path)


def test_a_bus_is_known_by_its_controller_and_speed():
    tree = [root_hub(1, 480, "0000:00:14.0"), root_hub(2, 10000, "0000:00:14.0")]

    assert bus_identities(tree) == {1: "pci-0000:00:14.0 usb2", 2: "pci-0000:00:14.0 usb3"}


def test_bus_numbers_that_changed_are_translated():
    learnt = PortMap("b", (HUB,), {1: "x usb2", 2: "y usb2"})

    assert learnt.now({1: "y usb2", 3: "x usb2"}).address_of("A4") == "3-1.4.4"
    assert learnt.now({}) is learnt


def test_ports_of_a_controller_that_is_gone_are_not_mixed_up():
    learnt = PortMap("b", (HUB,), {1: "x usb2"}).now({1: "y usb2"})

    assert learnt.label_of("1-1.1") == "1-1.1"
    assert [tile.address for tile in learnt.layout()[0].tiles] == ["", "", ""]


def learner(columns=4, known=None, present=()):
    made = MapLearner(known or PortMap(), present)
    made.begin_hub("A", columns)
    return made


def test_ports_get_labels_in_the_order_in_which_they_are_plugged_into():
    learning = learner(2)

    assert learning.arrived(["1-1.1"]) == "1-1.1 is A1; next is A2"
    learning.left("1-1.1")
    learning.arrived(["1-1.3"])
    learning.arrived(["1-1.2"])
    assert learning.port_map().hubs == (
        Hub("A", (("A1", "A2"), ("A3",)), {"1-1.1": "A1", "1-1.3": "A2", "1-1.2": "A3"}),
    )
    assert learning.learnt == 3


def test_the_same_port_again_changes_nothing():
    learning = learner()
    learning.arrived(["1-1"])
    learning.left("1-1")

    assert learning.arrived(["1-1"]) == "1-1 is A1 already; plug into A2"
    assert learning.learnt == 1


def test_what_is_plugged_in_already_gets_no_label_before_it_was_away():
    learning = learner(present=["kernel/1-1"])

    assert learning.arrived(["1-1"]) == ""
    learning.left("1-1")
    assert learning.arrived(["1-1"]) == "1-1 is A1; next is A2"


def test_several_at_once_are_not_guessed():
    learning = learner()

    assert "several at once (1-1 and 1-2)" in learning.arrived(["1-1", "1-2"])
    assert learning.learnt == 0
    learning.left("1-1")
    assert learning.arrived(["1-1"]).startswith("1-1 is A1")


def test_a_port_is_taken_back_and_learnt_again():
    learning = learner()
    learning.arrived(["1-1"])
    learning.arrived(["1-2"])

    assert learning.undo() == "A2 is taken back; unplug, and plug into A2"
    learning.left("1-2")
    learning.arrived(["1-3"])
    assert learning.port_map().address_of("A2") == "1-3"
    learning.undo()
    learning.undo()
    assert learning.undo() == "there is nothing to take back"
    assert learning.port_map() == PortMap()


def test_a_broken_port_is_a_gap():
    learning = learner(2)
    learning.arrived(["1-1"])

    assert learning.skip() == "A2 stays without a port; plug into A3"
    learning.arrived(["1-3"])
    (hub,) = learning.port_map().layout()
    assert [(t.label, t.address, t.row, t.column) for t in hub.tiles] == [
        ("A1", "1-1", 0, 0),
        ("A2", "", 0, 1),
        ("A3", "1-3", 1, 0),
    ]


def test_labels_of_ones_own_are_counted_on():
    learning = learner()
    learning.name_next("left 09")
    learning.arrived(["1-1"])
    learning.arrived(["1-2"])
    assert learning.port_map().labels == ("left 09", "left 10")
    for label in ("LEFT 09", "", "x" * 17, "1-2"):
        with pytest.raises(UsageError):
            learning.name_next(label)


def test_hubs_are_learnt_one_after_the_other_and_beside_what_was_known():
    learning = learner(known=PortMap("b", (Hub("C", (("A1",),), {"9-1": "A1"}),)))
    assert learning.next_label == "A2"
    learning.arrived(["1-1"])
    learning.begin_hub("2", 8)
    learning.arrived(["1-2"])

    found = learning.port_map()
    assert [hub.name for hub in found.hubs] == ["C", "A", "2"]
    assert found.labels == ("A1", "A2", "2.1")
    with pytest.raises(UsageError, match="hub a already"):
        learning.begin_hub("a", 2)


PORTS = st.sampled_from(["1-1", "1-2", "1-3.1"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("arrived"), st.lists(PORTS, max_size=2)),
        st.tuples(st.just("left"), PORTS),
        st.tuples(st.sampled_from(["skip", "undo"])),
        st.tuples(st.just("name_next"), st.sampled_from(["A1", "B7", "zz"])),
        st.tuples(st.just("begin_hub"), st.sampled_from(["A", "B", "3"]), st.integers(1, 4)),
    ),
    max_size=20,
)


@given(ACTIONS)
def test_whatever_is_done_the_map_can_be_kept(tmp_path_factory, actions):
    learning = learner()
    for name, *arguments in actions:
        try:
            getattr(learning, name)(*arguments)
        except UsageError:
            continue
    path = tmp_path_factory.mktemp("map") / "bench.toml"
    path.write_text(map_text(learning.port_map()), "utf-8")

    assert read_map(path) == learning.port_map()
