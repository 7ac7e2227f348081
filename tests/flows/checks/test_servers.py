"""Rights, clocks and releases, as servers on loopback tell them."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prefect.settings import PREFECT_API_KEY, temporary_settings

from flows.checks.clocks import fetch, find_deployments, find_prefect, skew_of
from flows.checks.rights import NEEDED, READ, find_bucket, find_rights
from flows.deployments import DeploymentsConfig
from flows.settings import load
from pipeline.storage import open_storage


@pytest.fixture
def server():
    """A server that gives JSON by the path, or a status, and whose clock is wrong by some seconds."""

    @contextmanager
    def serve(answers, wrong_by=0.0):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                shown.append(self.headers.get("Authorization"))
                found = next((answers[path] for path in answers if path in self.path), 404)
                data = b"" if isinstance(found, int) else json.dumps(found).encode()
                goes_on = isinstance(found, str) and found.startswith("http")
                self.send_response(found if isinstance(found, int) else 302 if goes_on else 200)
                if goes_on:
                    self.send_header("Location", found)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(data)

            def date_time_string(self, timestamp=None):
                import time

                return super().date_time_string(time.time() + wrong_by)

            def log_message(self, *_):
                """Says nothing: the test's own assertions do."""

        shown = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", shown
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    return serve


def states(findings):
    return [(finding.state, finding.subject) for finding in findings]


@pytest.mark.parametrize(
    ("given", "needed", "expected"),
    [
        (NEEDED, NEEDED, ["ok"]),
        (READ, READ, ["ok"]),
        (READ, NEEDED, ["warning"]),
        ([*NEEDED, "storage.buckets.setIamPolicy"], NEEDED, ["warning"]),
        (NEEDED, READ, ["warning"]),
        (["storage.buckets.delete"], NEEDED, ["warning", "warning"]),
    ],
)
def test_rights_are_those_that_are_needed_and_no_more(server, monkeypatch, given, needed, expected):
    with server({"testPermissions": {"permissions": list(given)}, "/o": {"items": []}}) as (address, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        found = list(find_bucket("registry", open_storage("gs://models/prefix"), needed))
    assert states(found) == [(state, "registry") for state in expected]
    missing = sorted(set(needed) - set(given))
    assert not missing or f"these credentials lack {', '.join(missing)}" in found[0].said


def test_a_server_that_tells_no_rights_is_no_mistake(bucket):
    found = list(find_bucket("registry", open_storage(f"{bucket}/models"), NEEDED))
    assert states(found) == [("ok", "registry")]
    assert "does not tell which rights there are" in found[0].said


def test_a_registry_that_everybody_may_write_is_told(tmp_path):
    config = load("weather", overrides=[f"registry={tmp_path}"])
    assert list(find_rights(config)) == []
    tmp_path.chmod(0o777)
    assert states(find_rights(config)) == [("warning", "registry")]


@pytest.mark.parametrize("wrong_by", [0, -3600, 90])
def test_the_skew_is_that_of_the_clock(server, wrong_by):
    with server({"": {}}, wrong_by) as (address, _):
        assert skew_of(address) == pytest.approx(-wrong_by, abs=3)


@pytest.mark.parametrize(
    ("answers", "wrong_by", "expected", "said"),
    [
        ({"version": "3.8.8", "health": "well"}, 0, ["ok", "ok"], "Prefect 3.8.8"),
        ({"version": "3.1.2", "health": "well"}, 0, ["warning", "ok"], "its release is 3.1.2, this machine's 3.8.8"),
        ({"version": "3.8.8", "health": "well"}, 300, ["ok", "warning"], "clock is 300 s behind the server's"),
        ({"version": 401}, 0, ["wrong"], "it answers 401 (PREFECT_API_KEY or PREFECT_API_AUTH_STRING is missing"),
    ],
)
def test_prefects_server(server, answers, wrong_by, expected, said):
    with server(answers, wrong_by) as (address, shown), temporary_settings({PREFECT_API_KEY: "planted"}):
        found = list(find_prefect(f"{address}/api"))
    assert [finding.state for finding in found] == expected
    assert said in " ".join(finding.said for finding in found)
    assert shown[0] == "Bearer planted"


def test_a_server_that_is_gone_is_told_without_its_password():
    [found] = find_prefect("http://ada:planted@127.0.0.1:1/api")
    assert found.state == "wrong"
    assert "planted" not in str(found)


def test_parts_of_a_night_are_deployments_of_the_server(server):
    config = DeploymentsConfig(prepare="prepare/data", train="train/gpu")
    with server({"/deployments/name/train/gpu": {"id": "1"}}) as (address, _):
        found = list(find_deployments(f"{address}/api", config))
    assert states(found) == [("wrong", "deployments.prepare"), ("ok", "deployments.train")]
    assert found[0].said.endswith("(nightshift deploy makes some)")
    assert states(find_deployments(None, config)) == [("wrong", "deployments.prepare"), ("wrong", "deployments.train")]
    assert list(find_deployments(None, DeploymentsConfig())) == []


def test_the_key_is_shown_to_no_server_that_another_one_names(server):
    with (
        server({"/version": "3.8.8"}) as (other, shown_there),
        server({"/version": f"{other}/version"}) as (address, shown),
        temporary_settings({PREFECT_API_KEY: "planted"}),
    ):
        assert fetch(f"{address}/version") == b'"3.8.8"'
    assert shown == ["Bearer planted"]
    assert shown_there == [None]
