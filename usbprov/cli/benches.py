"""A bench, put together for the commands: run, with its board, and what it came to."""

import contextlib
import gc
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from usbprov.cli import bench_documents, documents
from usbprov.cli.boards import Board, board_of
from usbprov.cli.failure import ToldError
from usbprov.cli.servers import discovered
from usbprov.errors import BenchStopped, SomeFailed, UsageError, UsbprovError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from usbprov.bench.bench import Bench, Setup
    from usbprov.bench.portmap import PortMap
    from usbprov.bench.roster import Roster
    from usbprov.bench.servers import RealServers
    from usbprov.bench.web.address import BoardAddress
    from usbprov.ledger.ledger import Ledger
    from usbprov.net.site import Site
    from usbprov.phone.candidates import Reach
    from usbprov.usb.devices import Bus
    from usbprov.webservices.discovery.report import Discovery

_STOPPING = "Stopping: {left} {phones} still at a step. Ctrl-C again ends at once."
_AT_ONCE = "Ended at once: what was begun goes on when the bench is started again."
_SAID_AGAIN = 5.0
"""Seconds after which the same words are said again: a key may have wiped them away."""

_STOPPED = "Stopped: what was begun goes on when the bench is started again."


@dataclass(frozen=True)
class Place:
    """Where a bench stands: what it reaches phones and servers by.

    Attributes:
        buses: Where phones are plugged in.
        reach: How they are reached.
        ledger: Where everything is recorded.
        ca_file: The only trust anchors, or None for the system's.
        site: What the site has settled about its servers.
        ports: What its ports are called, and how they lie.
    """

    buses: "Sequence[Bus]"
    reach: "Reach"
    ledger: "Ledger"
    ca_file: "Path | None"
    site: "Site"
    ports: "PortMap"

    def bench(self, setup: "Setup") -> "Bench":
        """Return the bench; nothing is done yet."""
        from usbprov.bench.bench import Bench
        from usbprov.bench.limits import CallLimit
        from usbprov.bench.servers import RealServers

        order = setup.order
        servers = RealServers(
            order.web_services_url,
            order.registrar,
            self.ca_file,
            self.site,
            CallLimit(setup.bounds.calls),
        )
        # While the operator plugs in the first phone.
        threading.Thread(target=_prepare, args=(servers,), name="prepare", daemon=True).start()
        return Bench(setup, servers, self.ledger, self.buses, self.reach, self.ports.label_of)


def find_servers(users: "Roster", ca_file: "Path | None", site: "Site") -> "Discovery":
    """Find the servers of a roster by its users' SIP domain, and say which they are.

    Raises:
        UsageError: Its users are of several domains, whose servers may be several, too.
    """
    from usbprov.webservices.discovery.report import DiscoveryRequest

    uris = [entry.sip_uri for entry in users.entries if entry.sip_uri]
    domains = sorted({uri.rpartition("@")[2].lower() for uri in uris})
    if len(domains) > 1:
        raise UsageError(f"--discover needs users of one SIP domain, not of {', '.join(domains)}")
    domain = domains[0] if domains else None
    found = discovered(DiscoveryRequest(domain=domain, ca_file=ca_file, site=site))
    click.echo(f"Web Services: {found.web_services_url} ({found.why})", err=True)
    return found


def _prepare(servers: "RealServers") -> None:
    from usbprov.bench.memory import trim
    from usbprov.phone.registry import drivers

    drivers()
    servers.prepare()
    # What is there now stays; to look through it for garbage takes 50 ms each time.
    gc.collect()
    gc.freeze()
    trim()


@dataclass(frozen=True)
class Until:
    """When a bench ends by itself: when all that is plugged in is done, or so many phones are."""

    once: bool = False
    count: int | None = None


@dataclass(frozen=True)
class Show:
    """How a bench is shown.

    Attributes:
        as_json: Whether by JSON lines.
        quiet: Whether not at all.
        scans: Whether scans and keys are read from standard input.
        web: Where browsers are shown it, too, or None.
    """

    as_json: bool = False
    quiet: bool = False
    scans: bool = False
    web: "BoardAddress | None" = None


def run_bench(place: Place, setup: "Setup", until: Until, show: Show) -> None:
    """Run a bench, show its board, and say what it came to.

    Raises:
        ToldError: The same, when it was told in JSON.
        SomeFailed: Not all phones that were plugged in are done.
        BenchStopped: The user ended it; what was begun goes on when it is started again.
    """
    from usbprov.bench.memory import share_heaps

    share_heaps()
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(place.bench(setup))
        link = ""
        if show.web is not None:
            link = stack.enter_context(_web_board(bench, setup.name, place, show.web))
        shown = board_of(
            bench,
            setup.name,
            as_json=show.as_json,
            quiet=show.quiet,
            scans=show.scans,
            link=link,
        )
        board = stack.enter_context(shown)
        if setup.pins is not None:
            setup.pins.attended = lambda: show.web is not None or board.takes_pins
        try:
            bench.run(once=until.once, until=until.count)
        except KeyboardInterrupt:
            _stop(bench, board)
            error: UsbprovError | None = BenchStopped(setup.name, len(bench.unfinished()))
        else:
            error = _failure(bench)
    _conclude(bench, error, show)


@contextlib.contextmanager
def _web_board(bench: "Bench", name: str, place: Place, address: "BoardAddress") -> "Iterator[str]":
    """Show the bench to browsers; yields the link, which holds a token: it is never logged."""
    from usbprov.bench.web.server import BoardServer

    with BoardServer(bench.feed, bench, place.ports.layout, address, name=name) as board:
        click.echo(f"Board: {board.url}", err=True)
        if not address.is_loopback:
            click.echo("It is plain HTTP: what goes over that network can be read.", err=True)
        yield board.url


def _stop(bench: "Bench", board: Board) -> None:
    """Wait until every phone is at a point where it can be left, and say so meanwhile.

    Ctrl-C once more does not wait: then the phones are left as after a power cut, and go on from
    there, too.
    """
    said = ("", 0.0)

    def tell(left: int) -> None:
        nonlocal said
        words = _STOPPING.format(left=left, phones="phone" if left == 1 else "phones")
        if said[0] != words or time.monotonic() - said[1] > _SAID_AGAIN:
            said = (words, time.monotonic())
            board.say(words)

    try:
        bench.stop()
        bench.finish(tell)
        board.say(_STOPPED)
    except KeyboardInterrupt:
        bench.abandon()
        board.say(_AT_ONCE)


def _failure(bench: "Bench") -> "SomeFailed | None":
    failed = len(bench.unfinished())
    return SomeFailed(failed, failed + bench.done) if failed else None


def _conclude(bench: "Bench", error: UsbprovError | None, show: Show) -> None:
    """Say what the run has come to, once everything has ended."""
    view = bench.view()
    if show.as_json:
        documents.show_line(bench_documents.summary(view, bench.unfinished(), error))
        if error is not None:
            raise ToldError(error)
    elif not show.quiet:
        click.echo(f"{view.done} of {view.roster} users have their phone.")
    if error is not None:
        raise error
