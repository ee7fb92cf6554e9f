"""``check chain``: would somebody accept a server? A phone, a model, or this computer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from cryptography import x509

from usbprov.engine.checks.network import Network
from usbprov.engine.checks.sequence import CheckStep, Seen, StepFailed
from usbprov.engine.checks.servers import chain_lines
from usbprov.pki.certificates import shown_name
from usbprov.pki.limits import ChainLimits
from usbprov.pki.validation import Verdict, Verifier
from usbprov.webservices.trust.plan import refusal
from usbprov.webservices.trust.servers import Server, ServerAddress


class Viewer(Protocol):
    """Somebody who judges servers; ``PhoneView`` is one."""

    @property
    def name(self) -> str:
        """How it is called in messages."""
        ...

    def judge(self, server: Server, known: Iterable[x509.Certificate]) -> Verdict:
        """Say what it makes of a server; nothing of ``known`` is its own."""
        ...


@dataclass(frozen=True)
class ModelView:
    """A model that is not here: its limits are known, its roots are taken to be this computer's."""

    name: str
    limits: ChainLimits
    anchors: frozenset[x509.Certificate] = field(repr=False)

    def judge(self, server: Server, known: Iterable[x509.Certificate]) -> Verdict:
        """Judge with this computer's clock."""
        verifier = Verifier(self.anchors, datetime.now(UTC), self.limits)
        return verifier.judge(server.chain, server.address.host, known)


@dataclass
class ChainCheck:
    """Servers, and who is to accept them.

    Attributes:
        network: Reaches them.
        viewer: Who; None stands for this computer.
    """

    network: Network
    viewer: Viewer | None = None


def chain_steps(addresses: Sequence[ServerAddress]) -> Sequence[CheckStep[ChainCheck]]:
    """Return a step for each server; its name is the address."""
    return tuple(CheckStep(str(address), _looker(address)) for address in addresses)


def _looker(address: ServerAddress) -> Callable[[ChainCheck], Seen]:
    def look(of: ChainCheck) -> Seen:
        server = of.network.look_at(address)
        if of.viewer is not None:
            return accept(server, of.viewer.judge(server, ()), of.viewer.name)
        if server.problem is not None:
            raise StepFailed(server.problem, detail=chain_lines(server))
        return Seen("this computer accepts it", chain_lines(server))

    return look


def accept(server: Server, verdict: Verdict, viewer: str) -> Seen:
    """Return what a step saw of a server that was judged.

    Raises:
        StepFailed: It is not trusted: with cause and remedy of the first thing that is wrong.
    """
    blocking = [finding for finding in verdict.findings if finding.blocks]
    borne = tuple(str(finding) for finding in verdict.findings if not finding.blocks)
    if not blocking:
        words = f"{viewer} accepts it, by {shown_name(verdict.path[-1].subject)}"
        return Seen(words, (*chain_lines(server), *borne))
    told = (*chain_lines(server), *map(str, verdict.findings))
    error = refusal(server, blocking, viewer)
    raise StepFailed(error, cause=blocking[0].cause, remedy=blocking[0].remedy, detail=told)
