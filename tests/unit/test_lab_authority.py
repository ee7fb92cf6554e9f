"""The lab's certificates: what they say, and how they are kept."""

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from lab_parts import NOW, identity, key

from usbprov.errors import LabUnusable
from usbprov.lab.authority import UserIssuer, open_authority
from usbprov.lab.files import write_atomic
from usbprov.lab.lock import FolderLock
from usbprov.lab.profiles import BACKDATING, Profile, Purpose, make_certificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab") / "authority"


@pytest.fixture(scope="module")
def authority(folder):
    return open_authority(folder, ["localhost"])


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def test_the_tree_of_the_tls_server(authority, folder):
    leaf, intermediate = x509.load_pem_x509_certificates(authority.server_file.read_bytes())
    intermediate.verify_directly_issued_by(authority.root.certificate)
    leaf.verify_directly_issued_by(intermediate)
    assert extension(leaf, x509.BasicConstraints).value.ca is False
    assert extension(intermediate, x509.BasicConstraints).value.path_length == 0
    for issuer, subject in ((authority.root.certificate, intermediate), (intermediate, leaf)):
        own = extension(issuer, x509.SubjectKeyIdentifier).value.digest
        assert extension(subject, x509.AuthorityKeyIdentifier).value.key_identifier == own
        assert extension(issuer, x509.KeyUsage).critical
        assert extension(issuer, x509.KeyUsage).value.key_cert_sign


def test_the_web_services_ca_is_apart_from_the_tls_ca(authority):
    services = authority.services.certificate
    assert services.subject == services.issuer
    assert services.subject.rfc4514_string() == "CN=Communications Server"
    assert services.public_key() != authority.root.certificate.public_key()


def test_keys_are_private_and_roots_are_not(authority, folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {
        "root-ca.pem", "web-services-ca.pem",
    }  # fmt: skip
    assert b"PRIVATE" not in (folder / "root-ca.pem").read_bytes()


def test_nothing_of_a_key_is_in_the_repr(authority):
    assert repr(authority.wrapping_key) not in repr(authority)
    assert "RSAPrivateKey" not in repr(authority)


def test_a_second_opening_makes_nothing_new(authority, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = open_authority(folder, ["localhost"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert again.wrapping_key == authority.wrapping_key


def test_another_host_gets_a_new_server_certificate_of_the_same_ca(authority, folder):
    before = authority.server_file.read_bytes()
    other = open_authority(folder, ["pool.contoso.test"])
    leaf, *_ = x509.load_pem_x509_certificates(other.server_file.read_bytes())
    names = extension(leaf, x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"pool.contoso.test", "localhost"}
    assert {str(a) for a in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert other.root.certificate == authority.root.certificate
    assert other.server_file.read_bytes() != before


def test_a_server_certificate_near_its_end_is_renewed(authority, folder):
    soon = datetime.now(UTC) + timedelta(days=360)
    renewed = open_authority(folder, ["localhost"], now=soon)
    leaf, *_ = x509.load_pem_x509_certificates(renewed.server_file.read_bytes())
    assert leaf.not_valid_after_utc > soon + timedelta(days=300)


@pytest.mark.parametrize("damage", ["other key", "no PEM", "short secret"])
def test_what_is_damaged_is_named(authority, folder, tmp_path, damage):
    import shutil

    copy = tmp_path / "authority"
    shutil.copytree(folder, copy)
    path = copy / "web-services.pem"
    if damage == "other key":
        root = (copy / "root.pem").read_bytes()
        certificate = path.read_bytes().partition(b"-----BEGIN CERTIFICATE")[2]
        path.write_bytes(
            root.partition(b"-----BEGIN CERT")[0] + b"-----BEGIN CERTIFICATE" + certificate
        )
    elif damage == "no PEM":
        path.write_bytes(b"")
    else:
        path = copy / "wrapping.key"
        path.write_bytes(b"short")
    with pytest.raises(LabUnusable, match=f"{path.name} is damaged"):
        open_authority(copy, ["localhost"])


def test_the_lab_begins_where_a_crash_left_it(authority, folder, tmp_path):
    """Any subset of the files is a good beginning: the rest is made, what is there is kept."""
    import shutil

    copy = tmp_path / "authority"
    shutil.copytree(folder, copy)
    for name in ("server.pem", "root-ca.pem", "wrapping.key"):
        (copy / name).unlink()
    found = open_authority(copy, ["localhost"])
    assert found.root.certificate == authority.root.certificate
    assert len(found.wrapping_key) == 32
    assert found.root_file.exists()


def test_user_certificates_begin_a_little_in_the_past():
    issued = UserIssuer(identity()).issue(key(1).public_key(), "alice@contoso.test", NOW)
    assert issued.not_valid_before_utc == NOW - BACKDATING
    assert issued.not_valid_after_utc == NOW + timedelta(days=180)
    issued.verify_directly_issued_by(identity().certificate)


def test_an_authority_signs_certificates_and_a_signer_of_tickets_does_not():
    def usage(purpose):
        made = make_certificate(
            Profile("x", purpose, timedelta(days=1)), key().public_key(), key(), NOW
        )
        return extension(made, x509.KeyUsage).value

    assert usage(Purpose.AUTHORITY).key_cert_sign
    assert not usage(Purpose.SIGNING).key_cert_sign
    assert not usage(Purpose.CLIENT).key_cert_sign


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LabUnusable, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_held_once_and_can_be_taken_again(tmp_path):
    first, second = (FolderLock(tmp_path / "lock", "another lab") for _ in range(2))
    first.acquire()
    with pytest.raises(LabUnusable, match="another lab is running"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(LabUnusable):
        FolderLock(tmp_path / "none" / "lock", "another lab").acquire()
