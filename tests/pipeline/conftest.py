"""Fixtures of the pipeline's tests: a Beam job server with a worker pool, reading a source, a faulty web server."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.beam_config import BeamConfig
from pipeline.records import SentencePair, Unreadable
from pipeline.sources import CorpusConfig, check_sources, parts_of, read_part

sys.path.append(str(Path(__file__).parents[2]))  # worker processes import tests' functions by name

# Beam's own job server. It runs a job with as many workers as there are pools, and asks one address for all of them, so
# that this one hands the requests on in turn.
JOB_SERVER = """
import os
import sys
from itertools import cycle
import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc as rpc
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

pools = sys.argv[1:]

class Job(BeamJob):
    def _invoke_runner(self):
        self.set_state(beam_job_api_pb2.JobState.RUNNING)
        runner = fn_runner.FnApiRunner(provision_info=self._provision_info)
        runner._num_workers = len(pools)
        return runner.run_via_runner_api(self._pipeline_proto, self.pipeline_options())

class InTurn(rpc.BeamFnExternalWorkerPoolServicer):
    turns = cycle(rpc.BeamFnExternalWorkerPoolStub(grpc.insecure_channel(pool)) for pool in pools)
    def StartWorker(self, request, context):
        return next(self.turns).StartWorker(request)

workers = grpc.server(shared_unbounded_instance())
rpc.add_BeamFnExternalWorkerPoolServicer_to_server(InTurn(), workers)
port = workers.add_insecure_port("localhost:0")
workers.start()
server = LocalJobServicer(beam_job_type=Job)
print(f"localhost:{server.start_grpc_server()} localhost:{port}", flush=True)
sys.stdin.read()
server.stop(0)  # which empties its folder
os._exit(0)  # whatever threads a job may have left
"""
WORKER_POOL = """
import os
import sys
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
address, server = BeamFnExternalWorkerPoolServicer.start()
print(address, flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the workers of `portable` run: a path that is relative means another file there."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def portable(emulator: str, elsewhere: Path) -> Iterator[BeamConfig]:
    """A configuration whose jobs go to a job server over gRPC, which has them run by workers in three processes."""
    with ExitStack() as stack:
        start = partial(started, elsewhere, {"STORAGE_EMULATOR_HOST": emulator})
        pools = [stack.enter_context(start(WORKER_POOL)) for _ in range(3)]  # all at once: importing Beam takes seconds
        jobs = stack.enter_context(start(JOB_SERVER, *map(address_of, pools)))
        server, workers = address_of(jobs).split()
        environment = {"kind": "external", "address": workers}
        yield BeamConfig(runner="portable", portable={"job_endpoint": server}, environment=environment)


@contextmanager
def started(folder: Path, settings: dict[str, str], code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that prints its address and ends with its standard input; what else it says is nobody's concern."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(root)} | settings,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # a cancelled job may keep it
                process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """What it printed, as soon as it has."""
    assert process.stdout
    return process.stdout.readline().strip()


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
