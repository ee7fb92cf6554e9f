"""Addresses: which URL may be used, and what it may be trusted with.

Every URL is ``https``. A URL that the server names, in metadata or by a redirect, must stay on
the host that proved by its certificate to be the one meant; the port may differ, since it is no
part of that proof. The one exception is the issuer of tickets: verified metadata may name
another host, and then the ticket service's own metadata speaks for that host.
"""

from urllib.parse import SplitResult, urljoin, urlsplit

from usbprov.errors import AnswerInvalid, RedirectRefused, UsageError

SERVICE_PATH = "/CertProv/CertProvisioningService.svc"
"""Path of the certificate provisioning service where a URL has none (``protocol.md`` 1.1)."""

_HTTPS_PORT = 443


def service_url(text: str) -> str:
    """Normalise the user's URL of the certificate provisioning service.

    A URL without a path gets the standard one; ``/mex`` and a slash at the end are dropped.

    Raises:
        UsageError: It is no ``https`` URL with a host, or has parts that it must not have.
    """
    parts = _split(text.strip())
    if parts is None or parts.query:
        raise UsageError(
            "the Web Services URL must look like https://pool.contoso.com" + SERVICE_PATH
        )
    path = parts.path.rstrip("/").removesuffix("/mex") or SERVICE_PATH
    return parts._replace(path=path).geturl()


def server_of(url: str) -> str:
    """Return ``host`` or ``host:port`` of a URL, as errors and logs name the server."""
    host, port = host_of(url), port_of(url)
    host = f"[{host}]" if ":" in host else host
    return host if port == _HTTPS_PORT else f"{host}:{port}"


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, an IPv6 address without brackets."""
    return urlsplit(url).hostname or ""


def port_of(url: str) -> int:
    """Return the TCP port of a URL, 443 where it names none."""
    return urlsplit(url).port or _HTTPS_PORT


def checked(location: str, host: str, *, told_by: str) -> str:
    """Return ``location``, a URL that a server named, if it is ``https`` on ``host``.

    Args:
        location: The URL.
        host: The only host that it may be on, or ``""`` where any host is right.
        told_by: The server that named it, for the error.

    Raises:
        AnswerInvalid: It is another scheme or host, or no usable URL.
    """
    problem = _problem(location, host)
    if problem:
        raise AnswerInvalid(told_by, problem)
    return location


def _problem(location: str, host: str) -> str | None:
    parts = _split(location)
    if parts is None:
        return f"it names an address that is not https: {location[:200]!r}"
    return (
        f"it points to another host, {parts.hostname}" if host not in {"", parts.hostname} else None
    )


def redirected(url: str, location: str) -> str:
    """Return where a redirect of ``url`` leads, if it stays on the host.

    Raises:
        RedirectRefused: It leads to another scheme or host, or nowhere.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location
    problem = _problem(target, host_of(url))
    if problem:
        raise RedirectRefused(server_of(url), problem)
    return target


def _split(url: str) -> SplitResult | None:
    """Take an ``https`` URL apart; None where it is not one, or holds a user or a fragment."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:
        return None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment:
        return None
    return parts if usable else None
