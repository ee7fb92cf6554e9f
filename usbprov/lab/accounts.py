"""Windows accounts: the names under which a user may sign in with a password or by Kerberos."""

import hmac
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from usbprov.lab.files import write_atomic
from usbprov.lab.users import LabUser


class Accounts:
    r"""The users by account name, without regard to case.

    ``DOMAIN\user``, ``user@domain`` with the DNS or the NetBIOS domain, the SIP address without
    its scheme, and the bare ``user`` where only one user has that name.
    """

    def __init__(self, users: Sequence[LabUser]) -> None:
        bare = Counter(user.user_name.lower() for user in users)
        self._by_name: dict[str, LabUser] = {}
        for user in users:
            names = [*_full_names(user)]
            if bare[user.user_name.lower()] == 1:
                names.append(user.user_name)
            for name in names:
                self._by_name.setdefault(name.lower(), user)

    def find(self, name: str) -> LabUser | None:
        """Return the user of that account."""
        return self._by_name.get(name.lower())

    def check(self, name: str, password: str) -> LabUser | None:
        """Return the user if the password is right, else None, whichever of the two is wrong."""
        user = self.find(name)
        right = (user.password if user else "").encode()
        return user if hmac.compare_digest(right, password.encode()) else None

    def write(self, path: Path) -> None:
        """Write the accounts (0600) as the acceptor's library reads them.

        One ``domain:user:password`` a line. A client that gives no domain sends the user in
        whatever form was typed, so each form is an account of its own, with an empty domain.
        """
        lines = []
        for name, user in self._by_name.items():
            domain, backslash, bare = name.rpartition("\\")
            lines.append(f"{domain if backslash else ''}:{bare}:{user.password}\n")
        write_atomic(path, "".join(lines).encode())


def _full_names(user: LabUser) -> tuple[str, ...]:
    dns = user.entity.rpartition("@")[2]
    return (
        f"{user.domain}\\{user.user_name}",
        f"{dns}\\{user.user_name}",
        f"{user.user_name}@{dns}",
        f"{user.user_name}@{user.domain}",
        user.entity,
    )
