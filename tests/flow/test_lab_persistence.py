"""What a lab keeps from one start to the next, and in what state its folder is."""

import json
import os
import stat
import subprocess
import sys
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from lab_client import Client, certificate, running_lab, seed

from usbprov.errors import ConfigInvalid, LabDependencyMissing, LabUnusable
from usbprov.lab.store import published
from usbprov.lab.up import Lab, LabOptions, lab_users

pytestmark = pytest.mark.timeout(60)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def port_of(lab):
    return int(lab.facts.web_services_url.split(":")[2].partition("/")[0])


def test_a_second_start_goes_on_with_ca_users_store_and_tickets(tmp_path):
    with running_lab(tmp_path, synthetic_users=2) as lab, Client(lab) as client:
        root, users, port = lab.facts.ca_file.read_bytes(), lab.facts.users, port_of(lab)
        ticket = client.ticket(users[0])
        first = certificate(client.publish(ticket))
        issuer = lab.facts.ca_file.with_name("web-services-ca.pem").read_bytes()
    with running_lab(tmp_path, https_port=port) as lab, Client(lab) as client:
        assert lab.facts.ca_file.read_bytes() == root
        assert lab.facts.ca_file.with_name("web-services-ca.pem").read_bytes() == issuer
        assert lab.facts.users == users
        (row,) = published(tmp_path)
        assert row.sha256 == first.fingerprint(hashes.SHA256()).hex()
        assert certificate(client.publish(ticket)).public_key() == first.public_key()


def test_a_pin_stays_locked_over_a_restart(tmp_path):
    with running_lab(tmp_path) as lab, Client(lab) as client:
        user = lab.facts.users[0]
        for _ in range(5):
            client.ask_ticket(user.extension, "000000")
    with running_lab(tmp_path) as lab, Client(lab) as client:
        assert client.ask_ticket(user.extension, user.pin).status == 500
        assert client.ticket(lab.facts.users[1])


def test_the_store_can_be_read_while_the_lab_runs_and_when_it_does_not(tmp_path):
    with running_lab(tmp_path) as lab, Client(lab) as client:
        client.publish(client.ticket(lab.facts.users[0]))
        running = published(tmp_path)
    assert [row.sip_uri for row in running] == ["sip:alice@contoso.test"]
    assert published(tmp_path) == running


def test_a_folder_without_a_lab(tmp_path):
    for look in (published, lab_users):
        with pytest.raises(LabUnusable, match="holds no lab"):
            look(tmp_path)


def test_lab_json_says_what_a_client_needs_and_is_private(tmp_path):
    with running_lab(tmp_path, sip_port=45061) as lab:
        path = tmp_path / "lab.json"
        said = json.loads(path.read_text())
        assert mode(path) == 0o600
        assert set(said) == {
            "web_services_url", "web_ticket_url", "chain_url", "autodiscover_url", "registrar",
            "ca_file", "bus", "users", "pid",
        }  # fmt: skip
        assert said["web_services_url"].endswith("/CertProv/CertProvisioningService.svc")
        assert said["registrar"] == "localhost:45061"
        assert said["bus"] is None
        assert said["pid"] == os.getpid()
        assert [user["extension"] for user in said["users"]] == ["1001", "1002", "1003"]
        assert set(said["users"][0]) == {
            "sip_uri", "extension", "pin", "user_name", "domain", "password", "home_pool",
            "phone_number", "pin_state",
        }  # fmt: skip
        assert "720511" not in repr(lab.facts)
    assert not path.exists()


def test_everything_in_the_folder_is_private_but_the_public_certificates(tmp_path):
    with running_lab(tmp_path) as lab, Client(lab) as client:
        client.publish(client.ticket(lab.facts.users[0]))
        assert mode(tmp_path) == mode(tmp_path / "authority") == mode(tmp_path / "stores") == 0o700
        public = {"root-ca.pem", "web-services-ca.pem"}
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {"faults.sqlite", "calls.log", "windows-accounts"} <= {path.name for path in files}
        readable = {p.name for p in files if mode(p) & 0o077 and not p.name.startswith("lock")}
    assert readable == public


def test_two_labs_in_one_folder_are_refused(tmp_path):
    with running_lab(tmp_path):
        with pytest.raises(LabUnusable, match="another lab is running"):
            Lab(LabOptions(tmp_path)).start()
        assert (tmp_path / "lab.json").exists()
    with running_lab(tmp_path):
        pass


def test_a_lab_that_was_killed_leaves_nothing_in_the_way(tmp_path):
    code = (
        "import sys, time, pathlib; from usbprov.lab.up import Lab, LabOptions\n"
        "Lab(LabOptions(pathlib.Path(sys.argv[1]))).start(); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, seed(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"up\n"
        child.kill()
    old = json.loads((tmp_path / "lab.json").read_text())
    with running_lab(tmp_path) as lab:
        new = json.loads((tmp_path / "lab.json").read_text())
        assert new["pid"] == os.getpid() != old["pid"]
        assert lab.facts.users


def test_users_of_a_file_are_kept_for_the_next_start(tmp_path):
    file = tmp_path / "given.toml"
    file.write_text(
        '[[users]]\nsip_uri = "sip:dora@fabrikam.test"\nextension = "+4930123"\n'
        'pin = "1234567"\npassword = "pässword \\" 1"\n'
    )
    with running_lab(tmp_path / "lab", users_file=file) as lab:
        (dora,) = lab.facts.users
    assert dora.home_pool == "pool01.fabrikam.test"
    with running_lab(tmp_path / "lab") as lab, Client(lab) as client:
        assert lab.facts.users == (dora,) == lab_users(tmp_path / "lab")
        assert client.ticket(dora).user == "sip:dora@fabrikam.test"
    assert mode(tmp_path / "lab" / "users.toml") == 0o600


def test_a_wrong_users_file_starts_nothing(tmp_path):
    file = tmp_path / "users.toml"
    file.write_text("[[users]]\npin = 'x'\n")
    with pytest.raises(ConfigInvalid, match=r"users\.toml: user 1 has no sip_uri"):
        Lab(LabOptions(tmp_path / "lab", users_file=file)).start()
    assert not (tmp_path / "lab" / "lab.json").exists()


def test_damaged_keys_are_named(tmp_path):
    folder = seed(tmp_path)
    (folder / "authority" / "web-ticket.pem").write_text("damaged")
    with pytest.raises(LabUnusable, match=r"web-ticket\.pem is damaged"):
        Lab(LabOptions(folder)).start()


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "signxml", None)
    with pytest.raises(LabDependencyMissing) as caught:
        Lab(LabOptions(tmp_path)).start()
    assert caught.value.library == "signxml"


def test_importing_up_loads_none_of_the_extra():
    heavy = (
        "{'lxml', 'signxml', 'spnego', 'starlette', 'uvicorn', 'cryptography', 'zeep', 'requests'}"
    )
    code = f"import sys, usbprov.lab.up; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wait_ends_when_told_and_when_the_server_is_gone(tmp_path):
    stop = threading.Event()
    with running_lab(tmp_path) as lab:
        threading.Timer(0.1, stop.set).start()
        lab.wait(stop)
        lab._served.stop()
        with pytest.raises(LabUnusable, match="has ended"):
            lab.wait(threading.Event())


def test_facts_are_there_only_while_the_lab_runs(tmp_path):
    lab = Lab(LabOptions(seed(tmp_path)))
    with pytest.raises(LabUnusable, match="not running"):
        _ = lab.facts
    with lab:
        assert lab.facts
    lab.stop()
    with pytest.raises(LabUnusable, match="not running"):
        _ = lab.facts


def test_starting_with_keys_at_hand_is_quick(tmp_path):
    seed(tmp_path)
    began = time.monotonic()
    with running_lab(tmp_path):
        assert time.monotonic() - began < 5
