"""Downloads over real sockets: broken connections, wrong bytes, wrong addresses, and TLS."""

import hashlib
import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import InputError
from pipeline.reading import fetch
from pipeline.reading.digests import silent
from pipeline.reading.fetch import WebFile
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, check_sources, parts_of

CONTENT = b"one\teins\n" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bring(web, monkeypatch):
    """Downloads the server's file as a source would."""
    monkeypatch.setattr(fetch, "PAUSES", (0.01, 0.01))
    web.content = CONTENT
    return lambda url=None, sha256=SHA256: WebFile.of("corpus.train[0].path", url or web.address, sha256).bring(silent)


def test_a_file_is_downloaded_once(web, read):
    web.content = CONTENT
    source = {"kind": "table", "path": f"{web.address}/a.tsv?version=3", "source": 1, "target": 2, "sha256": SHA256}
    assert read(**source) == [SentencePair("one", "eins")] * 100_000
    [part] = parts_of(CorpusConfig(train=[source]))
    assert web.ranges == [None]
    assert (part.location, part.digest, part.origin) == (f"{web.address}/a.tsv", SHA256, "a")


def test_a_broken_connection_is_resumed(web, bring):
    web.faults = [("cut", 300_000), ("cut", 1), 503]
    assert bring().path.read_bytes() == CONTENT
    assert web.ranges == [None, "bytes=300000-", "bytes=300001-", "bytes=300001-"]


def test_the_next_run_goes_on(web, bring, own_cache):
    web.faults = [("cut", 300_000), 503, 503, 503]
    with pytest.raises(ConnectionError, match=rf"{web.address} could not be downloaded: the server answers 503"):
        bring()
    assert [path.name for path in own_cache.glob("downloads/[!.]*")] == []
    assert bring().path.read_bytes() == CONTENT
    assert web.ranges[-1] == "bytes=300000-"


def test_a_server_that_ignores_ranges_starts_anew(web, bring):
    web.faults = [("cut", 300_000), "whole"]
    assert bring().path.read_bytes() == CONTENT


def test_a_file_that_had_come_whole_is_not_asked_for_again(web, bring, own_cache):
    (own_cache / "downloads").mkdir(parents=True)
    (own_cache / "downloads" / f".{SHA256}.partial").write_bytes(CONTENT)
    assert bring().path.read_bytes() == CONTENT
    assert web.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("begun", [b"another beginning", CONTENT + b"more"])
def test_a_beginning_of_another_file_is_thrown_away(web, bring, own_cache, begun):
    (own_cache / "downloads").mkdir(parents=True)
    (own_cache / "downloads" / f".{SHA256}.partial").write_bytes(begun)
    assert bring().path.read_bytes() == CONTENT
    assert web.ranges == [f"bytes={len(begun)}-", None]


def test_wrong_bytes_are_refused_and_removed(web, bring, own_cache):
    web.content = b"<html>not found"
    digest = hashlib.sha256(web.content).hexdigest()
    with pytest.raises(
        InputError, match=rf"SHA-256 {SHA256} \(its SHA-256 is {digest}; what was downloaded is removed"
    ):
        bring()
    assert not [path for path in (own_cache / "downloads").iterdir() if path.suffix != ".lock"]


def test_a_download_that_was_damaged_on_disk_is_made_anew(web, bring):
    path = bring().path
    path.write_bytes(b"damaged")
    assert bring().path.read_bytes() == CONTENT
    assert len(web.ranges) == 2


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_no_other_try_would_change_is_an_error_at_once(web, bring, status):
    web.faults = [status]
    with pytest.raises(InputError, match=rf"path = {web.address}: .* can be downloaded \(the server answers {status}"):
        bring()
    assert len(web.ranges) == 1


def test_redirects_are_followed_on_this_machine(web, bring):
    web.faults = [("to", "/elsewhere"), ("to", f"{web.address}/there")]
    assert bring().path.read_bytes() == CONTENT


@pytest.mark.parametrize("answer", [206, 416])
def test_an_answer_to_what_nobody_asked(web, bring, answer):
    web.faults = [answer]
    assert bring().path.read_bytes() == CONTENT
    assert web.ranges == [None, None]


@pytest.mark.parametrize(
    "target", ["http://example.com/a", "https://user:pass@example.com/a", "file:///etc/passwd", "ftp://h/a"]
)
def test_no_redirect_leads_away_from_safe_addresses(web, bring, target):
    web.faults = [("to", target)]
    with pytest.raises(InputError, match="expected an address that stays with https") as caught:
        bring()
    assert "user:pass" not in str(caught.value)


def test_redirects_in_a_circle(web, bring):
    web.faults = [("to", "/")] * 20
    with pytest.raises(InputError, match="expected at most 10 redirects"):
        bring()


def test_no_server_there(bring, web):
    unused = web.address.rpartition(":")[0] + ":9"
    with pytest.raises(ConnectionError, match="could not be downloaded: the connection broke or could not be made"):
        bring(f"{unused}/a?v=secret")


def test_a_file_larger_than_the_disk_is_refused_before_it_comes(web, bring, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: fetch.shutil._ntuple_diskusage(10, 5, 5))
    with pytest.raises(InputError, match=r"which has 5 bytes left \(900,000 bytes are to come\)"):
        bring()


def test_a_full_disk_leaves_nothing(bring, own_cache):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    partial = own_cache / "downloads" / f".{SHA256}.partial"
    partial.parent.mkdir(parents=True)
    partial.symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"expected space in .*downloads \(No space left on device\)"):
        bring()
    assert not partial.is_symlink()


@pytest.mark.parametrize(
    ("url", "sha256", "message"),
    [
        ("http://example.com/a.tsv", SHA256, r"path = http://example.com/a.tsv: .*\(only https is spoken\)"),
        ("http://127.0.0.1.example.com/a", SHA256, "only https is spoken"),
        ("ftp://example.com/a.tsv", SHA256, "only https is spoken"),
        ("https:///a", SHA256, "it names no host"),
        ("https://[::1/a", SHA256, "it names no host"),
        (
            "https://example.com/a?v=secret",
            "",
            r"train\[0\].sha256 = not given: expected the SHA-256 of https://example",
        ),
    ],
)
def test_addresses_that_are_not_used(url, sha256, message):
    config = CorpusConfig(train=[{"kind": "table", "path": url, "source": 1, "target": 2, "sha256": sha256}])
    for look in (check_sources, parts_of):
        with pytest.raises(InputError, match=message) as caught:
            look(config)
        assert "secret" not in str(caught.value)


def test_each_side_of_a_text_is_pinned():
    config = CorpusConfig(
        train=[{"source": "https://host/a.en", "target": "https://host/a.de", "source_sha256": SHA256}]
    )
    with pytest.raises(InputError, match=r"corpus.train\[0\].target_sha256 = not given"):
        check_sources(config)


def bring_in_a_process(url):
    return WebFile.of("path", url, SHA256).bring(silent).path.read_bytes() == CONTENT


def test_two_processes_that_want_the_same_file(web, own_cache):
    web.content = CONTENT
    with get_context("spawn").Pool(2) as pool:
        assert pool.map(bring_in_a_process, [web.address] * 2, chunksize=1) == [True, True]
    assert web.ranges == [None]


@pytest.fixture
def secure(web, tmp_path):
    """A server with a certificate of its own making; gives its address and the certificate's path."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers = (302, {"Location": web.address}) if self.path == "/away" else (200, {})
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(CONTENT))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_):
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that hangs up because it does not trust us is what the test is about."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_certificate_is_verified(bring, secure, monkeypatch):
    address, certificate = secure
    with pytest.raises(InputError, match=r"expected a server that can be trusted \(its certificate"):
        bring(address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert bring(address).path.read_bytes() == CONTENT


def test_no_redirect_leads_from_https_to_http(bring, secure, monkeypatch):
    address, certificate = secure
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(InputError, match=r"expected an address that stays with https \(the server redirects to http:"):
        bring(f"{address}/away")


def test_a_server_is_shown_its_own_token_and_no_other(web, bring, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_HTTPS_TOKEN_127_0_0_1", "planted-token")
    monkeypatch.setenv("NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG", "another")
    web.faults = [("to", web.address.replace("127.0.0.1", "localhost"))]
    assert bring().path.read_bytes() == CONTENT
    assert web.shown == ["Bearer planted-token", None]


def test_a_netrc_file_has_what_is_no_token(web, bring, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password planted-word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert bring().path.read_bytes() == CONTENT
    assert web.shown == ["Basic YWRhOnBsYW50ZWQtd29yZA=="]


def test_a_server_that_refuses_names_the_variable(web, bring):
    web.faults = [401]
    with pytest.raises(
        InputError, match=r"answers 401 Unauthorized; NIGHTSHIFT_HTTPS_TOKEN_127_0_0_1 may hold a token"
    ):
        bring()


@pytest.fixture
def begin(web):
    """The first bytes of the server's file."""
    web.content = CONTENT
    return lambda most, sha256=SHA256: WebFile.of("corpus.train[0].path", web.address, sha256).begin(most)


def test_the_beginning_of_a_file_takes_one_small_request(web, begin, own_cache):
    found = begin(7)
    assert (found.data, found.size, found.path, found.is_whole) == (b"one\tein", len(CONTENT), None, False)
    assert web.ranges == ["bytes=0-6"]
    assert list(own_cache.glob("**/*")) == []


def test_a_server_that_ignores_ranges_is_not_read_to_its_end(web, begin):
    web.faults = ["whole"]
    assert begin(7).data == b"one\tein"
    assert begin(7).size == len(CONTENT)


def test_a_small_file_is_checked_and_a_cached_one_not_asked_for(web, begin, bring):
    with pytest.raises(InputError, match=rf"expected the file with SHA-256 {'0' * 64} \(its SHA-256 is {SHA256}\)"):
        begin(len(CONTENT), "0" * 64)
    stored = bring()
    assert begin(3).data == b"one"
    assert begin(3).path == stored.path
    assert len(web.ranges) == 2


def test_a_server_that_is_down_is_told_without_its_query(web, bring):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/a.tsv?version=3"
    with pytest.raises(ConnectionError, match=r"^http://127.0.0.1:\d+/a.tsv could not be read: the connection broke"):
        WebFile.of("corpus.train[0].path", url, SHA256).begin(7)
