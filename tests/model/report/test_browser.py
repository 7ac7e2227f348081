"""The page in headless Chromium: it is drawn, says nothing on the console, and nothing leaves it."""

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt
import pytest

from model.report.content import Content
from model.report.page import render

Open = Callable[..., str]
CONSOLE = re.compile(r"CONSOLE.*")


def pixels(path: Path) -> npt.NDArray[np.float32]:
    """A picture, [height, width, 3], 0 to 1."""
    from matplotlib.image import imread

    picture: npt.NDArray[np.float32] = imread(path)[..., :3]
    return picture


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback, and what it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


@pytest.mark.parametrize(("width", "mode", "is_dark"), [(1000, 1, False), (1000, 0, True), (500, 1, False)])
def test_the_page_is_drawn_without_a_word_on_the_console(
    content: Content, chromium: Open, tmp_path: Path, width: int, mode: int, *, is_dark: bool
) -> None:
    page, shot = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(render(content), encoding="utf-8")

    told = chromium(
        page, f"--blink-settings=preferredColorScheme={mode}", f"--window-size={width},900", f"--screenshot={shot}"
    )

    assert CONSOLE.findall(told) == []
    drawn = pixels(shot)
    assert drawn.shape == (900, width, 3)
    assert (float(np.median(drawn)) < 0.2) is is_dark
    shown = np.abs(drawn - drawn[0, 0]).max(axis=2) > 0.3
    assert 0.01 < shown.mean() < 0.4
    assert shown[:, -4:].sum() == 0  # nothing is cut off at the right, tables scroll by themselves


@pytest.mark.parametrize("has_policy", [True, False])
def test_even_what_was_not_escaped_reaches_nobody(
    content: Content, chromium: Open, tmp_path: Path, asked: tuple[str, list[str]], *, has_policy: bool
) -> None:
    address, paths = asked
    foreign = (
        f"<img src='{address}/picture'><link rel=stylesheet href='{address}/style'><script src='{address}/script'>"
        f"</script><script>fetch('{address}/fetch')</script><div style='background:url({address}/background)'>x</div>"
        f"<iframe src='{address}/frame'></iframe>"
    )
    html = render(content).replace("<main>", f"<main>{foreign}")
    if not has_policy:
        html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    page = tmp_path / "report.html"
    page.write_text(html, encoding="utf-8")

    told = chromium(page, f"--screenshot={tmp_path / 'shot.png'}")

    assert ("Content Security Policy" in " ".join(CONSOLE.findall(told))) is has_policy
    expected = {"/picture", "/style", "/script", "/fetch", "/background", "/frame"}
    assert set(paths) == (set() if has_policy else expected)
