"""A hand-written server for answers that the sandbox, which is faithful, never gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, bytes]
Script = Callable[[str, dict[str, str]], Answer]


@dataclass
class Conversation:
    """Where the server listens, and what was asked: path, query, lower-case headers."""

    base_url: str
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@contextmanager
def conversation(script: Script, headers: Mapping[str, str] | None = None) -> Iterator[Conversation]:
    """Serve `script(path, query)` on loopback; a status of 302 redirects to the body's address.

    Args:
        headers: go with each answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            talk.asked.append((parts.path, query, {k.lower(): v for k, v in self.headers.items()}))
            status, body = script(parts.path, query)
            self.send_response_only(status)  # without the Date of the machine that the test runs on
            if status == 302:
                self.send_header("Location", body.decode())
                body = b""
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    talk = Conversation(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield talk
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
