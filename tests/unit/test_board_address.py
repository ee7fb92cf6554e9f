"""Where the board is served, and which names it answers to."""

import pytest

from usbprov.bench.web.address import BoardAddress, is_near

EVERYWHERE = "0.0.0.0"  # noqa: S104  # only spoken of


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
        ("0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("bench1:80", "bench1", 80, "bench1:80"),
        ("0.0.0.0:8080", EVERYWHERE, 8080, "0.0.0.0:8080"),
        ("[::1]:8080", "::1", 8080, "[::1]:8080"),
    ],
)
def test_an_address_is_read_and_written(text, host, port, written):
    address = BoardAddress.parse(text)

    assert (address.host, address.port, str(address)) == (host, port, written)


@pytest.mark.parametrize("text", ["", "x", "65536", "-1", ":8080", "::1:80", "[a]:80", "h:", "٣"])
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no \\[HOST:\\]PORT"):
        BoardAddress.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"])
def test_loopback(host):
    assert BoardAddress(1, host).is_loopback


@pytest.mark.parametrize("host", [EVERYWHERE, "192.0.2.1", "::", "bench1"])
def test_not_loopback(host):
    assert not BoardAddress(1, host).is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1:81", "localhost:81", "[::1]:81"])
def test_on_loopback_it_answers_to_loopbacks_names(host):
    assert BoardAddress(81).answers_to(host)


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1", "127.0.0.1:82", "evil.example:81", "192.0.2.1:81", "bench1:81"]
)
def test_on_loopback_it_answers_to_nothing_else(host):
    assert not BoardAddress(81).answers_to(host, frozenset({"bench1"}))


@pytest.mark.parametrize("host", ["192.0.2.1:81", "BENCH1:81", "[2001:db8::1]:81", "localhost:81"])
def test_on_a_network_it_answers_to_numbers_and_its_own_name(host):
    assert BoardAddress(81, EVERYWHERE).answers_to(host, frozenset({"bench1"}))


@pytest.mark.parametrize("host", ["evil.example:81", "bench1.evil.example:81", "192.0.2.1:80"])
def test_on_a_network_it_answers_to_no_other_name(host):
    assert not BoardAddress(81, EVERYWHERE).answers_to(host, frozenset({"bench1"}))


def test_a_browser_here_is_sent_to_an_address_that_it_can_reach():
    assert BoardAddress(8080, EVERYWHERE).url == "http://127.0.0.1:8080/"
    assert BoardAddress(8080, "::1").url == "http://[::1]:8080/"


@pytest.mark.parametrize(
    ("client", "server", "near"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.9", "0.0.0.0", True),  # noqa: S104  # a number that is compared
        ("::1", "::1", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.8", "192.0.2.7", False),
        ("2001:db8::1", "127.0.0.1", False),
        ("testclient", "testclient", False),
        ("", "", False),
    ],
)
def test_what_never_leaves_this_computer(client, server, near):
    assert is_near(client, server) is near
