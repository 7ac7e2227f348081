"""Fixtures of the pipeline's tests: a Beam job server and a worker pool, each a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.beam_config import BeamConfig

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
