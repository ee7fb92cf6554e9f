"""The lab's users: from a TOML file, by default, or made for a demonstration."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from usbprov.errors import ConfigInvalid
from usbprov.lab.files import write_atomic

DOMAIN = "contoso.test"


@dataclass(frozen=True)
class LabUser:
    """A made-up user.

    Attributes:
        sip_uri: ``sip:user@domain``, in lower case.
        extension: What is keyed in at the phone beside the PIN; digits, perhaps with a plus.
        pin: 4 to 24 digits; "" if none is set.
        user_name: Windows account name.
        domain: Windows (NetBIOS) domain name.
        password: Windows password.
        home_pool: FQDN of the pool that stores the user's certificates.
        phone_number: May be keyed in, in place of the extension; users may share one.
        pin_state: ``set``, ``unset`` or ``expired``.
    """

    sip_uri: str
    extension: str
    pin: str = field(repr=False)
    user_name: str
    domain: str
    password: str = field(repr=False)
    home_pool: str
    phone_number: str = ""
    pin_state: str = "set"

    @property
    def entity(self) -> str:
        """The user as the certificate service writes it: ``user@domain``."""
        return self.sip_uri.removeprefix("sip:")

    def row(self) -> dict[str, str]:
        """Return every field by name, PIN and password included: for the lab's own files."""
        return asdict(self)


DEFAULT_USERS = (
    LabUser(
        f"sip:alice@{DOMAIN}", "1001", "720511", "alice", "CONTOSO", "Lab-Alice-1",
        f"pool01.{DOMAIN}",
    ),
    LabUser(
        f"sip:bob@{DOMAIN}", "1002", "720522", "bob", "CONTOSO", "Lab-Bob-2", f"pool01.{DOMAIN}"
    ),
    LabUser(
        f"sip:carol@{DOMAIN}", "1003", "720533", "carol", "CONTOSO", "Lab-Carol-3",
        f"pool01.{DOMAIN}",
    ),
)  # fmt: skip
"""Users of a lab that was given none. PINs and passwords are public: for the lab only."""

_PATTERNS: Mapping[str, tuple[str, str]] = {
    "sip_uri": (r"sip:[a-z0-9._+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*", "sip:user@domain in lower case"),
    "extension": (r"\+?[0-9]{1,15}", "1 to 15 digits, perhaps with a plus before them"),
    "pin": (r"([0-9]{4,24})?", "4 to 24 digits"),
    "user_name": (r"[^\\\s@:\x00-\x1f]{1,104}", "a Windows account name"),
    "domain": (r"[A-Za-z0-9._-]{1,63}", "a Windows domain name"),
    "password": (r"[^:\x00-\x1f\x7f]{1,256}", "1 to 256 characters, no colon"),
    "home_pool": (r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", "an FQDN"),
    "phone_number": (r"(\+?[0-9]{1,15})?", "1 to 15 digits, perhaps with a plus before them"),
    "pin_state": (r"set|unset|expired", "set, unset or expired"),
}

_DEFAULTS: Mapping[str, Callable[[str], str]] = {
    "user_name": lambda uri: uri.removeprefix("sip:").partition("@")[0],
    "domain": lambda uri: uri.rpartition("@")[2].partition(".")[0].upper(),
    "home_pool": lambda uri: "pool01." + uri.rpartition("@")[2],
}
"""What may be left out, and how it then follows from the SIP URI."""


def synthetic_users(count: int, domain: str = DOMAIN) -> tuple[LabUser, ...]:
    """Make ``count`` users ``user0001`` … with the extensions 2001 …, the same at every call."""
    return tuple(
        LabUser(
            sip_uri=f"sip:user{number:04}@{domain}",
            extension=str(2000 + number),
            pin=str(830000 + number),
            user_name=f"user{number:04}",
            domain=domain.partition(".")[0].upper(),
            password=f"Lab-User-{number:04}",
            home_pool=f"pool01.{domain}",
        )
        for number in range(1, count + 1)
    )


def read_users(path: Path) -> tuple[LabUser, ...]:
    """Read and check a users file: TOML with one ``[[users]]`` table a user.

    ``sip_uri``, ``extension``, ``pin`` and ``password`` are required. Its ``[policy]`` table is
    not looked at, see ``read_policy``.

    Raises:
        ConfigInvalid: The file cannot be read, is no TOML, or a user in it is wrong; the message
            names the user by its number and never shows a PIN or password.
    """
    return parse_users(_read_toml(path), str(path))


def read_policy(path: Path) -> dict[str, object]:
    """Read the ``[policy]`` table of a users file, unchecked; empty if there is none.

    Raises:
        ConfigInvalid: The file cannot be read, is no TOML, or ``policy`` is no table.
    """
    found = _read_toml(path).get("policy", {})
    if not isinstance(found, dict):
        raise ConfigInvalid("policy is not a table", str(path))
    return found


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigInvalid(error.strerror or "cannot be read", str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"not TOML: {_place(error)}", str(path)) from None


def parse_users(content: Mapping[str, object], source: str) -> tuple[LabUser, ...]:
    """Check the content of a users file. Raises ``ConfigInvalid`` as ``read_users`` does."""
    tables = content.get("users")
    unknown = sorted(set(content) - {"users", "policy"})
    if unknown or not isinstance(tables, list) or not tables:
        wrong = f"unknown key {unknown[0]!r}" if unknown else "it has no [[users]] table"
        raise ConfigInvalid(wrong, source)
    users = tuple(_user(number, table, source) for number, table in enumerate(tables, 1))
    _check_unique(users, source)
    return users


def combine_users(
    users: Sequence[LabUser], more: Sequence[LabUser], source: str
) -> tuple[LabUser, ...]:
    """Add users, other than those who are there already.

    Raises:
        ConfigInvalid: Two users would have one extension or Windows account.
    """
    there = {user.sip_uri for user in users}
    combined = (*users, *(user for user in more if user.sip_uri not in there))
    _check_unique(combined, source)
    return combined


def write_users(
    path: Path, users: Sequence[LabUser], policy: Mapping[str, object] | None = None
) -> None:
    """Write a users file (0600) that ``read_users`` and ``read_policy`` read back."""
    tables = ["[[users]]\n" + _toml(user.row()) for user in users]
    if policy:
        tables.append("[policy]\n" + _toml(policy))
    write_atomic(path, "\n".join(tables).encode())


def _toml(row: Mapping[str, object]) -> str:
    return "".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in row.items()
    )


def _place(error: Exception) -> str:
    """Say where a TOML error is, without the line's text: it may be a PIN."""
    found = re.search(r"at (line \d+, column \d+|end of document)", str(error))
    return found.group(0) if found else "it cannot be decoded"


def _user(number: int, table: object, source: str) -> LabUser:
    if not isinstance(table, dict):
        raise ConfigInvalid(f"user {number} is not a table", source)
    names = [entry.name for entry in fields(LabUser)]
    unknown = sorted(set(table) - set(names))
    if unknown:
        raise ConfigInvalid(f"user {number} has the unknown key {unknown[0]!r}", source)
    uri = _value(number, "sip_uri", table.get("sip_uri"), source)
    derived = {name: make(uri) for name, make in _DEFAULTS.items()}
    without_pin = {"pin": ""} if table.get("pin_state") == "unset" else {}
    merged = derived | without_pin | {"phone_number": "", "pin_state": "set"} | table
    user = LabUser(**{name: _value(number, name, merged.get(name), source) for name in names})
    if not user.pin and user.pin_state != "unset":
        raise ConfigInvalid(f"user {number}: pin must be a string, 4 to 24 digits", source)
    return user


def _value(number: int, name: str, value: object, source: str) -> str:
    pattern, meaning = _PATTERNS[name]
    if value is None:
        raise ConfigInvalid(f"user {number} has no {name}", source)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ConfigInvalid(f"user {number}: {name} must be a string, {meaning}", source)
    return value


def _check_unique(users: Sequence[LabUser], source: str) -> None:
    accounts = [f"{user.domain}\\{user.user_name}".lower() for user in users]
    for what, values in (
        ("sip_uri", [user.sip_uri for user in users]),
        ("extension", [f"{user.phone_number} {user.extension}".strip() for user in users]),
        ("Windows account", accounts),
    ):
        value, times = Counter(values).most_common(1)[0]
        if times > 1:
            raise ConfigInvalid(f"{times} users have the {what} {value}", source)
