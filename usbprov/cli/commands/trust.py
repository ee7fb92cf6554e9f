"""``usbprov trust``: whom a phone trusts, what it lacks to trust its servers, and the cure."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option, old_tls_option, phone_argument, with_options
from usbprov.cli.secret import secret_source
from usbprov.cli.servers import ca_file_option
from usbprov.cli.settings import current, site
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.phone.contract import Phone
    from usbprov.webservices.trust.plan import TrustPlan
    from usbprov.webservices.trust.servers import Server
    from usbprov.webservices.trust.sources import Source
    from usbprov.webservices.trust.view import PhoneView

F = TypeVar("F", bound=Callable[..., object])

_SOURCES = ("file", "system", "server", "directory", "download")


@dataclass(frozen=True)
class TrustOrder:
    """What the options say; the names are the options' own."""

    web_services_url: str | None = None
    registrar: str | None = None
    ca_file: Path | None = None
    source: tuple[str, ...] = ()
    fingerprint: tuple[str, ...] = ()
    chain_download_url: str | None = None
    ldap_url: str | None = None
    ldap_user: str | None = None
    ldap_start_tls: bool = False
    ldap_plain_password: bool = False
    password_stdin: bool = False
    password_fd: int | None = None
    allow_old_tls: tuple[str, ...] = ()

    @property
    def can_download(self) -> bool:
        """Whether it is known where the chain download is."""
        return bool(self.chain_download_url or self.web_services_url)

    def servers(self) -> "list[Server]":
        """Look at every server that is named."""
        from usbprov.webservices.trust.servers import (
            look_at,
            registrar_address,
            web_services_address,
        )

        addresses = [web_services_address(self.web_services_url)] if self.web_services_url else []
        addresses += [registrar_address(self.registrar)] if self.registrar else []
        return [look_at(address, self.ca_file, site(self.allow_old_tls)) for address in addresses]


@click.group(cls=CheckedGroup)
def trust() -> None:
    """See whom a phone trusts, and give it the roots and intermediates that it lacks.

    A phone accepts a server only if its chain ends in a root that the phone has, by the phone's
    clock, and with algorithms that the phone knows.
    """


def _server_options(function: F) -> F:
    """Add the servers, and what this computer trusts."""
    options = (
        click.option("--web-services-url", metavar="URL", help="URL of the certificate service."),
        click.option("--registrar", metavar="HOST[:PORT]", help="The Registrar (port 5061)."),
        old_tls_option,
        ca_file_option,
    )
    return with_options(function, options)


def _source_options(function: F) -> F:
    """Add where certificates may come from."""
    options = (
        _server_options,
        click.option(
            "--source",
            multiple=True,
            type=click.Choice(_SOURCES),
            help="Take certificates from here only. Repeatable.",
        ),
        click.option(
            "--fingerprint",
            multiple=True,
            metavar="SHA256",
            help="A certificate that you have compared with its owner. Repeatable.",
        ),
        click.option(
            "--chain-download-url",
            metavar="URL",
            help="The chain download; else the Web Services' host at port 80.",
        ),
        click.option("--ldap-url", metavar="URL", help="A directory: ldaps://dc1.contoso.com."),
        click.option(
            "--ldap-user", metavar="NAME", help="Sign in to the directory; else anonymous."
        ),
        click.option("--ldap-start-tls", is_flag=True, help="Begin TLS on an ldap:// connection."),
        click.option(
            "--ldap-plain-password", is_flag=True, help="Send that password even without TLS."
        ),
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the directory's password from standard input.",
        ),
        click.option(
            "--password-fd",
            type=click.IntRange(min=0),
            help="Read the password from a file descriptor.",
        ),
    )
    return with_options(function, options)


@trust.command()
@phone_argument
@_server_options
@json_option
def show(phone: str | None, as_json: bool, **options: object) -> None:
    """Show whom PHONE trusts, what the servers present, and what the phone makes of it.

    \b
    Examples:
      usbprov trust show
      usbprov trust show 1-1.4 --web-services-url URL --registrar pool.contoso.com
    """
    from usbprov.cli.trusting import show_trust
    from usbprov.webservices.trust.plan import Planner

    order = TrustOrder(**options)  # type: ignore[arg-type]  # click has checked them
    servers = order.servers()
    with _opened(phone) as (_, view):
        roots = view.certificates()
        plan = Planner(view, servers, ()).plan(())
        show_trust(view, plan, roots, as_json=as_json)


@trust.command("plan")
@phone_argument
@_source_options
@json_option
def show_plan(phone: str | None, as_json: bool, **options: object) -> None:
    """Show what PHONE lacks, where it would come from, and what would be installed.

    Nothing is written. The sources are those of `usbprov trust install`.

    \b
    Examples:
      usbprov trust plan --web-services-url URL --ca-file contoso-root.pem
      usbprov trust plan --web-services-url URL --source download --fingerprint 3f2a…
    """
    from usbprov.cli.trusting import show_plan as show

    with _opened(phone) as (_, view):
        show(view, _plan(view, TrustOrder(**options)), as_json=as_json)  # type: ignore[arg-type]


@trust.command()
@phone_argument
@_source_options
@json_option
def install(phone: str | None, as_json: bool, **options: object) -> None:
    """Give PHONE the roots and intermediates that it lacks to trust the servers.

    Without --source: --ca-file or this computer's own roots, what the servers send, the directory
    if one is named; and the chain download if something is missing still. What came unprotected
    (plain HTTP, plain LDAP, a server's own chain) must lead to a root that this computer trusts,
    or be confirmed by --fingerprint.

    \b
    Examples:
      usbprov trust install --web-services-url URL --ca-file contoso-root.pem
      usbprov trust install --web-services-url URL --ldap-url ldaps://dc1.contoso.com \\
        --ldap-user alice@contoso.com --password-stdin
    """
    from usbprov.cli.trusting import show_installed, told
    from usbprov.webservices.trust.plan import carry_out, proved

    with _opened(phone) as (opened, view):
        plan = _plan(view, TrustOrder(**options))  # type: ignore[arg-type]
        with told(view, plan, as_json=as_json):
            carry_out(opened, plan)
            after = proved(opened, plan)
        show_installed(view, plan, after, as_json=as_json)


@contextlib.contextmanager
def _opened(selector: str | None) -> "Iterator[tuple[Phone, PhoneView]]":
    from usbprov.webservices.trust.view import PhoneView

    with current().held(selector) as held:
        yield held.phone, PhoneView(held.phone, held.phone.info())


def _plan(view: "PhoneView", order: TrustOrder) -> "TrustPlan":
    """Look at the servers, ask the sources, and make the plan."""
    from usbprov.webservices.trust.plan import Planner, server_source

    if not (order.web_services_url or order.registrar):
        raise UsageError("name a server: --web-services-url, --registrar, or both")
    fingerprints = [_fingerprint(text) for text in order.fingerprint]
    chosen = frozenset(order.source) or _usual(order)
    sources = {name: [_source(order, name)] for name in chosen - {"server"}}
    spare = [_download(order)] if not order.source and order.can_download else []
    servers = order.servers()  # they are asked only now that the options are known to be right
    if "server" in chosen:
        sources["server"] = [server_source(server) for server in servers]
    asked = [source for name in _SOURCES for source in sources.get(name, ())]
    return Planner(view, servers, _own(order).fetch(), fingerprints).plan(asked, spare)


def _usual(order: TrustOrder) -> frozenset[str]:
    """Return the sources that are asked where none is chosen."""
    own = "file" if order.ca_file else "system"
    return frozenset({own, "server"} | ({"directory"} if order.ldap_url else set()))


def _source(order: TrustOrder, name: str) -> "Source":
    """Make a source.

    Raises:
        UsageError: It lacks the option that says where it is.
    """
    needs = {
        "file": (order.ca_file, "--ca-file"),
        "directory": (order.ldap_url, "--ldap-url"),
        "download": (order.can_download, "--chain-download-url or --web-services-url"),
    }
    given, option = needs.get(name, (True, ""))
    if not given:
        raise UsageError(f"--source {name} needs {option}")
    return _MAKERS[name](order)


def _own(order: TrustOrder) -> "Source":
    """Return what this computer trusts: the file that is named and nothing else, or its own."""
    return _MAKERS["file" if order.ca_file else "system"](order)


def _file(order: TrustOrder) -> "Source":
    from usbprov.webservices.trust.sources import FileSource

    return FileSource(order.ca_file or Path())


def _system(_order: TrustOrder) -> "Source":
    from usbprov.webservices.trust.sources import SystemSource

    return SystemSource()


def _download(order: TrustOrder) -> "Source":
    from usbprov.webservices.trust.download import (
        DownloadSource,
        anonymous_url,
        download_url,
        site_form,
    )
    from usbprov.webservices.urls import service_url

    if order.chain_download_url:
        url = download_url(order.chain_download_url)
    else:
        url = anonymous_url(service_url(order.web_services_url or ""))
    return DownloadSource(url, site_form(site(order.allow_old_tls).chain_form))


def _directory(order: TrustOrder) -> "Source":
    from usbprov.webservices.trust.directory import Bind, DirectorySource, directory_address

    user = order.ldap_user
    password = secret_source(
        "password", stdin=order.password_stdin, descriptor=order.password_fd, who=user or "nobody"
    )
    return DirectorySource(
        directory_address(order.ldap_url or ""),
        Bind(user, password) if user else None,
        start_tls=order.ldap_start_tls,
        ca_file=order.ca_file,
        plain_password=order.ldap_plain_password,
    )


_MAKERS: Mapping[str, "Callable[[TrustOrder], Source]"] = {
    "file": _file,
    "system": _system,
    "directory": _directory,
    "download": _download,
}


def _fingerprint(text: str) -> str:
    """Take a SHA-256 as people write it: with colons or spaces, in capitals."""
    digits = "".join(c for c in text.lower() if c not in ": -")
    if len(digits) != 64 or any(c not in "0123456789abcdef" for c in digits):
        raise UsageError(f"--fingerprint {text!r} is no SHA-256: 64 hex digits")
    return digits
