"""The service's answers, right and wrong, from a real model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.serving.app import create_app
from flows.serving.config import ServeConfig
from flows.serving.in_service import InService
from flows.use import Chosen

LIMITS = ServeConfig(batch=4, characters=40, body_bytes=2000, wait_ms=0)


@pytest.fixture(scope="module")
def service(two_versions: Path) -> InService:
    return InService(Chosen(str(two_versions), None, "champion"))


@pytest.fixture(scope="module")
def client(service: InService, serving: Any) -> Iterator[Any]:
    with serving(create_app(service, LIMITS, None)) as client:
        yield client


def ask(client: Any, **body: Any) -> Any:
    answer = client.post("/translate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_says_what_the_model_says(client: Any, service: InService):
    best = service.served.exported.best(["rain", "snow fog"])
    expected = [{"text": one.text, "score": pytest.approx(one.score, rel=1e-4)} for one in best]
    told = ask(client, sentences=["rain", "snow fog"])
    assert told == {"model": "tiny", "version": 1, "translations": expected}


def test_an_empty_sentence_has_an_empty_translation(client: Any):
    told = ask(client, sentences=["", " rain ", "  "])["translations"]
    assert told[0] == told[2] == {"text": "", "score": None}
    assert told[1] == ask(client, sentences=["rain"])["translations"][0]
    assert ask(client, sentences=[""])["version"] == 1


def test_the_best_of_a_beam(client: Any, service: InService):
    told = ask(client, sentences=["rain"], n_best=3, beam=5)["translations"][0]
    expected = service.served.exported.hypotheses(["rain"], 3, 5)[0]
    assert [one["text"] for one in told["n_best"]] == [one.text for one in expected]
    assert (told["text"], told["score"]) == (told["n_best"][0]["text"], told["n_best"][0]["score"])


def test_what_each_piece_was_written_from(client: Any, service: InService):
    told = ask(client, sentences=["rain snow"], attention=True)["translations"][0]["attention"]
    (expected,) = service.served.exported.attend(["rain snow"])
    assert (tuple(told["source"]), tuple(told["target"])) == (expected.source, expected.target)
    np.testing.assert_allclose(told["weights"], expected.attention, atol=1e-3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"sentences": []}, "sentences: List should have at least 1 item"),
        ({"sentences": ["a"] * 5}, "sentences: 5 of them, at most 4 are taken at a time"),
        ({"sentences": ["a", "a" * 41]}, "sentences.1: 41 characters, at most 40 are taken"),
        ({"sentences": "rain"}, "sentences: Input should be a valid list"),
        ({"sentences": [1]}, "sentences.0: Input should be a valid string"),
        ({"sentences": ["a"], "n_best": 99}, "n_best: Input should be less than or equal to 32"),
        ({"sentences": ["a"], "nbest": 2}, "nbest: Extra inputs are not permitted"),
        ({"sentences": ["a"], "attention": True, "beam": 2}, "attention is told without n_best and beam"),
        ({}, "sentences: Field required"),
        ({"sentences": ["a"], "k" * 1500: 1}, f"{'k' * 100}: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_used_is_named(client: Any, body: dict[str, Any], message: str):
    answer = client.post("/translate", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("body", "message"), [(b"{", "JSON decode error"), (b'{"sentences": ["\\ud800"]}', "sentences.0: half")]
)
def test_what_is_no_text_is_named(client: Any, body: bytes, message: str):
    answer = client.post("/translate", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert message in answer.json()["error"]


def test_only_what_says_that_it_is_json_is_read(client: Any):
    body = json.dumps({"sentences": ["rain"]})  # a page of another site may send it as any of these, but not as JSON
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        answer = client.post("/translate", data=body.encode(), headers={"Content-Type": kind})
        assert (answer.status_code, "sentences" in answer.text) == (422, False)


def test_a_body_is_not_read_beyond_its_limit(client: Any):
    body = json.dumps({"sentences": ["a" * 3000]}).encode()
    answer = client.post("/translate", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "at most 2,000" in answer.json()["error"]) == (413, True)
    read = []

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b'{"sentences": ["' + b"a" * 100

    answer = client.post("/translate", data=parts(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "the body has more than 2,000 bytes")


def test_a_page_of_another_name_is_not_answered(client: Any):
    answer = client.get("/health", headers={"Host": "evil.example:8000"})
    assert answer.status_code == 421
    assert client.get("/health", headers={"Host": "localhost:8000"}).status_code == 200


def test_it_tells_about_itself(client: Any):
    assert client.get("/health").json() == {"status": "ok", "model": "tiny", "version": 1, "problem": None}
    told = client.get("/model").json()
    assert (told["version"], told["follows"], told["metrics"]["test"]["bleu"]) == (1, "champion", 1.0)
    assert told["limits"] == {"batch": 4, "characters": 40, "body_bytes": 2000, "queue": 256}
    assert client.get("/nothing").json() == {"error": "Not Found"}


def test_a_token_is_asked_for_and_never_told(service: InService, serving: Any, caplog: pytest.LogCaptureFixture):
    with serving(create_app(service, LIMITS, "s3cret-token")) as client:
        for header in ({}, {"Authorization": "Bearer s3cret-toke"}, {"Authorization": "s3cret-token"}):
            for answer in (
                client.post("/translate", json={"sentences": ["a"]}, headers=header),
                client.get("/model", headers=header),
                client.get("/openapi.json", headers=header),
            ):
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "s3cret" not in answer.text
        client.headers["Authorization"] = "Bearer s3cret-token"
        assert ask(client, sentences=["rain"])["version"] == 1
        assert client.get("/model").status_code == 200
        del client.headers["Authorization"]
        assert client.get("/health").status_code == client.get("/").status_code == 200
    assert "s3cret" not in caplog.text


def test_the_page_needs_nothing_from_elsewhere(client: Any):
    answer = client.get("/")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.text
