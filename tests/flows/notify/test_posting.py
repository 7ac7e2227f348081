import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from flows.notify import posting
from flows.notify.posting import post

MESSAGE = {"text": "retrain weather-en-fr: Failed", "link": ""}
Answers = Callable[..., tuple[str, list[object]]]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Starts a web server that answers with one status after the other; gives its address, and what it was told."""
    monkeypatch.setattr(posting, "SECONDS_BETWEEN_TRIES", 0.01)
    servers: list[ThreadingHTTPServer] = []

    def start(*statuses: int) -> tuple[str, list[object]]:
        told: list[object] = []
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(left.pop(0))
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=[0.02]).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/T0/abcdef", told

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("statuses", "times", "wrong"),
    [
        ([200], 1, ""),
        ([204], 1, ""),
        ([503, 429, 200], 3, ""),
        ([500, 500, 502], 3, "status 502"),
        ([404], 1, "status 404"),
        ([302], 1, "status 302"),
    ],
)
def test_a_few_tries_where_another_one_may_help(answering, statuses, times, wrong):
    address, told = answering(*statuses)
    assert post(address, MESSAGE) == wrong
    assert told == [("/T0/abcdef", MESSAGE)] * times


def test_what_is_wrong_is_told_without_the_address(answering, monkeypatch):
    monkeypatch.setattr(posting, "TRIES", 2)
    assert post("http://127.0.0.1:1/T0/abcdef", MESSAGE) == "ConnectionError"
