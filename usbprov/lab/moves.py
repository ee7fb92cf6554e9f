"""Users who are moved to another home pool (``Move-CsUser``), also while the lab runs."""

import sqlite3
from dataclasses import replace
from pathlib import Path

from usbprov.errors import ConfigInvalid, LabUnusable
from usbprov.lab.layout import Layout
from usbprov.lab.store import PoolStores
from usbprov.lab.users import LabUser, parse_users, read_policy, read_users, write_users


def move(folder: Path, sip_uri: str, pool: str, *, with_certificates: bool = True) -> None:
    """Move a user of the lab of that folder, whether it runs or not.

    Args:
        folder: The lab's.
        sip_uri: The user.
        pool: FQDN of the new home pool; it is made if there is none of that name.
        with_certificates: Whether his certificates and wrong PINs move along at once. If not they
            stay behind, as after a move that did not come to its end, until the next start.

    Raises:
        LabUnusable: The folder holds no lab or no such user, or a store cannot be written; or the
            pool is no FQDN.
        ConfigInvalid: The users file was made wrong.
    """
    path, stores = Layout(folder).users, PoolStores(Layout(folder).stores)
    if not path.exists():
        raise LabUnusable(f"{folder} holds no lab")
    users, policy = read_users(path), read_policy(path)
    user = next((one for one in users if one.sip_uri == sip_uri.lower()), None)
    if user is None:
        raise LabUnusable(f"the lab has no user {sip_uri}")
    moved = _at_home_in(user, pool)
    try:
        stores.move(user, moved, with_content=with_certificates)
    except sqlite3.Error as error:
        raise LabUnusable(f"a user store in {folder}: {error}") from None
    write_users(path, [moved if one is user else one for one in users], policy)


def _at_home_in(user: LabUser, pool: str) -> LabUser:
    moved = replace(user, home_pool=pool)
    try:
        parse_users({"users": [moved.row()]}, "")
    except ConfigInvalid:
        raise LabUnusable(f"{pool} is no FQDN of a pool") from None
    return moved
