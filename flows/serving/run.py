"""The process of `nightshift serve`: a port, the application, and an end in good order."""

import logging
import os
import signal
import socket

from flows.serving.config import TOKEN, ServeConfig
from flows.use import Chosen
from pipeline.errors import InputError

LAST_ANSWERS = 30  # seconds that requests have to end after SIGTERM

log = logging.getLogger("nightshift")


def serve(chosen: Chosen, config: ServeConfig, *, without_token: bool) -> None:
    """Serves a registered version until SIGTERM or SIGINT; requests that have begun are answered before it ends.

    Raises:
        InputError: there is no such version, the port is taken, or strangers could use the service.
    """
    token = os.environ.get(TOKEN) or None
    config.check_guarded(token, without_token=without_token)
    with bound(config) as port:
        import uvicorn

        from flows.serving.app import create_app
        from flows.serving.in_service import InService

        service = InService(chosen)
        settings = uvicorn.Config(
            create_app(service, config, token),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS,
        )

        class Server(uvicorn.Server):
            """Says where it is as soon as it answers there."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                number, name = service.served.version.number, service.registry.name
                log.info("serve            version %d of %s on %s", number, name, url(port))

        # uvicorn raises a signal again when all is done, and for us that is a good end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        Server(settings).run(sockets=[port])


def bound(config: ServeConfig) -> socket.socket:
    """The port, taken before anything slow is done and not listening yet."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        port = socket.socket(family, kind, protocol)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            port.bind(address)
        except OSError:
            port.close()
            raise
    except OSError as error:
        where = f"{config.host}:{config.port}"
        raise InputError("--host, --port", where, "an address of this machine and a free port", str(error)) from error
    return port


def url(port: socket.socket) -> str:
    """Where a browser finds it."""
    host, number, *_ = port.getsockname()
    return f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"
