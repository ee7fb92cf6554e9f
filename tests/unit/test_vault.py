"""The vault: who gets which pair, what is never done, and what a crash leaves."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from usbprov.cli import keeping
from usbprov.errors import (
    AmbiguousPair,
    NoSuchPair,
    PairOfAnotherUser,
    VaultAltered,
    VaultPassphraseWrong,
    VaultUnusable,
)
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault import folder as folder_module
from usbprov.pki.vault.entry import Device
from usbprov.pki.vault.keys import Passphrase
from usbprov.pki.vault.vault import Vault
from usbprov.usb.locks import FileLock

CHEAP = Cost(1 << 10, 8, 1)
ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
OLD, NEW = Device("OLD1", "02:00:00:00:00:01"), Device("NEW1", "02:00:00:00:00:02")


@cache
def key(_number: int = 0) -> RSAPrivateKey:
    return generate_rsa()


def pkcs8() -> bytes:
    return to_pkcs8(key())


class Person:
    """Types the passphrase, and counts how often."""

    def __init__(self, words: str = "correct horse") -> None:
        self.words = words
        self.asked: list[bool] = []

    def __call__(self, new: bool) -> str:
        self.asked.append(new)
        return self.words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def vault(folder: Path, person: Person | None = None) -> Vault:
    return Vault(folder, person or Person(), cost=CHEAP)


def test_a_pair_that_was_stored_is_found_again_by_user_and_device(folder: Path) -> None:
    stored = vault(folder).store(ALICE, OLD, key())
    taken = vault(folder).take(ALICE.upper().replace("SIP:", "sip:"), OLD)
    assert taken is not None
    assert (taken.pkcs8, taken.entry, taken.replaced) == (pkcs8(), stored.entry, None)
    assert vault(folder).take(ALICE, NEW) is None
    assert vault(folder).take(BOB, OLD) is None


def test_it_is_readable_for_its_owner_only(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    (item,) = vault(folder).items()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(item.path.stat().st_mode) == 0o600


def test_the_passphrase_is_asked_for_once_and_only_when_it_is_needed(folder: Path) -> None:
    person = Person()
    at_work = vault(folder, person)
    assert at_work.take(ALICE, OLD) is None
    assert at_work.items() == []
    assert person.asked == []
    at_work.store(ALICE, OLD, key())
    at_work.store(ALICE, NEW, key(1))
    assert at_work.take(ALICE, OLD)
    assert person.asked == [True]
    another = Person()
    vault(folder, another).take(ALICE, OLD)
    assert another.asked == [False]


def test_a_mistyped_passphrase_stores_nothing_in_a_vault_that_has_another(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    before = contents(folder)
    for act in (
        lambda wrong: wrong.store(BOB, NEW, key(1)),
        lambda wrong: wrong.take(ALICE, OLD),
        lambda wrong: wrong.take(ALICE, NEW, "OLD1"),
        lambda wrong: wrong.export(wrong.items()[0], "another phrase"),
        lambda wrong: wrong.change_passphrase("another phrase"),
        lambda wrong: wrong.unlock(),
    ):
        with pytest.raises(VaultPassphraseWrong):
            act(vault(folder, Person("wrong")))
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["OLD1", "02:00:00:00:00:01", "02-00-00-00-00-01", "020000000001"])
def test_a_replacement_gets_the_pair_of_the_phone_it_replaces(folder: Path, name: str) -> None:
    vault(folder).store(ALICE, OLD, key())
    taken = vault(folder).take(ALICE, NEW, name)
    assert taken is not None
    assert (taken.pkcs8, taken.replaced, taken.entry.device) == (pkcs8(), OLD, NEW)
    assert [bound.device for bound in taken.entry.bindings] == [OLD, NEW]
    (item,) = vault(folder).items()
    assert item.stored is not None
    assert item.stored.entry == taken.entry
    again = vault(folder).take(ALICE, NEW, name)
    assert again is not None
    assert (again.pkcs8, again.replaced) == (pkcs8(), None)
    assert vault(folder).take(ALICE, OLD) is None


def test_a_key_is_never_given_to_another_user(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    before = contents(folder)
    with pytest.raises(PairOfAnotherUser) as caught:
        vault(folder).take(BOB, NEW, "OLD1")
    assert caught.value.owner == ALICE
    with pytest.raises(NoSuchPair):
        vault(folder).take(ALICE, NEW, "LOST9")
    assert contents(folder) == before


def test_a_pair_is_stored_once_and_for_one_user(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    before = contents(folder)
    for user, device in ((BOB, OLD), (ALICE, NEW)):
        with pytest.raises(VaultUnusable, match="stored already"):
            vault(folder).store(user, device, key())
    assert contents(folder) == before


def test_a_file_that_is_damaged_is_not_taken_for_none(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    vault(folder).store(BOB, NEW, key(1))
    damaged = vault(folder).select(ALICE).path
    data = bytearray(damaged.read_bytes())
    data[100] ^= 1
    damaged.write_bytes(data)
    assert vault(folder).take(BOB, NEW)
    with pytest.raises(VaultAltered):
        vault(folder).take(ALICE, OLD)
    with pytest.raises(VaultAltered):
        vault(folder).change_passphrase("another phrase")
    assert damaged.read_bytes() == data
    item = vault(folder).select(damaged.stem)
    assert isinstance(item.error, VaultAltered)
    with pytest.raises(VaultAltered):
        vault(folder).export(item, "another phrase")
    vault(folder).destroy(item)
    assert vault(folder).take(ALICE, OLD) is None


def test_one_pair_is_named_in_several_ways(folder: Path) -> None:
    stored = vault(folder).store(ALICE, OLD, key())
    vault(folder).store(BOB, NEW, key(1))
    for name in (stored.entry.sha256, stored.entry.sha256[:8].upper(), ALICE, "alice@contoso.test"):
        item = vault(folder).select(name).stored
        assert item is not None
        assert item.entry == stored.entry
    vault(folder).store(BOB, OLD, key(2))
    for name in (BOB, "OLD1"):
        with pytest.raises(AmbiguousPair) as caught:
            vault(folder).select(name)
        assert len(caught.value.pairs) == 2
    with pytest.raises(NoSuchPair):
        vault(folder).select(stored.entry.sha256[:7])


def test_the_newest_binding_counts_where_a_phone_has_two_pairs(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    own = vault(folder).store(ALICE, NEW, key(1))
    taken = vault(folder).take(ALICE, NEW, "OLD1")
    assert taken is not None
    assert taken.entry.bound >= own.entry.bound
    assert taken.pkcs8 == pkcs8()


def test_an_exported_key_opens_under_its_own_passphrase_only(folder: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    at_work = vault(folder)
    at_work.store(ALICE, OLD, key())
    pem = at_work.export(at_work.items()[0], "for the export").encode()
    exported = load_pem_private_key(pem, b"for the export")
    assert to_pkcs8(exported) == pkcs8()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r".+"):
        load_pem_private_key(pem, b"correct horse")


def test_another_passphrase(folder: Path) -> None:
    at_work = vault(folder)
    at_work.store(ALICE, OLD, key())
    at_work.store(BOB, NEW, key(1))
    assert at_work.change_passphrase("a new passphrase") == 2
    with pytest.raises(VaultPassphraseWrong):
        vault(folder).take(ALICE, OLD)
    taken = vault(folder, Person("a new passphrase")).take(ALICE, OLD)
    assert taken is not None
    assert taken.pkcs8 == pkcs8()


def test_a_change_of_passphrase_that_was_stopped_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault(folder).store(ALICE, OLD, key())
    vault(folder).store(BOB, NEW, key(1))
    with stopping_after(1, monkeypatch), pytest.raises(KeyboardInterrupt):
        vault(folder).change_passphrase("a new passphrase")
    assert vault(folder).change_passphrase("a new passphrase") == 1
    renewed = vault(folder, Person("a new passphrase"))
    assert renewed.take(ALICE, OLD)
    assert renewed.take(BOB, NEW)
    assert renewed.change_passphrase("a new passphrase") == 0


@contextmanager
def stopping_after(writes: int, patch: pytest.MonkeyPatch) -> Iterator[None]:
    left = [writes]
    write = folder_module.write_whole

    def stopped(path: Path, data: bytes, mode: int) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, data, mode)

    with patch.context() as within:
        within.setattr(folder_module, "write_whole", stopped)
        yield


def test_what_a_killed_program_left_is_destroyed(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    (item,) = vault(folder).items()
    left = folder / f".{item.path.name}.abc123"
    left.write_bytes(item.path.read_bytes())
    assert len(vault(folder).items()) == 1
    vault(folder).store(BOB, NEW, key(1))
    assert not left.exists()
    assert len(vault(folder).items()) == 2


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "vault"
    file.write_text("no folder")
    with pytest.raises(VaultUnusable):
        vault(file).items()
    with pytest.raises(VaultUnusable):
        vault(file).store(ALICE, OLD, key())
    assert file.read_text() == "no folder"


def test_what_is_no_file_of_the_vault_is_left_alone(folder: Path) -> None:
    vault(folder).store(ALICE, OLD, key())
    (folder / "README").write_text("mine")
    (folder / "folder.vault").mkdir()
    items = {item.path.name: item for item in vault(folder).items()}
    assert "README" not in items
    assert isinstance(items["folder.vault"].error, VaultUnusable)


def test_others_are_kept_out_while_it_writes(folder: Path) -> None:
    held: list[Path] = []

    @contextmanager
    def guard(lock: Path) -> Iterator[None]:
        held.append(lock)
        yield

    Vault(folder, Person(), cost=CHEAP, guard=guard).store(ALICE, OLD, key())
    assert held == [folder / ".lock"]


def test_times_are_those_of_the_storing(folder: Path) -> None:
    before = datetime.now(UTC)
    stored = vault(folder).store(ALICE, OLD, key())
    assert before <= stored.entry.made == stored.entry.bound <= datetime.now(UTC)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


CHANGING = """
import sys
from pathlib import Path
from usbprov.pki.vault import folder
from usbprov.pki.vault.vault import Vault
from usbprov.pki.scrypt import Cost

write = folder.write_whole
def told(path, data, mode):
    print("about to write", flush=True)
    write(path, data, mode)
    print("written", flush=True)
folder.write_whole = told
vault = Vault(Path(sys.argv[1]), lambda new: sys.argv[2], cost=Cost(1 << 10, 8, 1))
vault.change_passphrase(sys.argv[3])
"""


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_program_that_is_killed_leaves_each_file_old_or_new(folder: Path, lines: int) -> None:
    vault(folder).store(ALICE, OLD, key())
    vault(folder).store(BOB, NEW, key(1))
    words = ("correct horse", "another phrase")
    with subprocess.Popen(
        [sys.executable, "-c", CHANGING, folder, *words], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
    opened = [
        [item.path for item in vault(folder).items() if opens(folder, item.path, each)]
        for each in words
    ]
    assert sorted(opened[0] + opened[1]) == sorted(folder.glob("*.vault"))
    vault(folder).change_passphrase(words[1])
    assert len(vault(folder, Person(words[1])).items()) == 2
    assert not list(folder.glob(".*.vault.*"))


def opens(folder: Path, path: Path, words: str) -> bool:
    item = next(i for i in vault(folder).items() if i.path == path)
    assert item.stored is not None, item.error
    try:
        item.stored.open(Passphrase(words).keys(item.stored.entry.kdf))
    except VaultPassphraseWrong:
        return False
    return True


def test_another_program_that_writes_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = Vault(folder, Person(), cost=CHEAP, guard=keeping._exclusive)
    at_work.store(ALICE, OLD, key())
    other = FileLock(folder / ".lock")
    assert other.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "_PATIENCE", 0.0)
        with pytest.raises(VaultUnusable, match="another program"):
            at_work.store(BOB, NEW, key(1))
    assert len(at_work.items()) == 1
    monkeypatch.setattr("time.sleep", lambda _: other.release())
    at_work.store(BOB, NEW, key(1))
    assert len(at_work.items()) == 2
