"""``usbprov vault``: the key pairs that this computer has made and keeps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli import documents
from usbprov.cli.confirming import confirm_by_typing
from usbprov.cli.keeping import Keeping, passphrase, passphrase_options, vault_dir_option
from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option
from usbprov.cli.text import local, pairs, table, thumbprint
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.pki.vault.entry import Entry
    from usbprov.pki.vault.folder import Item
    from usbprov.pki.vault.vault import Vault

pair_argument = click.argument("pair", metavar="PAIR")
"""The beginning of a pair's digest, its user, its phone's serial or MAC, or a file's name."""

confirm_option = click.option(
    "--confirm", "confirmed", metavar="WORD", help="What would be typed; for scripts."
)


@click.group(cls=CheckedGroup)
def vault() -> None:
    """Look at the key pairs that `--key vault` has stored; export and destroy them.

    PAIR is the beginning of a digest as `list` shows it, a user (alice@contoso.com), or the serial
    number or MAC of a phone.

    \b
    Examples:
      usbprov vault list
      usbprov vault show alice@contoso.com
      usbprov vault export alice@contoso.com --out alice.pem
      usbprov vault destroy 550b8493
    """


@vault.command("list", short_help="Show the pairs.")
@vault_dir_option
@json_option
def list_pairs(as_json: bool, **given: Any) -> None:
    """Show the pairs; no passphrase is needed."""
    opened = Keeping.taken_from(given).vault()
    items = opened.items()
    if as_json:
        documents.show([documents.pair(item) for item in items])
        return
    if not items:
        click.echo(f"The vault {opened.path} is empty.")
        return
    click.echo(table(("PAIR", "USER", "PHONE", "MAC", "BOUND SINCE"), map(_row, items)))
    for item in items:
        if item.error:
            click.echo(f"{item.path.stem}: {item.error.code}: {item.error}")


@vault.command("show", short_help="Show a pair's public part.")
@pair_argument
@vault_dir_option
@json_option
def show_pair(pair: str, as_json: bool, **given: Any) -> None:
    """Show the public part of PAIR, and which phones it was given to; needs no passphrase."""
    item = Keeping.taken_from(given).vault().select(pair)
    if as_json:
        documents.show(documents.pair(item) | {"public_key": _public(_entry(item))})
        return
    entry = _entry(item)
    cost = entry.kdf.cost
    lines = [
        ("pair", thumbprint(entry.sha256)),
        ("user", entry.user),
        ("key", f"RSA {entry.bits}"),
        ("stored", local(entry.made)),
        *(("phone", f"{b.device}, from {local(b.at)} on") for b in entry.bindings),
        ("passphrase", f"a try costs {cost.memory >> 20} MiB (scrypt {cost})"),
        ("file", str(item.path)),
    ]
    click.echo(pairs(lines))
    click.echo(_public(entry), nl=False)


@vault.command("export", short_help="Write a private key to a file.")
@pair_argument
@vault_dir_option
@passphrase_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A new file."
)
@click.option("--export-passphrase-stdin", is_flag=True, help="The export's passphrase.")
@click.option("--export-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="The same.")
@confirm_option
@json_option
def export(pair: str, out: Path, confirmed: str | None, as_json: bool, **given: Any) -> None:
    """Write the private key of PAIR to a file: PKCS#8 (PEM), under a passphrase of its own.

    Who has that file and its passphrase can sign in as the user. `openssl pkey -in FILE` opens it.
    """
    keeping = Keeping.taken_from(given)
    opened = keeping.vault()
    item = opened.select(pair)
    if out.exists():
        raise UsageError(f"{out} is there already")
    what = f"The private key of {_name(item)} leaves the vault, into {out}."
    confirm_by_typing(_word(item), what, confirmed)
    opened.unlock()
    words = passphrase(
        "export passphrase",
        stdin=given["export_passphrase_stdin"],
        descriptor=given["export_passphrase_fd"],
        who=str(out),
        new=True,
    )
    _write(out, opened.export(item, words))
    _say(as_json, item, "exported", f"The private key of {_name(item)} is in {out}.")


@vault.command("destroy", short_help="Destroy a private key.")
@pair_argument
@vault_dir_option
@confirm_option
@json_option
def destroy(pair: str, confirmed: str | None, as_json: bool, **given: Any) -> None:
    """Overwrite PAIR's file, and remove it: the private key is gone from here for ever."""
    opened = Keeping.taken_from(given).vault()
    item = opened.select(pair)
    confirm_by_typing(_word(item), f"The private key of {_name(item)} is destroyed.", confirmed)
    opened.destroy(item)
    _say(as_json, item, "destroyed", f"The private key of {_name(item)} is destroyed.")


@vault.command("passphrase", short_help="Change the passphrase.")
@vault_dir_option
@passphrase_options
@click.option("--new-passphrase-stdin", is_flag=True, help="The new passphrase.")
@click.option("--new-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="The same.")
@json_option
def change_passphrase(as_json: bool, **given: Any) -> None:
    """Encrypt every pair under a new passphrase; a change that was interrupted is repeated."""
    opened = Keeping.taken_from(given).vault()
    words = passphrase(
        "new passphrase",
        stdin=given["new_passphrase_stdin"],
        descriptor=given["new_passphrase_fd"],
        who=str(opened.path),
        new=True,
    )
    changed = _changed(opened, words)
    if as_json:
        documents.show({"outcome": "changed", "pairs": changed})
    else:
        click.echo(f"{changed} key pairs are under the new passphrase.")


def _changed(opened: "Vault", words: str) -> int:
    if not opened.items():
        raise UsageError(f"the vault {opened.path} is empty")
    return opened.change_passphrase(words)


def _row(item: "Item") -> tuple[str, ...]:
    if item.stored is None:
        return (item.path.stem[:16], "cannot be read, see below", "", "", "")
    entry = item.stored.entry
    device = entry.device
    return (entry.sha256[:16], entry.user, device.serial, device.mac, local(entry.bound))


def _entry(item: "Item") -> "Entry":
    """Return what a file tells; raises what is wrong with it."""
    if item.stored is None:
        raise item.error or UsageError(f"{item.path} cannot be read")
    return item.stored.entry


def _word(item: "Item") -> str:
    """Return what must be typed: the user's address, or a file's name where it cannot be read."""
    return item.stored.entry.user.removeprefix("sip:") if item.stored else item.path.stem


def _name(item: "Item") -> str:
    if item.stored is None:
        return f"the file {item.path}"
    entry = item.stored.entry
    return f"{entry.user.removeprefix('sip:')} ({entry.device})"


def _public(entry: "Entry") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = entry.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


def _write(out: Path, pem: str) -> None:
    from usbprov.errors import VaultUnusable
    from usbprov.files import whole_file

    try:
        with whole_file(out, 0o600, instead=False) as unfinished:
            unfinished.write_text(pem, "ascii")
    except OSError as error:
        raise VaultUnusable(str(out), error.strerror or "it is there already") from None


def _say(as_json: bool, item: "Item", outcome: str, words: str) -> None:
    if as_json:
        documents.show({"outcome": outcome, "pair": documents.pair(item)})
    else:
        click.echo(words)
