"""What stands before the service: who may ask, and how much may be sent."""

import hmac
import json
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.serving.config import ServeConfig

OPEN: Final = {"/", "/health"}  # the page itself, which asks for the token, and what machines look at
LOOPBACK_NAMES: Final = {"127.0.0.1", "localhost", "[::1]"}


class Guard:
    """Answers 401 without the right token, 413 to a body that is too large, 421 to requests meant for another host.

    The last keeps pages from elsewhere off a service on loopback, where a browser would take a name that its owner
    points at this machine for the page's own (DNS rebinding).

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
        if self.config.is_loopback and hostname(headers.get(b"host", b"")) not in LOOPBACK_NAMES:
            await refuse(send, 421, "this service answers requests to 127.0.0.1 or localhost")
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
        """Stops a body that was sent without its length as soon as it is too large."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
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
