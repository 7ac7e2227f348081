"""`nightshift serve` as a process: a port, a page in a real browser, an end in good order."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))


class Running(NamedTuple):
    """A service in a process of its own."""

    process: subprocess.Popen[str]
    home: str


@pytest.fixture
def running(registry: Path, plain_environment: dict[str, str]) -> Iterator[Running]:
    command = [NIGHTSHIFT, "serve", "--registry", str(registry), "--port", "0", "--watch-seconds", "0.2"]
    with subprocess.Popen(
        [*command, "--wait-ms", "1000"], stderr=subprocess.PIPE, text=True, env=plain_environment
    ) as process:
        line = process.stderr.readline() if process.stderr else ""
        assert line.startswith("serve            version 1 of tiny on http://127.0.0.1:"), line
        yield Running(process, line.split()[-1])
        process.kill()


def test_the_page_translates_shows_attention_and_follows_the_champion(
    running: Running, registry: Path, browser: Any, wait_until: Any
) -> None:
    from model.registry import Registry

    browser.do("Page.enable")
    browser.do("Page.navigate", url=f"{running.home}/#rain snow%0Afog")
    wait_until(lambda: browser.see("document.querySelectorAll('article').length") == 2)
    assert browser.see("document.querySelector('#about').textContent") == "tiny, version 1"
    assert browser.see("document.querySelector('.source').textContent") == " rain snow ⏎"
    assert browser.see("document.querySelector('.picture').checkVisibility()") is False
    browser.point_at("article .target .piece")
    assert browser.see("document.querySelector('.picture').checkVisibility()") is True
    rows, columns = (
        browser.see(f"document.querySelectorAll('article:first-child {part}').length")
        for part in ("tbody tr", "thead th")
    )
    assert rows == browser.see("document.querySelectorAll('article:first-child .target .piece').length")
    assert columns == browser.see("document.querySelectorAll('article:first-child .source .piece').length")
    assert browser.see("document.querySelector('tbody tr').className") == "on"
    seen = "n => Number(getComputedStyle(n).backgroundColor.match(/[\\d.]+(?=\\)$)/)[0])"  # how strong a shade is
    row = browser.see(f"[...document.querySelectorAll('article:first-child tbody tr:first-child td')].map({seen})")
    assert sum(row) == pytest.approx(1, abs=0.05)  # a distribution
    words = browser.see(f"[...document.querySelectorAll('article:first-child .source .piece')].map({seen})")
    assert words == pytest.approx([share / 2 for share in row], abs=0.011)  # paler, so that they can be read
    Registry(str(registry), "tiny").move_alias("champion", 2, expected=1, why="a test")
    wait_until(
        lambda: browser.see("about().then(() => document.querySelector('#about').textContent)") == "tiny, version 2"
    )
    browser.see("document.querySelector('textarea').value = 'x'.repeat(3000); run()")
    assert "3,000 characters, at most 2,000" in browser.see("document.querySelector('.error').textContent")


def test_what_was_asked_is_answered_before_it_ends(running: Running) -> None:
    import requests

    answers: list[requests.Response] = []
    asking = threading.Thread(  # which waits a second for company
        target=lambda: answers.append(
            requests.post(f"{running.home}/translate", json={"sentences": ["rain"]}, timeout=60)
        )
    )
    asking.start()
    asking.join(0.4)
    running.process.send_signal(signal.SIGTERM)
    asking.join(30)
    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["version"] == 1
    assert running.process.wait(30) == 0
    assert running.process.stderr is not None
    assert running.process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--host = 0.0.0.0: expected a loopback address, or a token that users must show"),
        (
            ["--host", "203.0.113.7", "--without-token"],
            "--host, --port = 203.0.113.7:8000: expected an address of this",
        ),
        (["--port", "{taken}"], "--host, --port = 127.0.0.1:{taken}: expected an address of this machine and a free"),
        (["--queue", "0"], "--queue = 0: expected a whole number from 1 to 100000"),
        (["--wait-ms", "x"], "--wait-ms = x: expected a number from 0 to 1000"),
    ],
)
def test_bad_options_cost_no_waiting(
    arguments: list[str], message: str, plain_environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        taken = str(port.getsockname()[1])
        given = [argument.format(taken=taken) for argument in arguments]
        run = subprocess.run(
            [NIGHTSHIFT, "serve", *given],
            check=False,
            capture_output=True,
            text=True,
            env=plain_environment,
            cwd=tmp_path,
            timeout=60,
        )
    assert run.returncode == 2
    assert run.stderr.startswith(f"nightshift: {message.format(taken=taken)}")
    assert len(run.stderr.splitlines()) == 1
