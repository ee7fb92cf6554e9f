"""Server settings, as ``Set-CsWebServiceConfiguration`` and ``Set-CsPinPolicy`` have them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import Enum

from usbprov.errors import ConfigInvalid


class WindowsAuth(Enum):
    """``UseWindowsAuth``: what the Windows port takes."""

    NEGOTIATE = "negotiate"
    NTLM = "ntlm"
    NONE = "none"


DSK_TLS = ("any", "1.0", "1.1", "1.2")
"""What ``dsk_tls`` may be."""


@dataclass(frozen=True)
class Policy:
    """The settings. Hours are whole; sizes are in bits.

    Attributes:
        min_key_bits: ``MinCSRKeySize``.
        max_key_bits: ``MaxCSRKeySize``.
        validity_hours: ``DefaultValidityPeriodHours``: life of a certificate that nobody asked
            another for.
        min_validity_hours: ``MinValidityPeriodHours``: what is asked for is raised to it.
        max_validity_hours: ``MaxValidityPeriodHours``: what is asked for is lowered to it.
        certificates_per_user: A new one for another device makes the oldest go; 0 for no bound.
        ticket_hours: Life of a Web ticket.
        pin_tries: Wrong PINs after which a PIN is locked.
        pin_digits: ``MinPasswordLength``: shorter PINs are taken for none.
        windows_auth: ``UseWindowsAuth``: ``negotiate``, ``ntlm`` or ``none``.
        pin_auth: ``UsePinAuth``.
        password_auth: Whether there is a port for user name and password.
        certificate_auth: ``UseCertificateAuth``.
        chain_download: ``EnableCertChainDownload``.
        registrar_certificate_auth: ``UseCertificateForClientToProxyAuth``.
        registrar_ntlm_auth: ``UseNtlmForClientToProxyAuth``.
        registrar_kerberos_auth: ``UseKerberosForClientToProxyAuth``; needs a keytab besides.
        dsk_tls: Which version of TLS there is inside TLS-DSK: ``1.0``, ``1.1``, ``1.2`` or ``any``.
    """

    min_key_bits: int = 2048
    max_key_bits: int = 16384
    validity_hours: int = 4320
    min_validity_hours: int = 8
    max_validity_hours: int = 8760
    certificates_per_user: int = 0
    ticket_hours: int = 8
    pin_tries: int = 5
    pin_digits: int = 4
    windows_auth: str = WindowsAuth.NEGOTIATE.value
    pin_auth: bool = True
    password_auth: bool = True
    certificate_auth: bool = True
    chain_download: bool = True
    registrar_certificate_auth: bool = True
    registrar_ntlm_auth: bool = True
    registrar_kerberos_auth: bool = True
    dsk_tls: str = "any"

    def __post_init__(self) -> None:
        for name, allowed in _RANGES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be within {allowed[0]} and {allowed[-1]}")
        if self.min_key_bits > self.max_key_bits:
            raise ValueError("min_key_bits is greater than max_key_bits")
        if not self.min_validity_hours <= self.validity_hours <= self.max_validity_hours:
            raise ValueError("validity_hours is not between its minimum and maximum")
        if self.windows_auth not in {choice.value for choice in WindowsAuth}:
            raise ValueError("windows_auth must be negotiate, ntlm or none")
        if self.dsk_tls not in DSK_TLS:
            raise ValueError(f"dsk_tls must be {', '.join(DSK_TLS)}")

    def life(self, asked: timedelta | None) -> timedelta:
        """Return the life of a certificate for which so long was asked, or nothing."""
        if asked is None:
            return timedelta(hours=self.validity_hours)
        longest = timedelta(hours=self.max_validity_hours)
        return max(timedelta(hours=self.min_validity_hours), min(asked, longest))

    @property
    def methods_off(self) -> frozenset[str]:
        """The ways to get a ticket that are not offered, as the fault ``auth-off`` names them."""
        offered = {
            "windows": self.windows_auth != WindowsAuth.NONE.value,
            "pin": self.pin_auth,
            "password": self.password_auth,
            "certificate": self.certificate_auth,
        }
        return frozenset(name for name, on in offered.items() if not on)

    def row(self) -> dict[str, int | str | bool]:
        """Return the settings by name."""
        return asdict(self)


_RANGES: Mapping[str, range] = {
    "min_key_bits": range(1024, 16385),
    "max_key_bits": range(1024, 16385),
    "validity_hours": range(8, 8761),
    "min_validity_hours": range(8, 4321),
    "max_validity_hours": range(8, 8761),
    "certificates_per_user": range(1000),
    "ticket_hours": range(1, 25),
    "pin_tries": range(1, 100),
    "pin_digits": range(4, 25),
}
_BOOLEANS: Mapping[str, bool] = {"true": True, "on": True, "false": False, "off": False}


def make_policy(settings: Mapping[str, object], source: str) -> Policy:
    """Make a policy of the settings of a ``[policy]`` table; the others have their defaults.

    Raises:
        ConfigInvalid: A name is not known, or a value is of another type or out of range.
    """
    types = {field.name: type(field.default) for field in fields(Policy)}
    for name, value in settings.items():
        if name not in types:
            raise ConfigInvalid(
                f"there is no policy {name!r}; there are {', '.join(types)}", source
            )
        if type(value) is not types[name]:
            raise ConfigInvalid(f"policy {name} must be of type {types[name].__name__}", source)
    try:
        return Policy(**settings)  # type: ignore[arg-type]  # checked above
    except ValueError as error:
        raise ConfigInvalid(f"policy: {error}", source) from None


def read_options(options: Iterable[str]) -> dict[str, object]:
    """Read ``NAME=VALUE`` options of a command line; a name may have dashes for underscores."""
    split = [option.partition("=") for option in options]
    return {name.replace("-", "_"): _typed(value) for name, _, value in split}


def _typed(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() else _BOOLEANS.get(text.lower(), text)
