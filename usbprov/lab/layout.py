"""Where everything stands in a lab's folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The paths inside a lab's folder.

    Attributes:
        folder: The lab's folder itself.
    """

    folder: Path

    @property
    def authority(self) -> Path:
        """Folder of keys and certificates."""
        return self.folder / "authority"

    @property
    def root_ca(self) -> Path:
        """The root certificate alone, PEM; what clients and phones are given to trust."""
        return self.authority / "root-ca.pem"

    @property
    def stores(self) -> Path:
        """Folder of the user stores, one SQLite file a home pool."""
        return self.folder / "stores"

    @property
    def users(self) -> Path:
        """The users, TOML, with PINs and passwords."""
        return self.folder / "users.toml"

    @property
    def accounts(self) -> Path:
        """The Windows accounts, for the process that takes NTLM and Kerberos sign-ins."""
        return self.folder / "windows-accounts"

    @property
    def faults(self) -> Path:
        """The faults that are on, SQLite."""
        return self.folder / "faults.sqlite"

    @property
    def calls(self) -> Path:
        """What was asked of the lab, one redacted line a call."""
        return self.folder / "calls.log"

    @property
    def sign_ins(self) -> Path:
        """The sign-ins at the Registrar, SQLite."""
        return self.folder / "sign-ins.sqlite"

    @property
    def phones(self) -> Path:
        """Folder of the emulated phones' state files."""
        return self.folder / "phones"

    @property
    def phones_facts(self) -> Path:
        """What the emulated phones' process says of itself while it runs, JSON."""
        return self.folder / "phones.json"

    @property
    def phones_lock(self) -> Path:
        """Held by the process of the emulated phones."""
        return self.folder / "phones.lock"

    @property
    def facts(self) -> Path:
        """What the lab says of itself while it runs, JSON."""
        return self.folder / "lab.json"

    @property
    def lock(self) -> Path:
        """Held by the lab that runs in the folder."""
        return self.folder / "lock"
