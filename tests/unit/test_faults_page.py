"""docs/webservices.md says of each error, setting and bound what is true."""

import re
import tomllib
from pathlib import Path

import pytest

from usbprov import errors
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import ServiceError, TrustError, UsbprovError
from usbprov.net.deadline import DEFAULT_LIMITS
from usbprov.net.site import read_site
from usbprov.net.tls import _BY_VERIFY_CODE
from usbprov.webservices.adapters import load_pin_form
from usbprov.webservices.faults import TABLE
from usbprov.webservices.trust.download import read_form
from usbprov.webservices.xmlsafe import MAX_BYTES, MAX_TAGS

PAGE = (Path(__file__).parents[2] / "docs" / "webservices.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.replace("\n  ", "\n"), re.DOTALL)
ROWS = re.findall(r"^\| .* \| ((?:WEB|TLS)-\d\d) (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)


def block(words: str) -> str:
    return next(text for text in BLOCKS if words in text)


def test_every_error_of_the_servers_is_in_the_table() -> None:
    named = {name for _, name, _ in ROWS}
    services = {error.__name__ for error in leaves(ServiceError)} | {"CredentialRefused"}
    assert services <= named
    assert named - services <= {error.__name__ for error in leaves(TrustError)}


def leaves(kind: type[UsbprovError]) -> list[type[UsbprovError]]:
    below = kind.__subclasses__()
    return [kind] if not below else [leaf for child in below for leaf in leaves(child)]


@pytest.mark.parametrize(("code", "name", "manner"), ROWS)
def test_code_and_manner_are_those_of_the_class(code: str, name: str, manner: str) -> None:
    error: type[UsbprovError] = getattr(errors, name)
    assert error.code == code
    assert manner == ("passing" if error.retryable else "final")


def test_every_number_of_the_table_is_on_the_page() -> None:
    numbers = {number for sign, _ in TABLE for number in sign.ids}
    assert numbers == {int(number) for number in re.findall(r"\b28\d{3}\b", PAGE)}


def test_every_check_of_tls_is_on_the_page() -> None:
    for check in {check for _, check in _BY_VERIFY_CODE.values()} | {"protocol", "handshake"}:
        assert f"`{check}`" in PAGE


def test_the_bounds_are_the_true_ones() -> None:
    policy, limits = RetryPolicy(), DEFAULT_LIMITS
    assert f"at most {policy.attempts} times within `--retry-seconds` ({policy.seconds:g})" in PAGE
    assert f"{limits.connect:g} seconds for a connection, {limits.answer:g} for a whole" in PAGE
    assert MAX_BYTES == 1 << 20
    assert f"{MAX_TAGS:,} tags" in PAGE


def test_the_settings_on_the_page_can_be_used() -> None:
    source = Path("/etc/usbprov/config.toml")
    servers = read_site(tomllib.loads(block("min_tls")), source)
    assert servers.old_tls() == ("oldpool.contoso.com (TLS 1.0 or newer)",)
    adapters = read_site(tomllib.loads(block("[adapters]")), source)
    assert adapters.pin_form == source.parent / "pin.toml"
    assert adapters.chain_form == source.parent / "chain.toml"


def test_the_forms_on_the_page_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "form.toml"
    file.write_text(block("# pin.toml"), "utf-8")
    assert {element.encoding for element in load_pin_form(file).elements} == {"text", "base64"}
    file.write_text(block("# chain.toml"), "utf-8")
    assert read_form(file).element == "Chain"
