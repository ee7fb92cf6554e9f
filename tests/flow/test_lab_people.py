"""Users files, home pools, settings and the request log, in a lab that runs."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from lab_client import Client, certificate, request, running_lab, shared_key, text

from usbprov.lab.store import published
from usbprov.lab.up import Lab, LabOptions
from usbprov.lab.users import write_users

pytestmark = pytest.mark.timeout(60)


def users_file(path, *rows, policy=""):
    tables = [
        "[[users]]\n" + "".join(f'{name} = "{value}"\n' for name, value in row.items())
        for row in rows
    ]
    path.write_text("\n".join([*tables, policy]))
    return path


def user(name, **more):
    return {
        "sip_uri": f"sip:{name}@contoso.test", "extension": f"10{len(name)}0", "pin": "4711",
        "password": f"Lab-{name}",
    } | more  # fmt: skip


def test_states_of_a_pin_from_the_file(tmp_path):
    number = {"phone_number": "+14255550100"}
    file = users_file(
        tmp_path / "users.toml",
        user("ann", **number),
        user("anna", **number),
        user("older", pin_state="expired"),
        {k: v for k, v in user("without", pin_state="unset").items() if k != "pin"},
    )
    with running_lab(tmp_path / "lab", users_file=file) as lab, Client(lab) as client:

        def error_id(extension: str) -> str:
            return text(client.ask_ticket(extension, "4711").body, "ErrorId")

        ann, _anna, expired, without = lab.facts.users
        assert error_id("+14255550100") == "28904"
        assert error_id(expired.extension) == "28903"
        assert error_id(without.extension) == "28902"
        assert client.ask_ticket("+14255550100;ext=1030", "4711").status == 200
        assert client.ask_ticket(ann.extension, "4711").status == 200
    with running_lab(tmp_path / "lab") as lab:
        assert lab.facts.users[3].pin_state == "unset", "kept for the next start"


def test_a_policy_from_the_file_and_over_it_from_the_options(tmp_path):
    file = users_file(
        tmp_path / "users.toml",
        user("ann"),
        policy="[policy]\nmin_key_bits = 3072\nvalidity_hours = 24\npin_tries = 1\n",
    )
    options = {"users_file": file, "policy": ["validity-hours=48"]}
    with running_lab(tmp_path / "lab", **options) as lab, Client(lab) as client:
        (ann,) = lab.facts.users
        ticket = client.ticket(ann)
        small = client.publish(ticket)
        assert text(small.body, "ErrorId") == "28925"
        found = certificate(client.publish(ticket, csr=request(shared_key(3072), "ann")))
        life = found.not_valid_after_utc - datetime.now(UTC)
        assert timedelta(hours=47) < life <= timedelta(hours=48)
        client.ask_ticket(ann.extension, "0000")
        assert text(client.ask_ticket(ann.extension, ann.pin).body, "ErrorId") == "28901"


LIFETIME = (
    "<wst:Lifetime><wsu:Created>2026-01-01T00:00:00Z</wsu:Created>"
    "<wsu:Expires>2026-01-0{0}T00:00:00Z</wsu:Expires></wst:Lifetime>"
)


@pytest.mark.parametrize(("days", "hours"), [(3, 48), (9, 72), (1, 8)])
def test_a_wished_validity_is_honoured_within_the_limits(tmp_path, days, hours):
    from lab_client import PUBLISH_ACTION, publish_message

    policy = ["validity-hours=10", "max-validity-hours=72"]
    with running_lab(tmp_path, policy=policy) as lab, Client(lab) as client:
        message = publish_message(client.ticket(lab.facts.users[0]))
        wish = LIFETIME.format(days)
        message = message.replace("<wstep:RequestID>", f"{wish}<wstep:RequestID>")
        found = certificate(client.post(client.proof_port, PUBLISH_ACTION, message))
        life = found.not_valid_after_utc - datetime.now(UTC)
        assert abs(life - timedelta(hours=hours)) < timedelta(minutes=2)
        broken = message.replace("2026-01-01T", "yesterday")
        refused = client.post(client.proof_port, PUBLISH_ACTION, broken)
        assert text(refused.body, "ErrorId") == "28921"


def test_a_user_who_is_moved_takes_everything_along(tmp_path):
    file = tmp_path / "users.toml"
    rows = [user("ann", home_pool="pool01.contoso.test"), user("bert")]
    with (
        running_lab(tmp_path / "lab", users_file=users_file(file, *rows)) as lab,
        Client(lab) as client,
    ):
        ann, bert = lab.facts.users
        for one in (ann, bert):
            certificate(client.publish(client.ticket(one)))
        for _ in range(5):
            client.ask_ticket(ann.extension, "0000")
    before = {row.sip_uri: row.sha256 for row in published(tmp_path / "lab")}
    rows[0]["home_pool"] = "pool02.contoso.test"
    with (
        running_lab(tmp_path / "lab", users_file=users_file(file, *rows)) as lab,
        Client(lab) as client,
    ):
        after = published(tmp_path / "lab")
        pools = {row.sip_uri: row.pool for row in after}
        assert pools == {ann.sip_uri: "pool02.contoso.test", bert.sip_uri: "pool01.contoso.test"}
        assert {row.sip_uri: row.sha256 for row in after} == before
        answer = client.ask_ticket(ann.extension, ann.pin)
        assert text(answer.body, "ErrorId") == "28901", "the PIN stays locked"


def test_every_pool_has_a_store_of_its_own(tmp_path):
    file = users_file(
        tmp_path / "users.toml",
        user("ann", home_pool="pool01.contoso.test"),
        user("bert", home_pool="pool02.contoso.test"),
    )
    with running_lab(tmp_path / "lab", users_file=file) as lab, Client(lab) as client:
        ann, bert = lab.facts.users
        tickets = [client.ticket(one) for one in (ann, bert)]
        (tmp_path / "lab" / "stores" / "pool02.contoso.test.sqlite").rename(tmp_path / "away")
        assert certificate(client.publish(tickets[0]))
        assert text(client.publish(tickets[1]).body, "ErrorId") == "28911"


# --- the request log ---


def test_each_call_is_a_line_with_what_came_of_it(tmp_path):
    shown = []
    with Lab(LabOptions(tmp_path, policy=["pin-tries=2"]), shown.append) as lab:
        alice = lab.facts.users[0]
        with Client(lab) as client:
            client.ask_ticket(alice.extension, "000000")
            client.publish(client.ticket(alice))
            client.ask("GET", "/%0A%1b[31m" + "x" * 300 + "?secret=1")
    # Only now: a call's line is written when its answer is on its way already.
    kept = (tmp_path / "calls.log").read_text().splitlines()
    assert kept == shown
    pin_mex, mex, refused, ticket, publish, odd = (line.partition("Z ")[2] for line in kept)
    assert mex.startswith("GET /CertProv/CertProvisioningService.svc/mex 200 ")
    assert pin_mex.startswith("GET /WebTicket/WebTicketService.svc/mex 200 ")
    assert refused.endswith("; refused, FailedAuthentication: wrong PIN for extension 1001")
    assert ticket.endswith("; ticket for sip:alice@contoso.test by PIN")
    assert "; certificate for sip:alice@contoso.test on 124841e4-" in publish
    assert odd.startswith("GET /\\n\\x1b[31mxxx")
    assert " 404 " in odd
    assert len(odd) < 200
    written = "\n".join(kept)
    for secret in (alice.pin, alice.password, "000000", "secret=1", "<"):
        assert secret not in written


def test_a_dropped_call_is_a_line_too(tmp_path):
    import http.client

    with (
        running_lab(tmp_path, faults=["drop-connection=1"]) as lab,
        Client(lab) as client,
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        client.ask_ticket("1001", "1")
    assert "dropped" in (tmp_path / "calls.log").read_text()
    assert "; fault drop-connection" in (tmp_path / "calls.log").read_text()


def test_calls_are_shown_live(tmp_path):
    command = [sys.executable, "-m", "usbprov", "lab", "up", "--dir", tmp_path, "--fault", "busy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        done = subprocess.run(
            [sys.executable, "-c", PROBE, tmp_path], capture_output=True, text=True, check=True
        )
        assert done.stdout == "200\n"
        assert "GET /WebTicket/WebTicketService.svc/mex 200" in process.stdout.readline()
        process.terminate()
        process.communicate(timeout=20)


PROBE = """
import json, pathlib, ssl, sys, urllib.request
facts = json.loads((pathlib.Path(sys.argv[1]) / "lab.json").read_text())
context = ssl.create_default_context(cafile=facts["ca_file"])
print(urllib.request.urlopen(facts["web_ticket_url"] + "/mex", context=context).status)
"""


def test_users_written_are_users_read(tmp_path):
    file = users_file(
        tmp_path / "users.toml", user("ann", phone_number="+49301", pin_state="expired")
    )
    with running_lab(tmp_path / "lab", users_file=file) as lab:
        users = lab.facts.users
    write_users(tmp_path / "again.toml", users)
    with running_lab(tmp_path / "other", users_file=tmp_path / "again.toml") as lab:
        assert lab.facts.users == users
