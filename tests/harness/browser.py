"""Headless Chromium, to look at pages as people do."""

import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from tests.harness.waiting import fetch, until


class Browser:
    """A page in headless Chromium, moved by its DevTools protocol.

    Args:
        folder: for its profile.
    """

    def __init__(self, program: str, folder: Path) -> None:
        from websockets.sync.client import connect

        options = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-sync"
        command = [program, *options.split(), "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([*command, "--window-size=1000,900"], **quiet)
        port = until(lambda: (folder / "DevToolsActivePort").read_text().splitlines()[0])
        pages = until(lambda: json.loads(fetch(f"http://127.0.0.1:{port}/json/list")))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket = connect(address, max_size=None)
        self.numbers = count(1)

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told: dict[str, Any] = json.loads(self.socket.recv(timeout=60))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    def see(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def point_at(self, selector: str) -> None:
        """Moves the mouse over an element."""
        box = self.see(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector!r})"
            ".getBoundingClientRect())"
        )
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])

    def close(self) -> None:
        """Ends it."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=20)
