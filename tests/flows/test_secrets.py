"""What a night leaves behind holds none of the secrets that it was given."""

import base64
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from flows.settings import load
from pipeline.errors import InputError
from pipeline.ingest import ingest


def forms_of(secret):
    """A secret as it stands in files: as it is, in an address, and in base64 at each of the three places in a group."""
    coded = [base64.b64encode(b"x" * shift + secret.encode())[4 * (shift > 0) : -4] for shift in range(3)]
    return {secret.encode(), quote(secret, safe="").encode(), *coded}


def found_in(data, secrets):
    return [secret for secret in secrets if any(form in data for form in forms_of(secret))]


def left_in(*folders):
    """The content of every file, by its path."""
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_the_search_finds_what_is_there(planted):
    secret = planted["NIGHTSHIFT_TOKEN"]
    for shift in range(3):
        assert found_in(b"..." + base64.b64encode(b"y" * shift + secret.encode() + b"zz"), [secret]) == [secret]
    assert found_in(b"https://a/?t=planted%2Fservice%2Bword&v=1", [secret]) == [secret]
    assert found_in(b"planted", [secret]) == []


def test_a_night_leaves_no_secret(night, environment, planted, tmp_path_factory):
    folder, run = night
    left = left_in(folder, Path(environment["PREFECT_HOME"]))
    assert {path: found for path, data in left.items() if (found := found_in(data, planted.values()))} == {}
    assert found_in((run.stdout + run.stderr).encode(), planted.values()) == []
    names = {path.name for path in left}
    assert {"manifest.json", "report.html", "model_card.md", "prefect.db"} <= names
    database = b"".join(data for path, data in left.items() if path.name.startswith("prefect.db"))
    assert b"weather-en-fr" in database  # it is there that a run's parameters and artifacts are


@pytest.fixture
def guarded():
    """A server that wants a token for its file, and the file's SHA-256."""
    content = b"one\teins\ntwo\tzwei\n"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            is_known = self.headers.get("Authorization") == "Bearer planted/source+word"
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(content) if is_known else 0))
            self.end_headers()
            self.wfile.write(content if is_known else b"")

        def log_message(self, *_):
            """Says nothing: the test's own assertions do."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/a.tsv", hashlib.sha256(content).hexdigest()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_source_that_wants_a_token_leaves_none(guarded, tmp_path, own_cache, monkeypatch, planted):
    secret = planted["NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG"]
    monkeypatch.setenv("NIGHTSHIFT_HTTPS_TOKEN_127_0_0_1", secret)
    url, digest = guarded
    source = f"{{kind: table, path: '{url}', sha256: {digest}, source: 1, target: 2}}"
    config = load(overrides=[f"corpus.train=[{source}]", f"workspace={tmp_path}"])
    made = config.run(ingest)
    assert made.counts == {"train": 2}
    left = left_in(tmp_path, own_cache)
    assert len(left) > 2
    assert [path for path, data in left.items() if found_in(data, [secret])] == []


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (
            "https://ada:planted@data.example.org/a.tsv",
            "https://...@data.example.org/a.tsv: expected an address without a",
        ),
        (
            "https://data.example.org/a.tsv?sig=planted",
            "https://data.example.org/a.tsv?sig=...: expected an address with",
        ),
    ],
)
def test_a_secret_in_a_configuration_is_refused_and_not_repeated(place, what):
    with pytest.raises(InputError) as caught:
        load(overrides=[f"corpus.train=[{{kind: table, path: '{place}', source: 1, target: 2}}]"])
    assert str(caught.value).startswith(f"corpus.train[0].path = {what}")
    assert "NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG" in str(caught.value)
    assert "planted" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
