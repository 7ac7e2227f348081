"""What only a bucket knows: preconditions, credentials, and answers that get lost on the way; on a real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from pipeline.errors import InputError
from pipeline.storage import ABSENT, Conflict, open_storage


def test_a_prefix_cannot_leave_its_bucket(bucket: str) -> None:
    with pytest.raises(InputError, match=r"^name = a/../b"):
        open_storage(f"{bucket}/a/../b")


def test_a_bucket_that_does_not_exist_is_named(bucket: str) -> None:
    with pytest.raises(InputError) as caught:
        open_storage(f"{bucket}-other/prefix")

    assert str(caught.value) == (
        f"registry = {bucket}-other/prefix: expected a bucket that exists (create it first, or correct the name)"
    )


def test_missing_credentials_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    with pytest.raises(InputError, match="registry = gs://bucket/prefix: expected a bucket and credentials for it"):
        open_storage("gs://bucket/prefix")


@contextmanager
def faulty_proxy(server: str, faults: list[tuple[str, int, bool]]) -> Iterator[str]:
    """A server before the server. A fault is (method, status to answer, whether the request is carried out)."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = next((fault for fault in faults if fault[0] == self.command), None)
            if fault:
                faults.remove(fault)
            status, answer, headers = 0, b"", {}
            if not fault or fault[2]:
                connection = HTTPConnection(urlsplit(server).netloc)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                status, answer = response.status, response.read()
                headers = {name: value for name, value in response.getheaders() if name != "Transfer-Encoding"}
                connection.close()
            if fault:
                status, answer, headers = fault[1], b"{}", {}
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(answer))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - names the base class looks for

        def log_message(self, *_: object) -> None:
            """Says nothing: the test's own assertions do."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    thread = Thread(target=proxy.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def test_a_write_whose_answer_got_lost_is_not_reported_as_lost(
    bucket: str, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [("POST", 503, True)]
    with faulty_proxy(emulator, faults) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        storage = open_storage(bucket)
        generation = storage.write("claim", b"mine", if_generation=ABSENT)

        with pytest.raises(Conflict):
            storage.write("claim", b"mine", if_generation=ABSENT)
        stored = storage.read("claim")

    assert faults == []
    assert stored is not None
    assert (stored.data, stored.generation) == (b"mine", generation)


def test_equal_bytes_of_another_writer_do_not_pass_for_ours(bucket: str) -> None:
    open_storage(bucket).write("claim", b"same", if_generation=ABSENT)

    with pytest.raises(Conflict):
        open_storage(bucket).write("claim", b"same", if_generation=ABSENT)


@pytest.mark.parametrize("status", [429, 503])
def test_requests_the_service_could_not_serve_are_repeated(
    bucket: str, emulator: str, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    faults = [("POST", status, False), ("GET", status, False), ("DELETE", status, True)]
    with faulty_proxy(emulator, faults) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        storage = open_storage(bucket)
        storage.write("one", b"1")
        stored = storage.read("one")
        storage.delete("one")

        assert stored is not None
        assert stored.data == b"1"
        assert storage.names() == []
    assert faults == []


def test_credentials_without_permission_are_told(bucket: str, emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_proxy(emulator, [("POST", 403, False)]) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)

        with pytest.raises(InputError, match="expected a bucket these credentials may read and write"):
            open_storage(bucket).check_writable()


def test_a_service_that_stays_away_is_no_bad_input(bucket: str, emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.cloud.storage.retry import DEFAULT_RETRY

    from pipeline import gcs

    monkeypatch.setattr(gcs, "DEFAULT_RETRY", DEFAULT_RETRY.with_timeout(0.2))
    with faulty_proxy(emulator, [("GET", 503, False)] * 20) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)

        with pytest.raises(ConnectionError, match=f"{bucket} could not be reached"):
            open_storage(bucket)


def test_a_conditional_write_is_one_request(bucket: str) -> None:
    with pytest.raises(ValueError, match="need upload"):
        open_storage(bucket).write("large", bytes(8 * 2**20 + 1), if_generation=ABSENT)
