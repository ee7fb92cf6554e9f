"""Sources: what each gives, what it says when it cannot, and what is never sent in the clear."""

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
from doubles.certificates import issue

from usbprov.errors import ConfigInvalid, ObjectUnreadable, UsageError
from usbprov.net.site import Site, read_site
from usbprov.pki.certificates import to_der, to_pem
from usbprov.webservices.trust.directory import (
    Bind,
    DirectoryAddress,
    DirectorySource,
    directory_address,
)
from usbprov.webservices.trust.download import (
    GUESS,
    ChainForm,
    anonymous_url,
    download_url,
    read_form,
    site_form,
)
from usbprov.webservices.trust.servers import (
    Role,
    ServerAddress,
    registrar_address,
    web_services_address,
)
from usbprov.webservices.trust.sources import FileSource, SystemSource, gather

ROOT, OTHER = issue("Root").certificate, issue("Other").certificate


def test_a_file_gives_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(to_pem([ROOT, OTHER]))
    given = gather(FileSource(path))
    assert given.certificates == (ROOT, OTHER)
    assert (given.where, given.protected, given.error) == (str(path), True, None)


@pytest.mark.parametrize(("content", "kind"), [(None, ConfigInvalid), (b"no", ObjectUnreadable)])
def test_a_file_that_gives_nothing_says_why(
    tmp_path: Path, content: bytes | None, kind: type[Exception]
) -> None:
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    given = gather(FileSource(path))
    assert given.certificates == ()
    assert isinstance(given.error, kind)
    assert str(path) in str(given.error)


def system(monkeypatch: pytest.MonkeyPatch, file: Path, folder: Path) -> SystemSource:
    paths = SimpleNamespace(openssl_cafile=str(file), openssl_capath=str(folder))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    return SystemSource()


def test_the_system_s_store_is_a_file_or_a_folder_or_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0123abcd.0").write_bytes(to_pem([ROOT]))
    (tmp_path / "deadbeef.0").write_bytes(b"damaged")
    (tmp_path / "ca-certificates.crt").write_bytes(to_pem([OTHER]))
    assert system(monkeypatch, tmp_path / "none", tmp_path).fetch() == (ROOT,)
    file = tmp_path / "ca-certificates.crt"
    assert set(system(monkeypatch, file, tmp_path).fetch()) == {ROOT, OTHER}
    assert system(monkeypatch, file, tmp_path / "none").fetch() == (OTHER,)


def test_this_computer_has_a_store() -> None:
    store = set(SystemSource().fetch())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    loaded = context.get_ca_certs(binary_form=True)
    assert set(loaded) <= {to_der(certificate) for certificate in store}


# --- the chain download


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://pool.contoso.test/A/B.svc", "http://pool.contoso.test/A/B.svc"),
        ("https://pool.contoso.test:4443/A", "http://pool.contoso.test/A"),
        ("https://[2001:db8::1]:4443/A", "http://[2001:db8::1]/A"),
    ],
)
def test_the_download_is_at_port_80_of_the_same_host(url: str, expected: str) -> None:
    assert anonymous_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://pool.contoso.test/",
        "ftp://pool.contoso.test/",
        "http:///x",
        "http://user@pool/",
        "http://pool:99999/",
        "http://pool:0/",
        "http://pool/\nHost: x",
        "http://pool/a b",
        "http://[::1/",
        "pool",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        download_url(url)


def test_a_site_s_own_form(tmp_path: Path) -> None:
    file = tmp_path / "chain.toml"
    file.write_text(
        'method = "POST"\npath = "/chain"\nbody = "<a/>"\nelement = "CertChain"\n'
        '[headers]\nSOAPAction = "\\"urn:x\\""\n'
    )
    settings = {"adapters": {"chain_download": "chain.toml"}}
    site = read_site(settings, tmp_path / "config.toml")
    form = site_form(site.chain_form)
    assert form == ChainForm("POST", "/chain", {"SOAPAction": '"urn:x"'}, "<a/>", "CertChain")
    assert site_form(Site().chain_form) == GUESS


@pytest.mark.parametrize(
    "text",
    [
        'verb = "GET"',
        'method = "DELETE"',
        "method = 1",
        'path = "/a b"',
        'path = "/a\\r\\nX: y"',
        '[headers]\nA = "b\\r\\nc"',
        "no toml",
    ],
)
def test_a_wrong_form_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chain.toml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid, match=r"chain\.toml"):
        read_form(file)
    with pytest.raises(ConfigInvalid):
        read_form(tmp_path / "none")


# --- the directory


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ldap://dc1", DirectoryAddress("dc1", 389, False)),
        ("ldaps://dc1.contoso.test", DirectoryAddress("dc1.contoso.test", 636, True)),
        (
            "ldap://dc1:3268/CN=Configuration,DC=contoso,DC=test",
            DirectoryAddress("dc1", 3268, False, "CN=Configuration,DC=contoso,DC=test"),
        ),
        ("ldap://dc1/CN=A%20B", DirectoryAddress("dc1", 389, False, "CN=A B")),
        ("ldaps://[2001:db8::1]", DirectoryAddress("2001:db8::1", 636, True)),
    ],
)
def test_addresses_of_directories(url: str, expected: DirectoryAddress) -> None:
    assert directory_address(url) == expected


@pytest.mark.parametrize(
    "url",
    ["http://dc1", "dc1", "ldap://", "ldap://u:p@dc1", "ldap://dc1:99999", "ldap://dc1/x?cn", ""],
)
def test_other_directories_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--ldap-url"):
        directory_address(url)


def test_a_password_goes_over_tls_only_unless_that_was_waived() -> None:
    plain, bind = directory_address("ldap://dc1"), Bind("alice", lambda: "secret")
    with pytest.raises(UsageError, match="in the clear"):
        DirectorySource(plain, bind)
    assert DirectorySource(plain, bind, start_tls=True).protected
    assert DirectorySource(directory_address("ldaps://dc1"), bind).protected
    assert not DirectorySource(plain, bind, plain_password=True).protected
    assert not DirectorySource(plain).protected
    assert "secret" not in repr(DirectorySource(plain, bind, start_tls=True))


# --- the servers


def test_addresses_of_servers() -> None:
    assert registrar_address("fe.contoso.test") == ServerAddress(
        Role.REGISTRAR, "fe.contoso.test", 5061
    )
    assert registrar_address("[2001:db8::1]:443").port == 443
    assert str(registrar_address("[2001:db8::1]:443")) == "[2001:db8::1]:443"
    assert web_services_address("https://pool.contoso.test").port == 443


@pytest.mark.parametrize("text", ["", ":5061", "a/b", "sip:a", "a:b", "a@b", "a:0", "a:70000"])
def test_no_registrar(text: str) -> None:
    with pytest.raises(UsageError, match="--registrar"):
        registrar_address(text)
