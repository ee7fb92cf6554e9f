"""From the lab's Web Services to its Registrar: enrolled, replaced, moved, restarted, listed."""

import json

import pytest
from doubles.sip_client import TLS10, InnerTls, instance_of, sip_user
from lab_client import Client, certificate, running_lab, shared_key
from registrar_parts import ALICE

from usbprov.cli.main import run

pytestmark = pytest.mark.timeout(60)
EPIDS = ("2ebb6f264f", "0102030405")


def enrol(lab, epid):
    """Get a certificate at the Web Services, as a phone of that epid."""
    user = lab.facts.users[0]
    with Client(lab) as client:
        ticket = client.ticket(user)
        return certificate(client.publish(ticket, device=f"{{{instance_of(epid)}}}"))


def sign_in(lab, epid, made, registrar=None):
    """Sign in with it; return the last answer."""
    where = registrar or lab.facts.registrar
    with sip_user(where, lab.facts.ca_file, ALICE, epid=epid) as user:
        answer = user.handshake(InnerTls(made, shared_key(), TLS10))
        return user.signed() if user.client_key else answer


def test_each_device_of_a_user_signs_in(tmp_path):
    with running_lab(tmp_path) as lab:
        made = {epid: enrol(lab, epid) for epid in EPIDS}
        assert [sign_in(lab, epid, made[epid]).status for epid in EPIDS] == [200, 200]


def test_another_devices_certificate_may_make_the_first_go(tmp_path):
    with running_lab(tmp_path, policy=["certificates-per-user=1"]) as lab:
        made = {epid: enrol(lab, epid) for epid in EPIDS}
        first, second = (sign_in(lab, epid, made[epid]) for epid in EPIDS)
    assert (first.status, first.diagnostic, second.status) == (401, 1000, 200)


def test_a_certificate_outlives_a_restart(tmp_path):
    with running_lab(tmp_path) as lab:
        made = enrol(lab, EPIDS[0])
    with running_lab(tmp_path) as lab:
        assert sign_in(lab, EPIDS[0], made).status == 200


def test_who_is_moved_enrols_and_signs_in_at_his_new_pool(tmp_path, capsys):
    with running_lab(tmp_path) as lab:
        arguments = ("lab", "move", ALICE, "pool02.contoso.test", "--dir", str(tmp_path))
        assert run(arguments) == 0
        assert capsys.readouterr().out == f"{ALICE} moved to pool02.contoso.test\n"
        made = enrol(lab, EPIDS[0])
        assert run(["lab", "published", "--dir", str(tmp_path), "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["pool"] == "pool02.contoso.test"
        sent = sign_in(lab, EPIDS[0], made)
        assert sent.status == 301
        there = sent.one("Contact").removeprefix("<sip:").partition(";")[0]
        assert sign_in(lab, EPIDS[0], made, there).status == 200
    with running_lab(tmp_path) as lab:  # now both pools are the first Registrar's
        assert sign_in(lab, EPIDS[0], made).status == 200


def test_the_list_as_a_table_and_as_json(tmp_path, capsys):
    with running_lab(tmp_path) as lab:
        assert sign_in(lab, EPIDS[0], enrol(lab, EPIDS[0])).status == 200
    assert run(["lab", "sign-ins", "--dir", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["sip_uri"], row["scheme"], row["protocol"]) == (ALICE, "TLS-DSK", "TLS 1.0")
    assert row["device_id"] == str(instance_of(EPIDS[0]))
    assert row["outcome"] == "connection closed"
    assert run(["lab", "sign-ins", "--dir", str(tmp_path)]) == 0
    assert ALICE in capsys.readouterr().out


@pytest.mark.parametrize("command", [("sign-ins",), ("move", ALICE, "pool02.contoso.test")])
def test_a_folder_that_holds_no_lab(tmp_path, capsys, command):
    assert run(["lab", *command, "--dir", str(tmp_path)]) != 0
    assert "holds no lab" in capsys.readouterr().err
