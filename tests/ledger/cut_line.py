"""A line to the server that breaks at a COMMIT: before the server has it, or before its answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_COMMIT = b"COMMIT\0"  # alone or after an entry; not BEGIN ISOLATION LEVEL READ COMMITTED


class Line:
    """Forwards connections; ``cut`` says at which point the next COMMIT is not let through."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = ""
        self.cuts = 0
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        threads = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.create_connection(self._server)
                for work in (self._forward, self._answer):
                    threads.append(threading.Thread(target=work, args=(client, upstream)))
                    threads[-1].start()
        for thread in threads:
            thread.join()

    def _forward(self, client: socket.socket, upstream: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if _COMMIT in data and self.cut == "before":
                    break
                if _COMMIT in data and self.cut == "after":
                    self._commit(upstream, client, data)
                    return
                upstream.sendall(data)
        self._hang_up(client, upstream, was_cut=self.cut == "before")

    def _commit(self, upstream: socket.socket, client: socket.socket, data: bytes) -> None:
        """Let the server commit; its answer is lost with the line."""
        client.shutdown(socket.SHUT_WR)  # from now on nothing reaches the client
        upstream.sendall(data)
        upstream.shutdown(socket.SHUT_WR)
        self._hang_up(client, None, was_cut=True)

    def _hang_up(
        self, client: socket.socket, upstream: socket.socket | None, *, was_cut: bool
    ) -> None:
        if was_cut:
            self.cuts += 1
            self.cut = ""
        for end in (client, upstream):
            with suppress(OSError):
                if end is not None:
                    end.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, upstream: socket.socket) -> None:
        with client, upstream:
            with suppress(OSError):
                while data := upstream.recv(65536):
                    client.sendall(data)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    line = Line(("127.0.0.1", port))
    try:
        yield line
    finally:
        line.close()
