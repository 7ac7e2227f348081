"""A server that speaks Dataflow's API, records what it is asked, and has the jobs run by the workers of `portable`.

As on the service, a job is the pipeline that was staged in the bucket, nothing else of this process, and its workers
have nothing of this machine but what the bucket holds.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
import pytest
from apache_beam.internal.gcp import auth
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_job_api_pb2 as jobs
from apache_beam.portability.api import beam_job_api_pb2_grpc, beam_runner_api_pb2, endpoints_pb2
from apache_beam.runners.portability.portable_runner import PortableMetrics
from google.cloud.dataflow_v1beta3 import JobState

from pipeline.beam_config import BeamConfig
from pipeline.storage import open_storage

TOKEN = "planted-token"
STATES = {
    jobs.JobState.DONE: "JOB_STATE_DONE",
    jobs.JobState.FAILED: "JOB_STATE_FAILED",
    jobs.JobState.CANCELLED: "JOB_STATE_CANCELLED",
}


@dataclass
class Dataflow:
    """What was asked for, and the jobs that came of it.

    Args:
        requests: the bodies of requests for new jobs.
        authorizations: what all requests showed.
        pipelines: what was staged for each job.
        jobs: their numbers.
        wanted: the states that jobs were asked to go into.
        cancel: ends a job.
        config: with which jobs come here.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    pipelines: list[bytes] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    cancel: Callable[[str], None] = print
    config: BeamConfig = field(default_factory=BeamConfig)


class Runner:
    """Runs staged pipelines at Beam's job server, their containers replaced by a worker pool."""

    def __init__(self, config: BeamConfig, channel: grpc.Channel) -> None:
        self.pool = config.environment.address
        self.server = beam_job_api_pb2_grpc.JobServiceStub(channel)

    def start(self, staged: bytes) -> str:
        """Starts a job and returns its number."""
        pipeline = beam_runner_api_pb2.Pipeline.FromString(staged)
        address = beam_runner_api_pb2.ExternalPayload(endpoint=endpoints_pb2.ApiServiceDescriptor(url=self.pool))
        for environment in pipeline.components.environments.values():
            environment.urn = common_urns.environments.EXTERNAL.urn
            environment.payload = address.SerializeToString()
            environment.ClearField("dependencies")
        prepared = self.server.Prepare(jobs.PrepareJobRequest(job_name="job", pipeline=pipeline))
        return self.server.Run(jobs.RunJobRequest(preparation_id=prepared.preparation_id)).job_id

    def state(self, job: str) -> str:
        """How a job stands, in Dataflow's words."""
        return STATES.get(self.server.GetState(jobs.GetJobStateRequest(job_id=job)).state, "JOB_STATE_RUNNING")

    def cancel(self, job: str) -> None:
        """Ends a job, as people do on its page in the console too."""
        self.server.Cancel(jobs.CancelJobRequest(job_id=job))

    def metrics(self, job: str) -> list[dict[str, Any]]:
        """What was counted, as Dataflow tells it: each counter once as it stands and once as it is sure."""
        found = []
        answer = self.server.GetJobMetrics(jobs.GetJobMetricsRequest(job_id=job))
        for counter in PortableMetrics(answer).query()["counters"]:
            name, step = counter.key.metric, {"step": counter.key.step, "namespace": counter.key.metric.namespace}
            for context in (step, step | {"tentative": "true"}):
                named = {"origin": "user", "name": name.name, "context": context}
                found.append({"name": named, "scalar": counter.committed or counter.attempted})
        return found

    def messages(self, job: str) -> list[dict[str, Any]]:
        """The errors of a job that has ended, and a line that follows them on the service."""
        told = self.server.GetMessageStream(jobs.JobMessagesRequest(job_id=job))
        texts = [message.message_response.message_text for message in told]
        return [
            {
                "id": str(number),
                "time": "2026-11-23T03:00:00Z",
                "messageImportance": "JOB_MESSAGE_ERROR",
                "messageText": f"{text}\n\nThe worker was the harness of a test.",
            }
            for number, text in enumerate(texts)
            if "Traceback" in text
        ]


@pytest.fixture
def dataflow(portable: BeamConfig, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataflow]:
    """The service for one test, which shows it a token of nobody."""
    from google.oauth2.credentials import Credentials

    monkeypatch.setattr(auth._Credentials, "_credentials", auth._ApitoolsCredentialsAdapter(Credentials(token=TOKEN)))
    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)
    service = Dataflow()
    with grpc.insecure_channel(portable.portable.job_endpoint) as channel:
        runner = Runner(portable, channel)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.requests.append(body)
                bucket, _, name = re.fullmatch(
                    r"gs://([^/]+)(/)(.*)", body["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
                ).groups()
                service.pipelines.append(open_storage(f"gs://{bucket}").read(name).data)
                service.jobs.append(runner.start(service.pipelines[-1]))
                self.answer(self.job(service.jobs[-1], "JOB_STATE_PENDING"))

            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.wanted.append(JobState(body["requestedState"]).name)
                job = self.path.partition("?")[0].rpartition("/")[2]
                runner.cancel(job)
                self.answer(self.job(job, runner.state(job)))

            def do_GET(self) -> None:
                job, _, what = self.path.partition("?")[0].rpartition("/jobs/")[2].partition("/")
                if what == "metrics":
                    self.answer({"metrics": runner.metrics(job)})
                elif what == "messages":
                    self.answer({"jobMessages": runner.messages(job)})
                else:
                    self.answer(self.job(job, runner.state(job)))

            def job(self, number: str, state: str) -> dict[str, Any]:
                given = service.requests[-1]
                return {name: given[name] for name in ("name", "clientRequestId")} | {
                    "id": number,
                    "currentState": state,
                }

            def answer(self, content: dict[str, Any]) -> None:
                service.authorizations.add(self.headers["Authorization"])
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing: the test's own assertions do."""

        server = ThreadingHTTPServer(("localhost", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        service.cancel = runner.cancel
        service.config = BeamConfig(
            runner="dataflow",
            exchange=f"{bucket}/exchange",
            dataflow={
                "project": "translation-1",
                "region": "europe-west1",
                "temp_location": f"{bucket}/temp",
                "staging_location": f"{bucket}/staging",
                "container_image": "europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0",
                "worker_type": "n2-standard-4",
                "max_workers": 20,
                "disk_gb": 50,
                "service_account": "workers@translation-1.iam.gserviceaccount.com",
                "subnetwork": "regions/europe-west1/subnetworks/jobs",
                "public_addresses": False,
            },
            options={"dataflow_endpoint": f"http://localhost:{server.server_address[1]}"},
        )
        try:
            yield service
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
