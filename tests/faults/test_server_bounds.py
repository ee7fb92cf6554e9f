"""No answer costs more than 64 MiB or lasts beyond its time, measured in a process of its own.

The process is warmed up first, so that what is measured is the answer and not the libraries.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from usbprov.lab.faults import FaultName, parse_fault
from usbprov.lab.up import Lab, LabOptions

MOST_MEBIBYTES = 64
SECONDS = 2.0

MEASURE = """
import resource, sys
def mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""

TALK = f"""{MEASURE}
from pathlib import Path
from usbprov.errors import UsbprovError
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices.client import WebServices
from usbprov.net.deadline import TimeLimits
from usbprov.net.credentials import PinCredential
url, ca_file, extension, pin = sys.stdin.read().split()
endpoint, limits = Endpoint("2ebb6f264f"), TimeLimits(connect=5, answer={SECONDS})
with WebServices(url, ca_file=Path(ca_file), timeout=limits) as services:
    services.offer()
    services.ticket(PinCredential(extension, pin), endpoint, None)
    before = mebibytes()
    print("ready", flush=True)
    sys.stdin.close()
    open(sys.argv[1]).read()  # a pipe: waits until the fault is on
    try:
        services.ticket(PinCredential(extension, pin), endpoint, None)
    except UsbprovError as error:
        print(error.code, mebibytes() - before)
"""

READ = f"""{MEASURE}
import uuid
from usbprov.errors import UsbprovError
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices import faults, issue, metadata, publish, xmlsafe
from usbprov.webservices.session import Answer
small, endpoint = b"<a><b/></a>", Endpoint("2ebb6f264f")
def read(body):
    answer = Answer("https://pool.test/x", 200, {{}}, body)
    for reader in (
        lambda: faults.complaint_error(answer),
        lambda: publish.read_certificate(answer, uuid.uuid4()),
        lambda: metadata.read_metadata(xmlsafe.parse(body, "pool.test")),
        lambda: issue.read_ticket(xmlsafe.parse(body, "pool.test"), endpoint, bytes(32)),
    ):
        try:
            reader()
        except UsbprovError:
            pass
read(small)
before = mebibytes()
read(sys.stdin.buffer.read())
print(mebibytes() - before)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(LabOptions(dir=tmp_path_factory.mktemp("lab"))) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("huge-answer", "WEB-07"),
        ("gzip-bomb", "WEB-07"),
        ("dtd", "WEB-07"),
        ("garbage-xml", "WEB-07"),
        ("endless-body", "WEB-02"),
        ("slow=600", "WEB-02"),
    ],
)
def test_an_answer_of_the_lab_is_within_bounds(
    lab: Lab, tmp_path: Path, fault: str, code: str
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    facts, user = lab.facts, lab.facts.users[0]
    with subprocess.Popen(
        [sys.executable, "-c", TALK, str(gate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        words = (facts.web_services_url, str(facts.ca_file), user.extension, user.pin)
        client.stdin.write("\n".join(words))
        client.stdin.close()
        assert client.stdout.readline() == "ready\n"
        lab.faults.switch_on(parse_fault(fault))
        began = time.monotonic()
        gate.write_text("")
        told, mebibytes = client.stdout.readline().split()
        seconds = time.monotonic() - began
    lab.faults.switch_off(FaultName(fault.partition("=")[0]))
    assert told == code
    assert float(mebibytes) < MOST_MEBIBYTES
    assert seconds < SECONDS + 8


SOAP = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body>'
    "</s:Envelope>"
)
TICKET = (
    '<RequestSecurityTokenResponse><RequestedSecurityToken><Assertion AssertionID="a">'
    "<NameIdentifier>sip:a@b</NameIdentifier></Assertion></RequestedSecurityToken>"
    "<Lifetime><Expires>2030-01-01T00:00:00Z</Expires></Lifetime>"
    "<Entropy><BinarySecret>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</BinarySecret></Entropy>"
    "%s</RequestSecurityTokenResponse>"
)
FAULT = "<s:Fault><faultcode>s:Client</faultcode><faultstring>%s</faultstring></s:Fault>"
INFO = "<GetAndPublishCertResponse><ErrorInfo>%s</ErrorInfo></GetAndPublishCertResponse>"
MEBIBYTE = 1 << 20


def filled(piece: str, frame: str = "%s", count: int | None = None) -> bytes:
    """Fill an answer with a piece, up to the largest size that is read, or as often as said."""
    empty = len(SOAP % (frame % ""))
    times = count or (MEBIBYTE - empty) // len(piece)
    return (SOAP % (frame % (piece * times))).encode()


def attributes(kind: str, count: int) -> bytes:
    return filled("<a " + " ".join(kind.format(number) for number in range(count)) + "/>", count=1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(filled("<a/>"), id="elements"),
        pytest.param(filled("<a/>", TICKET), id="elements-in-ticket"),
        pytest.param(filled("<a>b</a>", TICKET, 9_900), id="as-many-elements-as-may-be"),
        pytest.param(filled("<a>b</a>", INFO, 9_900), id="as-many-elements-in-error-info"),
        pytest.param(filled("<BinarySecurityToken/>", INFO, 19_000), id="tokens"),
        pytest.param(filled('<a xmlns="b"/>', TICKET), id="namespaces"),
        pytest.param(attributes('a{}=""', 90_000), id="attributes"),
        pytest.param(attributes('xmlns:a{}="b"', 50_000), id="prefixes"),
        pytest.param(filled("<!---->", TICKET), id="comments"),
        pytest.param(filled("store ", FAULT), id="words-of-a-fault"),
        pytest.param(filled("PIN registrar ", FAULT), id="more-words"),
        pytest.param(filled("&lt;", FAULT), id="references"),
        pytest.param(("<a>" * 150_000).encode(), id="depth"),
        pytest.param(filled("<a>" * 9_000 + "</a>" * 9_000, count=1), id="closed-depth"),
        pytest.param(b"<!DOCTYPE a []>" + filled("x"), id="dtd"),
    ],
)
def test_a_hostile_shape_is_within_bounds(body: bytes) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", READ], input=body, capture_output=True, check=True, timeout=60
    )
    assert float(done.stdout) < MOST_MEBIBYTES
    assert time.monotonic() - began < 30
