"""The web board as a browser comes to it: the link that the program says, and the session."""

import http.client
import json
import re

_LINK = re.compile(r"Board: http://127\.0\.0\.1:(\d+)/#token=(\S+)\n")


def link_in(said: str) -> tuple[int, str] | None:
    """Return port and token of the link in whole lines of standard error, or None."""
    found = _LINK.search(said)
    return (int(found[1]), found[2]) if found else None


def session(connection: http.client.HTTPConnection, token: str) -> tuple[int, dict[str, str]]:
    """Ask to be let in; return the status, and the headers of whoever is: cookie, command key."""
    connection.request("POST", "/session", headers={"X-Board-Token": token})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    if answer.status != http.client.OK:
        return answer.status, {}
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    return answer.status, {"Cookie": cookie, "X-Board-Command": told["command"]}
