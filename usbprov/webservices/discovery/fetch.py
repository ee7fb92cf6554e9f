"""GET for discovery: over verified HTTPS, and over plain HTTP for what anybody may read.

Redirects are not followed here but are answers: discovery decides where it may be led. What comes
over plain HTTP proves nothing, and nothing secret is ever sent so.
"""

import socket
import ssl

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection

from usbprov.net.deadline import TimeLimits, time_left
from usbprov.webservices.session import Answer, HttpSession

MEDIA_TYPE = "application/vnd.microsoft.rtc.autodiscover+xml"

_ACCEPT = f"{MEDIA_TYPE};v=1"


class _LimitedSocket(socket.socket):
    """A plain socket that keeps to the time limit of the whole exchange."""

    def recv_into(  # type: ignore[override]
        self, buffer: bytearray, nbytes: int = 0, flags: int = 0
    ) -> int:
        self._limit()
        return super().recv_into(buffer, nbytes, flags)

    def _limit(self) -> None:
        left = time_left()
        if left is not None:
            self.settimeout(left)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        timeout = plain.gettimeout()
        limited = _LimitedSocket(fileno=plain.detach())
        limited.settimeout(timeout)
        return limited


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _PlainAdapter(HTTPAdapter):
    """Plain HTTP within the time limit of the exchange, without retries."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=Retry(0, read=False))

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: object
    ) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool}


class Fetcher(HttpSession):
    """Fetches LyncDiscover's documents. Close it."""

    def __init__(self, tls: ssl.SSLContext, limits: TimeLimits) -> None:
        super().__init__(tls, limits)
        self._session.mount("http://", _PlainAdapter())

    def fetch(self, url: str) -> Answer:
        """Return whatever the server answers, a redirect too.

        Raises:
            ServiceError: There is no usable answer.
            TrustError: The server cannot prove who it is.
        """
        return self._exchange("GET", url, None, {"Accept": _ACCEPT})
