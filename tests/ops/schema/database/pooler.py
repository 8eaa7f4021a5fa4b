"""A pooler as PgBouncer is one, as far as what a client asks for when it connects goes."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterable, Iterator

from tests.engines import server_settings, server_url

#: Requests for an encrypted connection, which is answered with no (protocol, Message Formats).
ENCRYPTION = (80877103, 80877104)


def _parts(client: socket.socket) -> tuple[int, dict[str, str]]:
    """Read one start-up message."""
    (length,) = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))
    body = client.recv(length - 4, socket.MSG_WAITALL)
    words = body[4:].rstrip(b"\0").decode().split("\0")
    return struct.unpack("!i", body[:4])[0], dict(zip(words[::2], words[1::2], strict=False))


def _message(code: int, values: dict[str, str]) -> bytes:
    words = "".join(f"{name}\0{value}\0" for name, value in values.items()) + "\0"
    body = struct.pack("!i", code) + words.encode()
    return struct.pack("!i", len(body) + 4) + body


def _server() -> socket.socket:
    values = server_settings(server_url())
    host, port = str(values["HOST"]), int(values["PORT"] or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    made = socket.socket(socket.AF_UNIX)
    made.connect(f"{host}/.s.PGSQL.{port}")
    return made


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            sink.sendall(content)
        sink.shutdown(socket.SHUT_WR)


class _Client(socketserver.BaseRequestHandler):
    """One client's connection."""

    def handle(self):
        client = self.request
        code, values = _parts(client)
        while code in ENCRYPTION:
            client.sendall(b"N")
            code, values = _parts(client)
        if values.pop("options", None) and not self.server.ignores_options:
            text = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
            client.sendall(b"E" + struct.pack("!i", len(text) + 4) + text)
            return
        if self.server.databases:
            values["database"] = self.server.databases.pop(0)
        with _server() as server:
            server.sendall(_message(code, values))
            back = threading.Thread(target=_pump, args=(server, client))
            back.start()
            _pump(client, server)
            back.join()


@contextlib.contextmanager
def pooler(*, ignores_options: bool, databases: Iterable[str] = ()) -> Iterator[int]:
    """Yield the port of a pooler that refuses ``options``, or leaves them out unsaid.

    The first connections go to these ``databases``, whatever was asked for.
    """
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Client) as server:
        server.daemon_threads = True  # a test that fails leaves connections open
        server.ignores_options, server.databases = ignores_options, list(databases)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
