"""The board's server lets in who has the link, and lets nobody else look or command."""

import gc
import http.client
import json
import socket
from contextlib import closing, suppress

import pytest
from board_client import session
from doubles.stage import Stage

from usbprov.bench.web import app, wire
from usbprov.bench.web.address import BoardAddress
from usbprov.bench.web.server import BoardServer
from usbprov.errors import BoardUnusable, NotNow, PinUnusable

TOKEN = "the-token-of-this-test"


@pytest.fixture
def stage():
    stage = Stage()
    stage.bench()
    stage.plug("A1")
    return stage


@pytest.fixture
def server(stage):
    with BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0), TOKEN) as server:
        yield server


@pytest.fixture
def ask(server):
    """Make a request on a connection of its own; return the status, the headers, the body."""

    def request(method, path, headers=None, body=None):
        with closing(http.client.HTTPConnection("127.0.0.1", server.address.port)) as connection:
            connection.request(method, path, body, {"Connection": "close"} | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    return request


def cookie_of(server):
    with closing(http.client.HTTPConnection("127.0.0.1", server.address.port)) as connection:
        return session(connection, TOKEN)[1]["Cookie"]


@pytest.fixture
def let_in(ask):
    """The headers of a page that was let in: cookie and command key."""
    status, headers, body = ask("POST", "/session", {"X-Board-Token": TOKEN})
    assert status == 200
    cookie = headers["set-cookie"].partition(";")[0]
    return {"Cookie": cookie, "X-Board-Command": json.loads(body)["command"]}


def order(name="retry", of="A1"):
    return json.dumps({"order": name, "of": of})


def test_the_page_tells_nothing_of_the_bench(ask):
    status, _, body = ask("GET", "/")

    assert status == 200
    assert b"south" not in body
    assert TOKEN.encode() not in body


def test_the_page_is_made_of_its_own_files(ask):
    _, headers, body = ask("GET", "/")
    paths = {part.split(b'"')[0].decode() for part in body.split(b'="/')[1:]}

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert b"<style" not in body
    assert b"style=" not in body
    assert body.count(b"<script") == body.count(b'src="/static/')
    assert b"http://" not in body
    assert b"https://" not in body
    assert {ask("GET", f"/{path}")[0] for path in paths} == {200}


def test_the_cookie_is_for_no_script_and_no_other_site(ask):
    _, headers, _ = ask("POST", "/session", {"X-Board-Token": TOKEN})

    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=strict" in headers["set-cookie"]
    assert TOKEN not in headers["set-cookie"]


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "\xe9"])
def test_without_the_token_there_is_no_cookie(ask, token):
    status, headers, _ = ask("POST", "/session", {} if token is None else {"X-Board-Token": token})

    assert status == 401
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["/session", "/events"])
def test_without_the_cookie_nothing_is_shown(ask, server, path):
    for cookie in ("", f"usbprov-board-{server.address.port}=x", "a=b"):
        status, _, body = ask("GET", path, {"Cookie": cookie})
        assert status == 401
        assert b"A1" not in body


def test_with_the_cookie_the_session_goes_on(ask, let_in):
    status, _, body = ask("GET", "/session", {"Cookie": let_in["Cookie"]})

    assert status == 200
    assert json.loads(body)["command"] == let_in["X-Board-Command"]


def test_an_order_is_carried_out(ask, let_in, stage):
    status, _, body = ask("POST", "/order", let_in, order())

    assert (status, json.loads(body)) == (200, {"said": "A1: is tried again."})
    assert stage.orders == [("retry", "A1")]


@pytest.mark.parametrize("lacking", ["Cookie", "X-Board-Command"])
def test_an_order_needs_cookie_and_key(ask, let_in, stage, lacking):
    headers = {name: value for name, value in let_in.items() if name != lacking}

    assert ask("POST", "/order", headers, order())[0] == 401
    assert ask("POST", "/order", let_in | {lacking: "x"}, order())[0] == 401
    assert stage.orders == []


def test_the_token_is_not_the_command_key(ask, let_in):
    assert ask("POST", "/order", let_in | {"X-Board-Command": TOKEN}, order())[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        "[" * 2000,
        order("format", "A1"),
        order(of=""),
        order(of="x" * 257),
        order(of=7),
        order() + " " * 3000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_order_is_refused(ask, let_in, stage, body):
    assert ask("POST", "/order", let_in, body)[0] == 400
    assert stage.orders == []


def test_what_the_bench_refuses_is_said(ask, let_in, stage):
    stage.refusal = NotNow("A1", "retry", "key")
    status, _, body = ask("POST", "/order", let_in, order())

    assert status == 409
    assert json.loads(body) == {
        "problem": str(stage.refusal),
        "code": NotNow.code,
        "remedy": NotNow.remedy,
    }


def pin(value="720511", of="A1"):
    return json.dumps({"order": "pin", "of": of, "pin": value})


class TestPins:
    def test_it_is_handed_on_and_not_said_back(self, ask, let_in, stage, caplog):
        caplog.set_level("DEBUG")
        status, _, body = ask("POST", "/order", let_in, pin())

        assert (status, json.loads(body)) == (200, {"said": "A1: the PIN is taken."})
        assert stage.pins == ["720511"]
        assert "720511" not in caplog.text

    @pytest.mark.parametrize("lacking", ["Cookie", "X-Board-Command"])
    def test_it_needs_cookie_and_key(self, ask, let_in, stage, lacking):
        headers = {name: value for name, value in let_in.items() if name != lacking}

        assert ask("POST", "/order", headers, pin())[0] == 401
        assert stage.pins == []

    def test_another_page_may_not_give_one(self, ask, let_in, stage):
        headers = let_in | {"Origin": "http://evil.example"}

        assert ask("POST", "/order", headers, pin())[0] == 403
        assert stage.pins == []

    @pytest.mark.parametrize("value", [None, 720511, "", "1" * 300, ["720511"]])
    def test_what_is_none_is_refused(self, ask, let_in, stage, value):
        status, _, body = ask("POST", "/order", let_in, pin(value))

        assert status == 400
        assert b"720511" not in body
        assert stage.pins == []

    def test_what_the_bench_refuses_is_said_without_it(self, ask, let_in, stage):
        stage.refusal = PinUnusable("A1")
        status, _, body = ask("POST", "/order", let_in, pin("720-511"))

        assert status == 409
        assert json.loads(body)["code"] == PinUnusable.code
        assert b"720-511" not in body

    def test_it_is_taken_from_this_computer_only(self, ask, let_in, stage, monkeypatch):
        assert json.loads(ask("GET", "/session", let_in)[2])["private"] is True
        monkeypatch.setattr(app, "is_near", lambda client, server: False)

        assert json.loads(ask("GET", "/session", let_in)[2])["private"] is False
        status, _, body = ask("POST", "/order", let_in, pin())
        assert status == 403
        assert b"own computer" in body
        assert stage.pins == []
        assert ask("POST", "/order", let_in, order())[0] == 200


@pytest.mark.parametrize("path", ["/", "/static/board.js", "/session", "/events"])
def test_a_name_that_is_not_ours_is_refused(ask, let_in, server, path):
    for host in ("evil.example", f"evil.example:{server.address.port}", ""):
        assert ask("GET", path, let_in | {"Host": host})[0] == 403


def test_another_page_may_not_command(ask, let_in, server, stage):
    here = f"http://127.0.0.1:{server.address.port}"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"https{here[4:]}"):
        assert ask("POST", "/order", let_in | {"Origin": origin}, order())[0] == 403
    assert stage.orders == []
    assert ask("POST", "/order", let_in | {"Origin": here}, order())[0] == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/session", "/static/board.css", "/order"])
def test_every_answer_has_the_headers_that_protect(ask, path):
    _, headers, _ = ask("GET", path)

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/", "/x"])
def test_no_other_file_is_served(ask, path):
    assert ask("GET", path)[0] == 404


def events(connection, headers):
    connection.request("GET", "/events", headers=headers)
    return connection.getresponse()


def test_the_state_is_streamed_and_the_end_is_told(stage, let_in, server):
    with closing(http.client.HTTPConnection("127.0.0.1", server.address.port)) as connection:
        answer = events(connection, {"Cookie": let_in["Cookie"]})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.readline() == b"event: state\n"
        assert json.loads(answer.readline().removeprefix(b"data: "))["whole"] is True

        server.__exit__(None, None, None)

        assert b"event: end\n" in answer.read()


def test_a_browser_that_takes_nothing_any_more_is_let_go_at_the_end(stage, monkeypatch):
    monkeypatch.setattr(wire, "_LONGEST", 1 << 20)  # more than the system takes for it
    for label in stage.map.labels:
        stage.plug(label, person="x" * 200_000)
    with socket.socket() as sleeper:
        sleeper.settimeout(20)
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0), TOKEN) as server:
            sleeper.connect(("127.0.0.1", server.address.port))
            host = f"127.0.0.1:{server.address.port}"
            lines = [
                "GET /events HTTP/1.1",
                f"Host: {host}",
                f"Cookie: {cookie_of(server)}",
                "",
                "",
            ]
            sleeper.sendall("\r\n".join(lines).encode())
            sleeper.recv(1)
        gc.collect()  # a connection that is left open is told of here
        with suppress(ConnectionResetError):
            while sleeper.recv(1 << 16):
                pass


def test_no_more_than_so_many_look_at_once(monkeypatch, let_in, server, ask):
    monkeypatch.setattr(app, "_MOST_STREAMS", 1)
    cookie = {"Cookie": let_in["Cookie"]}
    with closing(http.client.HTTPConnection("127.0.0.1", server.address.port)) as connection:
        events(connection, cookie).readline()
        assert ask("GET", "/events", cookie)[0] == 503


def test_the_token_is_in_the_link_only(server, caplog):
    assert server.url == f"http://127.0.0.1:{server.address.port}/#token={TOKEN}"
    assert TOKEN not in repr(server) + str(vars(server)) + caplog.text


def test_each_run_has_a_token_of_its_own(stage):
    first, second = (
        BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0)) for _ in range(2)
    )

    assert first.url != second.url
    assert len(first.url.partition("token=")[2]) >= 43


def test_a_port_that_is_taken_is_told(stage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = BoardAddress(taken.getsockname()[1])
        board = BoardServer(stage.feed, stage, stage.map.layout, address)
        with pytest.raises(BoardUnusable, match=r"cannot be served at 127\.0\.0\.1"):
            board.__enter__()


def test_a_host_that_does_not_exist_is_told(stage):
    board = BoardServer(stage.feed, stage, stage.map.layout, BoardAddress(0, "x" * 70 + ".invalid"))
    with pytest.raises(BoardUnusable):
        board.__enter__()
