"""What stands before the service: who may ask, and how much may be sent."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.serving.config import ServeConfig

OPEN: Final = {"/", "/health"}  # the page itself, which asks for the token, and what machines look at
LOOPBACK_NAMES: Final = {"127.0.0.1", "localhost", "[::1]"}
SECONDS_FOR_BODY: Final = 30.0  # a body that takes longer would keep its place in memory for as long as it likes


class Guard:
    """Answers 401 without the right token, 413 or 408 to a body too large or slow, 421 and 403 to pages of other sites.

    The last two keep pages from elsewhere off a service on loopback. 421 is the answer to requests meant for another
    host: a browser takes a name that its owner points at this machine for the page's own (DNS rebinding). 403 is the
    answer to what a page of another site sends here, which a browser lets it do, though not read the answer; it says in
    `Origin` which page it was. Where a token is needed no such page has it.

    Args:
        app: what is behind it.
        config: how large a body may be, and where the service listens.
        token: what a request must show as `Authorization: Bearer ...`; None: nothing.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, token: str | None) -> None:
        self.app = app
        self.config = config
        self.expected = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        largest = self.config.body_bytes
        length = headers.get(b"content-length", b"0")
        host, origin = headers.get(b"host", b"").lower(), headers.get(b"origin")
        if self.config.is_loopback and hostname(host) not in LOOPBACK_NAMES | {self.config.host.lower()}:
            await refuse(send, 421, "this service answers requests to 127.0.0.1 or localhost")
        elif not self.expected and origin is not None and origin.lower().partition(b"://")[2] != host:
            await refuse(send, 403, "this service answers no pages of other sites")
        elif self.expected and scope["path"] not in OPEN and not self.is_known(headers.get(b"authorization", b"")):
            await refuse(send, 401, "a token is needed: Authorization: Bearer ...", (b"www-authenticate", b"Bearer"))
        elif not length.isdigit() or int(length) > largest:
            await refuse(send, 413, f"the body has {length.decode('latin-1')} bytes, at most {largest:,} are taken")
        else:
            await self.app(scope, self.limited(receive), send)

    def is_known(self, shown: bytes) -> bool:
        """Whether the right token is shown; takes as long for one that is nearly right as for any other."""
        return hmac.compare_digest(shown, self.expected or b"")

    def limited(self, receive: Receive) -> Receive:
        """Stops a body that was sent without its length as soon as it is too large, and any that takes too long."""
        taken, deadline = 0, asyncio.get_running_loop().time() + SECONDS_FOR_BODY
        has_ended = False

        async def counted() -> Message:
            nonlocal taken, has_ended
            try:
                async with asyncio.timeout_at(None if has_ended else deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, f"the body took more than {SECONDS_FOR_BODY:g} seconds") from error
            has_ended = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > self.config.body_bytes:
                raise HTTPException(413, f"the body has more than {self.config.body_bytes:,} bytes")
            return message

        return counted


def hostname(host: bytes) -> str:
    """The name in a header `Host`, without the port.

    >>> hostname(b"localhost:8000"), hostname(b"[::1]:8000")
    ('localhost', '[::1]')
    """
    name = host.decode("latin-1")
    return name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]


async def refuse(send: Send, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
    """Answers with an error, and does not read what else is sent."""
    body = json.dumps({"error": message}).encode()
    given = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})
