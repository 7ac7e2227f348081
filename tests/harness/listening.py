"""A web application behind a real port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.harness.waiting import until


class Client(requests.Session):
    """Asks a service by its paths."""

    def __init__(self, home: str) -> None:
        super().__init__()
        self.home = home
        self.trust_env = False

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return super().request(method, self.home + path, timeout=60, **more)


@contextmanager
def listening(app: Any) -> Iterator[Client]:
    """An application behind a real port for as long as the block runs."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as port:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [port]})
        thread.start()
        try:
            until(lambda: server.started)
            with Client(f"http://127.0.0.1:{port.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=30)
