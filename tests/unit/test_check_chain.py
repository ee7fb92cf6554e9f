"""``check chain``: in the eyes of this computer, of a model, of a phone."""

from datetime import UTC, datetime

import pytest
from doubles.network import MemoryNetwork
from doubles.phone import MemoryPhone
from doubles.services import HOST, ROOT

from usbprov.checks import CheckResult, Verdict
from usbprov.engine.checks.chain import ChainCheck, ModelView, Viewer, chain_steps
from usbprov.engine.checks.sequence import run_steps
from usbprov.errors import ServerUnreachable, UsageError
from usbprov.phone.models import model_limits
from usbprov.pki.certificates import to_der
from usbprov.webservices.trust.servers import Role, server_address
from usbprov.webservices.trust.view import PhoneView


def check(viewer: Viewer | None, network: MemoryNetwork | None = None) -> CheckResult:
    steps = chain_steps([server_address(HOST)])
    (result,) = run_steps(steps, ChainCheck(network or MemoryNetwork(), viewer), {}, lambda _: None)
    return result


def model(name: str) -> ModelView:
    return ModelView(name, model_limits(name), frozenset({ROOT}))


def test_the_step_is_named_after_the_server() -> None:
    assert check(None).name == f"{HOST}:443"


def test_this_computer_and_a_model_without_limits_accept_it() -> None:
    assert check(None).verdict is Verdict.GOOD
    assert "by CN=Memory Root" in check(model("CX600")).seen


def test_a_model_that_does_not_know_the_algorithm() -> None:
    result = check(model("CX700"))
    assert result.code == "TLS-06"
    assert any("SHA-256" in line for line in result.detail)


def test_a_phone_with_and_without_the_root() -> None:
    old = MemoryPhone()
    assert check(PhoneView(old, old.info())).code == "TLS-05"
    old.add_root(to_der(ROOT))
    assert check(PhoneView(old, old.info())).verdict is Verdict.GOOD


def test_a_phone_whose_clock_is_wrong() -> None:
    slow = MemoryPhone(clock=datetime(2009, 1, 1, tzinfo=UTC))
    slow.add_root(to_der(ROOT))
    assert check(PhoneView(slow, slow.info())).code == "TLS-03"


def test_a_server_that_is_not_reached() -> None:
    network = MemoryNetwork(refusals={f"{HOST}:443": ServerUnreachable(HOST, "no")})
    assert check(None, network).code == "WEB-01"


def test_addresses() -> None:
    address = server_address("[::1]:5061")
    assert (address.role, address.host, address.port) == (Role.ANY, "::1", 5061)
    assert server_address("pool").port == 443
    for bad in ("", "https://pool/", "pool:x", "pool:0", "a@pool", "pool:99999"):
        with pytest.raises(UsageError):
            server_address(bad)
