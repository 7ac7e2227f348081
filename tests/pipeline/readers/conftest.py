"""Fixtures of the readers' tests: reading a source as a stage does, and a web server whose connections break."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pipeline.records import SentencePair, Unreadable
from pipeline.sources import CorpusConfig, check_sources, parts_of, read_part


@pytest.fixture
def read() -> Callable[..., list[SentencePair | Unreadable]]:
    """Reads one source, in English and German unless told otherwise: `read(kind="jsonl", path=...)`."""

    def read_source(languages=("en", "de"), reading=None, **source):
        labels = dict(zip(("source_language", "target_language"), languages, strict=True))
        config = CorpusConfig(train=[source], reading=reading or {}, **labels)
        check_sources(config)
        return [record for part in parts_of(config) for record in read_part(part)]

    return read_source


@dataclass
class WebServer:
    """Serves `content` at every path; what is in `faults` happens first, one fault a request.

    A fault is a status to answer, ("cut", n): the connection breaks after n bytes, ("to", url): a redirect, or
    "whole": the range that was asked for is ignored.
    """

    content: bytes = b""
    faults: list = field(default_factory=list)
    ranges: list = field(default_factory=list)  # of the requests so far, None where there was none
    address: str = ""


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server on loopback."""
    state = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            fault = state.faults.pop(0) if state.faults else None
            if isinstance(fault, int):
                self.answer(fault, b"")
            elif isinstance(fault, tuple) and fault[0] == "to":
                self.answer(302, b"", Location=fault[1])
            elif asked and fault != "whole":
                start, whole = int(asked.removeprefix("bytes=").rstrip("-")), len(state.content)
                if start >= whole:
                    self.answer(416, b"", **{"Content-Range": f"bytes */{whole}"})
                else:
                    span = {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"}
                    self.answer(206, state.content[start:], fault, **span)
            else:
                self.answer(200, state.content, fault)

        def answer(self, status, body, fault=None, **headers) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: fault[1]] if isinstance(fault, tuple) else body)

        def log_message(self, *_: object) -> None:
            """Says nothing: the test's own assertions do."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
