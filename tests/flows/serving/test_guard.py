"""Who is let in to the service: no page of another site, no body that never ends."""

import socket
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.serving import guard
from flows.serving.config import ServeConfig
from flows.serving.guard import Guard


async def echo(request: Any) -> JSONResponse:
    return JSONResponse((await request.body()).decode())


def guarded(config: ServeConfig, token: str | None = None) -> Guard:
    return Guard(Starlette(routes=[Route("/", echo, methods=["GET", "POST"])]), config, token)


@pytest.fixture
def client(serving: Any) -> Any:
    with serving(guarded(ServeConfig())) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_site_is_refused_whatever_it_sends(client: Any, method: str) -> None:
    own = client.home.removeprefix("http://")
    for origin in ("http://evil.example", "null", "", f"http://{own}.evil.example", "http://127.0.0.1:1"):
        answer = client.request(method, "/", headers={"Origin": origin})
        assert (answer.status_code, answer.json()) == (403, {"error": "this service answers no pages of other sites"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    for origin in (f"http://{own}", f"https://{own}"):  # the second behind a proxy that ends the encryption
        assert client.request(method, "/", headers={"Origin": origin}).status_code == 200
    assert client.request(method, "/").status_code == 200  # what is no browser


def test_where_a_token_is_needed_it_decides_and_not_the_page(serving: Any) -> None:
    with serving(guarded(ServeConfig(), "s3cret-token")) as client:
        shown = {"Origin": "https://translate.example", "Authorization": "Bearer s3cret-token"}  # behind a proxy
        assert client.get("/none", headers=shown).status_code == 404
        assert client.get("/none", headers=shown | {"Authorization": ""}).status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("127.0.0.2:8000", 200),
        ("127.0.0.3", 421),
        ("localhost.evil.example", 421),
    ],
)
def test_the_name_that_is_asked_for_is_one_of_this_machines(serving: Any, host: str, status: int) -> None:
    with serving(guarded(ServeConfig(host="127.0.0.2"))) as client:
        assert client.get("/", headers={"Host": host}).status_code == status


def test_a_body_that_does_not_end_is_given_up(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS_FOR_BODY", 0.2)
    host, _, port = client.home.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert client.post("/", data=b"abc").json() == "abc"
