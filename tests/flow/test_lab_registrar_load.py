"""Many at once at the lab's Registrar, and connections that are no good."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from doubles.sip_client import TLS12, InnerTls, SipConnection, sip_user
from lab_client import running_lab
from registrar_parts import ALICE, enrol

from usbprov.lab.registrar.signins import sign_ins

pytestmark = pytest.mark.timeout(90)
AT_ONCE = 24


def test_many_devices_sign_in_at_once(tmp_path):
    with running_lab(tmp_path) as lab:
        made = {f"{number:010x}": None for number in range(AT_ONCE)}
        made = {epid: enrol(lab, epid=epid) for epid in made}
        together = threading.Barrier(AT_ONCE)

        def sign_in(epid):
            with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE, epid=epid) as user:
                together.wait(30)
                user.handshake(InnerTls(made[epid].certificate, made[epid].key, TLS12))
                answer = user.signed()
                return answer.status, user.is_signed(answer), user.signed(Expires="0").status

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert set(pool.map(sign_in, made)) == {(200, True, 200)}
    assert [one.outcome for one in sign_ins(tmp_path)] == ["signed out"] * AT_ONCE


def test_a_client_that_says_nothing_holds_nobody_up(tmp_path):
    """Neither other clients, nor the end of the lab."""
    with running_lab(tmp_path) as lab:
        host, _, port = lab.facts.registrar.rpartition(":")
        silent = socket.create_connection((host, int(port)))
        half = SipConnection(lab.facts.registrar, lab.facts.ca_file)
        half.send(b"REGISTER sip:contoso.test SIP/2.0\r\nVia: ")
        with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
            assert user.ask().status == 401
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert half.receive() == b""
    half.close()
    silent.close()


def test_a_client_that_does_not_speak_tls_is_left(tmp_path):
    with running_lab(tmp_path) as lab:
        host, _, port = lab.facts.registrar.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=15) as plain:
            plain.sendall(b"REGISTER sip:contoso.test SIP/2.0\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):  # or it ends in good order
                while plain.recv(4096):
                    pass
        with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
            assert user.ask().status == 401
