"""Which addresses may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import AnswerInvalid, UsageError
from usbprov.webservices.urls import checked, host_of, port_of, server_of, service_url

SERVICE = "https://pool.contoso.com/CertProv/CertProvisioningService.svc"


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        (SERVICE, SERVICE),
        (f" {SERVICE}/mex ", SERVICE),
        (f"{SERVICE}/", SERVICE),
        ("https://pool.contoso.com", SERVICE),
        ("https://pool.contoso.com/", SERVICE),
        ("https://[::1]:4443/x", "https://[::1]:4443/x"),
    ],
)
def test_users_url_is_normalised(given_url: str, used: str) -> None:
    assert service_url(given_url) == used


@pytest.mark.parametrize(
    "given_url",
    [
        "",
        "pool.contoso.com",
        "http://pool.contoso.com/",
        "https://",
        "https://alice:secret@pool.contoso.com/",
        "https://pool.contoso.com:99999/",
        "https://pool.contoso.com:0/",
        "https://[::1/",
        "https://pool.contoso.com/x?y=z",
        "https://pool.contoso.com/#f",
        "https://pool.contoso.com/a b",
        "https://pöol.contoso.com/",
    ],
)
def test_unusable_url_is_refused(given_url: str) -> None:
    with pytest.raises(UsageError, match="must look like https://"):
        service_url(given_url)


def test_parts_of_a_url() -> None:
    assert (host_of("https://Pool.Test/x"), port_of("https://pool.test")) == ("pool.test", 443)
    assert server_of("https://pool.test:443/x") == "pool.test"
    assert server_of("https://pool.test:4443/x") == "pool.test:4443"


def test_named_address_may_be_on_another_port_of_the_host() -> None:
    url = "https://POOL.test:4443/x"
    assert checked(url, "pool.test", told_by="pool.test") == url


@pytest.mark.parametrize(
    "location",
    [
        "http://pool.test/x",
        "https://evil.test/x",
        "https://pool.test.evil.test/x",
        "https://pool.test@evil.test/x",
        "https://evil.test\\@pool.test/x",
        "//evil.test/x",
        "file:///etc/passwd",
        "https://pool.test/\nX-Evil: 1",
        "",
    ],
)
def test_address_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(AnswerInvalid):
        checked(location, "pool.test", told_by="pool.test")


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            assert host_of(checked(url, "pool.test", told_by="s")) == "pool.test"
        except AnswerInvalid:
            continue
