"""What is bounded: ports at work, calls to servers at a time, threads that make keys."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from usbprov.engine.job import Services, SignsIn
from usbprov.phone.endpoint import Endpoint

if TYPE_CHECKING:
    from usbprov.net.credentials import CertificateCredential, Credential, Way
    from usbprov.registrar.client import SignIn
    from usbprov.webservices.ticket import Ticket
    from usbprov.webservices.trust.sources import Source


def processors() -> int:
    """Return how many processors this process may use."""
    count = getattr(os, "process_cpu_count", os.cpu_count)()
    return count or 1


@dataclass(frozen=True)
class Bounds:
    """The bounds of a bench.

    Attributes:
        ports: Phones worked on at a time; further ones wait in the state "plugged".
        calls: Calls to Web Services and Registrar at a time.
        key_threads: Threads that make keys for phones that cannot.
        keys_ahead: Keys that are made ahead for phones that are not plugged in yet.
    """

    ports: int = 128
    calls: int = 16
    key_threads: int = field(default_factory=processors)
    keys_ahead: int = 8


class CallLimit:
    """So many calls at a time, of all workers together. Thread-safe."""

    def __init__(self, calls: int) -> None:
        self._free = threading.BoundedSemaphore(calls)

    @contextmanager
    def turn(self, go_on: Callable[[], None]) -> Iterator[None]:
        """Wait for a turn; ``go_on`` is asked when it has come, and raises if it is too late."""
        with self._free:
            go_on()
            yield


class ClosableServices(Services, Protocol):
    """Web Services whose connections can be closed; they are opened again when they are needed."""

    def close(self) -> None:
        """Close the connections; may be called twice."""
        ...


class LimitedServices:
    """Web Services that wait for their turn.

    Args:
        services: The real ones.
        limit: Shared by all workers.
        go_on: Raises when nothing may be asked for any more.
        chain: Gives the presented chain in place of the services: it is the same for all.
    """

    def __init__(
        self,
        services: ClosableServices,
        limit: CallLimit,
        go_on: Callable[[], None],
        chain: Callable[[Callable[[], list[bytes]]], list[bytes]],
    ) -> None:
        self._services = services
        self._limit = limit
        self._go_on = go_on
        self._chain = chain

    def close(self) -> None:
        """Close the connections; see ``ClosableServices``."""
        self._services.close()

    def choose(self, ways: "Sequence[Way]") -> "Way":
        """See ``Services``."""
        with self._limit.turn(self._go_on):
            return self._services.choose(ways)

    def kept_ticket(self, user: str) -> "Ticket | None":
        """See ``Services``."""
        with self._limit.turn(self._go_on):
            return self._services.kept_ticket(user)

    def ticket(self, credential: "Credential", endpoint: Endpoint, user: str | None) -> "Ticket":
        """See ``Services``."""
        with self._limit.turn(self._go_on):
            return self._services.ticket(credential, endpoint, user)

    def publish(self, ticket: "Ticket", request: bytes, endpoint: Endpoint) -> bytes:
        """See ``Services``."""
        with self._limit.turn(self._go_on):
            return self._services.publish(ticket, request, endpoint)

    def presented_chain(self) -> list[bytes]:
        """See ``Services``; asked once for all workers, and again after a while."""

        def ask() -> list[bytes]:
            with self._limit.turn(self._go_on):
                return self._services.presented_chain()

        return self._chain(ask)

    def trusted_roots(self) -> list[bytes]:
        """See ``Services``; no call is made."""
        return self._services.trusted_roots()

    def chain_download(self) -> "Source":
        """See ``Services``; the source is not asked yet."""
        return self._services.chain_download()


class LimitedRegistrar:
    """A Registrar that waits for its turn."""

    def __init__(self, registrar: SignsIn, limit: CallLimit, go_on: Callable[[], None]) -> None:
        self._registrar = registrar
        self._limit = limit
        self._go_on = go_on

    def sign_in(
        self, user: str, credential: "CertificateCredential", endpoint: Endpoint
    ) -> "SignIn":
        """See ``SignsIn``."""
        with self._limit.turn(self._go_on):
            return self._registrar.sign_in(user, credential, endpoint)
