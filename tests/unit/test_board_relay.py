"""Between feed and browsers: first everything, then what is newer; foreign text made harmless."""

import json
import threading

import pytest
from doubles.stage import Stage, hub_of

from usbprov.bench.states import PortState
from usbprov.bench.web import wire
from usbprov.bench.web.relay import Relay
from usbprov.bench.web.stream import event


@pytest.fixture
def stage():
    stage = Stage()
    stage.bench()
    return stage


@pytest.fixture
def relay(stage):
    relay = Relay(stage.feed, stage.map.name, stage.map.layout)
    relay.start()
    yield relay
    relay.close()


@pytest.fixture
def until(relay):
    """Wait until the news after a revision are as a question wants them; return them."""
    changed = threading.Event()
    relay.listen(changed.set)

    def wait(question, since=0, phones=0):
        while True:
            changed.clear()
            revision, count, told = relay.news(since, phones)
            if question(told):
                return revision, count, told
            assert changed.wait(20), told

    return wait


def labels(told):
    return [port["label"] for port in told["ports"]]


def test_first_everything_then_what_is_newer(stage, until):
    stage.plug("A1")
    stage.walk("A2")
    revision, phones, told = until(lambda news: len(news["ports"]) == 2 and news["finished"])
    assert told["whole"]
    assert [hub["name"] for hub in told["hubs"]] == ["Hub A", "Hub B"]
    assert [bench["name"] for bench in told["benches"]] == ["south"]

    stage.port("A1", PortState.KEY)
    _, _, told = until(lambda news: news["ports"], revision, phones)

    assert labels(told) == ["A1"]
    assert told["finished"] == []
    assert not {"whole", "hubs", "steps"} & set(told)


def test_nothing_is_missed_by_who_was_there_before_anything(stage, relay, until):
    revision, phones, _ = relay.news(0, 0)
    stage.plug("A1")

    assert labels(until(lambda news: news["ports"], revision, phones)[2]) == ["A1"]


def test_a_port_beside_the_map_changes_the_layout(stage, until):
    revision, phones, _ = until(lambda news: news["benches"])
    stage.port("1-9.4", PortState.KEY)

    _, _, told = until(lambda news: news["ports"], revision, phones)
    guessed = told["hubs"][-1]
    assert guessed["guessed"]
    assert guessed["tiles"] == [{"label": "1-9.4", "row": 0, "column": 0}]


def test_ports_of_another_bench_have_their_own_labels(stage, until):
    other = Stage(hub_of("C", 1, 2), name="north")
    other.feed = stage.feed
    other.plug("C2")

    _, _, told = until(lambda news: len(news["hubs"]) == 3)
    assert told["hubs"][-1]["bench"] == "north"
    assert [tile["label"] for tile in told["hubs"][-1]["tiles"]] == ["C2"]


def test_without_a_name_the_first_bench_is_ours(stage):
    stage.plug("A1")
    relay = Relay(stage.feed, "", stage.map.layout)
    changed = threading.Event()
    relay.listen(changed.set)
    relay.start()
    assert changed.wait(20)
    relay.close()

    told = relay.news(0, 0)[2]
    assert relay.name == told["name"] == "south"
    assert [hub["bench"] for hub in told["hubs"]] == ["south", "south"]


def test_foreign_text_is_cleaned_and_cut(stage):
    view = stage.port("A1", PortState.KEY, phone="a\x1b[2J\n\u202eb", name="x" * 5000)

    port = wire.port(view)
    assert port["phone"] == "a\ufffd[2J \ufffdb"
    assert len(port["name"]) == 400


def test_an_event_is_one_line_of_ascii():
    written = event("state", {"name": "Zoë\r\ndata: x\u2028"})

    assert written.isascii()
    assert written.count(b"\n") == 3
    assert json.loads(written.split(b"data: ", 1)[1])["name"] == "Zoë\r\ndata: x\u2028"


@pytest.mark.parametrize("state", PortState)
def test_only_what_may_be_unplugged_is_said_to_be(stage, state):
    view = stage.port("A1", state)

    assert wire.port(view)["mayUnplug"] == (state in {PortState.DONE, PortState.EMPTY})
