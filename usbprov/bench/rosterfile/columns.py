"""Which column of a roster means what: by its name, in whatever spelling."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from usbprov.bench.rosterfile.cells import Line


class Field(StrEnum):
    """What a roster may say of a user; the word is the column's name of ours."""

    EXTENSION = "extension"
    SIP_URI = "sip address"
    SERIAL = "serial"
    MAC = "mac"
    PORT = "port"
    NAME = "name"
    PIN = "pin"


SYNONYMS: Mapping[Field, tuple[str, ...]] = {
    Field.EXTENSION: (
        "extension",
        "ext",
        "lineuri",
        "phone",
        "phonenumber",
        "telephone",
        "telephonenumber",
        "officephone",
        "businessphone",
        "number",
        "tel",
        "did",
    ),
    Field.SIP_URI: (
        "sipaddress",
        "sipuri",
        "sip",
        "uri",
        "upn",
        "userprincipalname",
        "user",
        "userid",
        "useraddress",
        "signinaddress",
    ),
    Field.SERIAL: ("serial", "serialnumber", "serialno", "sn", "phoneserial"),
    Field.MAC: ("mac", "macaddress", "macaddr", "phonemac", "ethernetaddress"),
    Field.PORT: ("port", "label", "portlabel", "benchport", "usbport"),
    Field.NAME: ("name", "displayname", "fullname"),
    Field.PIN: ("pin", "userpin", "phonepin", "clientpin"),
}
"""Names of columns without spaces and signs, in lower case. The earlier one counts where a file
has several: an export of users has LineURI beside Phone, SipAddress beside UserPrincipalName."""

KNOWN_UNUSED = frozenset(
    """
    identity firstname lastname givenname surname alias guid sid samaccountname
    windowsemailaddress mail email emailaddress company department title office city country
    description notes comment registrarpool homeserver hostingprovider enabled
    enabledforfederation enabledforinternetaccess publicnetworkenabled enabledforrichpresence
    enterprisevoiceenabled audiovideodisabled remotecallcontroltelephonyenabled lineserveruri
    privateline iptelephonyenabled voicepolicy voiceroutingpolicy dialplan locationpolicy
    conferencingpolicy clientpolicy clientversionpolicy pinpolicy externalaccesspolicy
    externaluseraccess hostedvoicemail hostedvoicemailpolicy hostedvoicepolicy mobilitypolicy
    presencepolicy archivingpolicy persistentchatpolicy userservicespolicy callviaworkpolicy
    thirdpartyvideosystempolicy graphpolicy addressbookpolicy exchangearchivingpolicy
    enabledforexchangeum promptforextension tenantid objectid objectclass objectcategory objectstate
    whencreated whenchanged isvalid originatingserver distinguishedname originatorsid
    countryabbreviation countryorregiondisplayname usagelocation ipaddress ip vlan vendor
    manufacturer model phonemodel type firmware software version status site location
    building floor room
    """.split()  # noqa: SIM905 - a list with quotes is no longer read
)
"""What directory exports and phone tools have beside it, and a bench has no use for."""


@dataclass(frozen=True)
class Column:
    """A column that means something: its place from 0, and its name as the file has it."""

    index: int
    head: str


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes:
        found: What means what.
        errors: What is wrong with the heads: place, and words.
        notes: What is left out: place, and words.
    """

    found: Mapping[Field, Column]
    errors: tuple[tuple[int, str], ...] = ()
    notes: tuple[tuple[int, str], ...] = ()


_MEANING = {name: kind for kind, names in SYNONYMS.items() for name in names}


def plain(head: str) -> str:
    """Write a column's name without spaces and signs: ``MAC-Address`` is ``macaddress``."""
    return re.sub(r"[^a-z0-9]", "", head.lower())


def find_columns(heads: Line) -> Columns:
    """Say what the columns mean.

    A name that nobody knows is an error: it may be a mistyped one. Where no name is known at all,
    none is repeated: the first line may be a user's, with a PIN.
    """
    named = [Column(index, cell.text) for index, cell in enumerate(heads.cells) if cell.text]
    if not any(plain(column.head) in _MEANING for column in named):
        words = "no column is known by its name: the first line must have the names of the columns"
        return Columns({}, ((0, words),))
    found = dict(_chosen(named))
    errors = [*_repeated(named), *_unknown(named)]
    return Columns(found, tuple(errors), tuple(_unused(named, found)))


def _chosen(named: Sequence[Column]) -> Iterator[tuple[Field, Column]]:
    """Yield for each field the column that says it best."""
    for kind, names in SYNONYMS.items():
        fitting = [column for column in named if plain(column.head) in names]
        if fitting:
            yield kind, min(fitting, key=lambda column: names.index(plain(column.head)))


def _repeated(named: Sequence[Column]) -> Iterator[tuple[int, str]]:
    seen: dict[str, str] = {}
    for column in named:
        other = seen.setdefault(plain(column.head), column.head)
        if other is not column.head:
            yield column.index, f"it is there twice: {other!r} is the same"


def _unknown(named: Sequence[Column]) -> Iterator[tuple[int, str]]:
    for column in named:
        if plain(column.head) not in _MEANING and plain(column.head) not in KNOWN_UNUSED:
            yield column.index, "no such column is known: correct its name, or take it out"


def _unused(named: Sequence[Column], found: Mapping[Field, Column]) -> Iterator[tuple[int, str]]:
    used = {column.index for column in found.values()}
    for column in named:
        kind = _MEANING.get(plain(column.head))
        if kind is not None and column.index not in used:
            yield column.index, f"it is not used: {found[kind].head!r} says the same"
        elif plain(column.head) in KNOWN_UNUSED:
            yield column.index, "it is not used"
