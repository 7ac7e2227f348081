"""Fixtures of the pipeline's tests: a Beam job server with a worker pool, reading a source, a faulty web server."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.beam_config import BeamConfig
from pipeline.records import SentencePair, Unreadable
from pipeline.sources import CorpusConfig, check_sources, parts_of, read_part

sys.path.append(str(Path(__file__).parents[2]))  # worker processes import tests' functions by name

JOB_SERVER = """
import sys
from apache_beam.runners.portability.local_job_service import LocalJobServicer
server = LocalJobServicer()
print(f"localhost:{server.start_grpc_server()}", flush=True)
sys.stdin.read()
server.stop(0)
"""
WORKER_POOL = """
import sys
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
address, server = BeamFnExternalWorkerPoolServicer.start()
print(address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def portable() -> Iterator[BeamConfig]:
    """A configuration whose jobs go to a job server over gRPC, which has them run by a worker in a third process."""
    with started(JOB_SERVER) as server, started(WORKER_POOL) as workers:
        options = {"job_endpoint": server, "environment_type": "EXTERNAL", "environment_config": workers}
        yield BeamConfig(runner="portable", options=options)


@contextmanager
def started(code: str) -> Iterator[str]:
    """A process that prints its address and ends with its standard input; what else it says is nobody's concern."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # a cancelled job may keep it
                process.kill()


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
    shown: list = field(default_factory=list)  # the header Authorization of each of them
    address: str = ""


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server on loopback."""
    state = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            state.shown.append(self.headers.get("Authorization"))
            fault = state.faults.pop(0) if state.faults else None
            if isinstance(fault, int):
                self.answer(fault, b"")
            elif isinstance(fault, tuple) and fault[0] == "to":
                self.answer(302, b"", Location=fault[1])
            elif asked and fault != "whole":
                whole = len(state.content)
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last or whole), whole - 1)
                if start >= whole:
                    self.answer(416, b"", **{"Content-Range": f"bytes */{whole}"})
                else:
                    span = {"Content-Range": f"bytes {start}-{end}/{whole}"}
                    self.answer(206, state.content[start : end + 1], fault, **span)
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
