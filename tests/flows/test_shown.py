"""What a real server's pages show of a real night, in headless Chromium."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prefect import flow, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Running

from flows.alone import NIGHT, alone, alone_in
from flows.artifacts.markdown import plain
from flows.artifacts.samples import samples_markdown
from flows.holder import this_process
from flows.lease import Lease
from flows.settings import load
from flows.waiting import acquire

pytestmark = pytest.mark.slow

KEYS = ["data", "decision", "generations", "loss-curve", "report", "samples", "scores", "summary", "train-progress"]
UIS = ["", "/v2"]  # the two pages that a Prefect server has


def has(*texts):
    """An expression that is true once a page shows all of these; pages fill themselves bit by bit."""
    return f"{json.dumps(texts)}.every(text => document.body.innerText.includes(text))"


@pytest.fixture
def shown(browser, wait_until, prefect):
    """Opens a page of the server and gives its text once an expression of the page's is true."""

    def show(place, is_there):
        browser.do("Page.navigate", url=prefect.ui + place)
        wait_until(lambda: browser.see(f"document.body !== null && ({is_there})"))
        return browser.see("document.body.innerText")

    return show


def test_a_run_has_a_name_tags_and_an_artifact_for_each_question(second_night, prefect, shown):
    folder, run, flow_run = second_night
    name, tags = flow_run["name"], flow_run["tags"]
    assert re.fullmatch(r"retrain weather-en-fr 20\d\d-\d\d-\d\d \d\d:\d\d", name)
    assert re.fullmatch(r"data [0-9a-f]{12}", tags[0])
    assert tags[1:] in (["version 2"], ["version 2", "promoted"])
    assert ("promoted" in tags) is ("2, promoted to champion" in run.stdout)
    made = {one["key"]: one for one in prefect.of(flow_run["id"], "artifacts")}
    assert sorted(made) == [f"weather-en-fr-{key}" for key in KEYS]
    progress = made["weather-en-fr-train-progress"]
    assert (progress["type"], progress["data"]) == ("progress", 100.0)
    assert progress["description"].startswith("step 40/40  loss ")
    assert made["weather-en-fr-data"]["description"] == "1,400 of 1,500 pairs kept"
    assert str(folder / "workspace/registry/weather-en-fr/versions/0002") in made["weather-en-fr-report"]["data"]
    page = f"/runs/flow-run/{flow_run['id']}"
    shown(f"/v2{page}?tab=Artifacts", has(name, *tags, "weather-en-fr-scores", "1,400 of 1,500 pairs kept"))
    shown(page, has(name, *tags))


@pytest.mark.parametrize("ui", UIS)
def test_artifacts_are_tables_and_pictures_and_not_their_source(second_night, prefect, shown, browser, wait_until, ui):
    _, _, flow_run = second_night
    numbers = {one["key"].removeprefix("weather-en-fr-"): one["id"] for one in prefect.of(flow_run["id"], "artifacts")}

    def cells(key):
        shown(f"{ui}/artifacts/artifact/{numbers[key]}", "document.querySelector('td') !== null")
        rows = "[...document.querySelectorAll('tr')].map(row => [...row.children].map(cell => cell.innerText))"
        return wait_until(
            lambda: json.loads(browser.see(f"JSON.stringify({rows})"))
        )  # the page is drawn more than once

    assert [row for row in cells("data") if len(row) == 3] == [
        ["what became of the pairs", "pairs", "share"],
        ["read", "1,500", "100.0 %"],
        ["held out: shares a sentence with a set below", "100", "6.7 %"],
        ["kept to learn from", "1,400", "93.3 %"],
    ]
    head, *scores = cells("scores")
    assert head == ["set", "metric", "sentences", "version 2", "version 1", "difference", "p"]
    assert [row[:3] for row in scores] == [
        [name, metric, "50"] for name in ("dev", "test") for metric in ("BLEU", "chrF", "TER ↓", "loss ↓")
    ]
    assert re.fullmatch(r"\d\.\d{3}|–", scores[4][6])  # p of the deciding metric, where enough sentences differ
    assert {row[0] for row in cells("samples")} >= {"best", "median", "worst", "source", "version 1", "version 2"}
    picture = "document.querySelector('img[src^=\"data:image/png\"]')"
    text = shown(f"{ui}/artifacts/artifact/{numbers['loss-curve']}", f"{picture}?.naturalWidth > 0")
    assert "lowest dev loss" in text
    assert "base64" not in text


@pytest.mark.parametrize("ui", UIS)
def test_what_people_write_is_text_on_the_page_and_nothing_else(prefect, shown, browser, ui):
    texts = [
        "<img src=x onerror=\"document.title='taken'\">",
        "<script>document.title='taken'</script>",
        "</span></td></tr></table><h1>big</h1>",
        "[click](javascript:alert(1)) ![picture](http://127.0.0.1:1/x.png)",
        "https://example.org/a?b=c www.example.org ada@example.org",
        "a | b \\| c \\\\| d",
        "`code` **bold** _it_ ~~gone~~ $x$ [^1] <!-- hidden -->",
        "&lt;b&gt; &amp; &#60;",
        "# head - list 1. one > quote",
        "\u202eמطر 雨",
    ]
    sample = {"row": 0, "chrf": 1.0, "reference": "x", "hypothesis": "x"}
    markdown = samples_markdown({"worst": [sample | {"source": text} for text in texts]}, 1)
    body = {"key": "hostile", "type": "markdown", "data": markdown, "description": plain(texts[0])}
    number = prefect.ask("artifacts/", body)["id"]
    shown(f"{ui}/artifacts/artifact/{number}", f"document.querySelectorAll('table').length === {len(texts)}")
    sources = "[...document.querySelectorAll('td')].filter(cell => cell.innerText === 'source')"
    cells = f"JSON.stringify({sources}.map(cell => cell.nextElementSibling.innerText))"
    assert json.loads(browser.see(cells)) == texts
    inside = "document.querySelector('table').parentElement"
    assert browser.see(f"{inside}.querySelectorAll('a, img, script, h1, code, del, strong, em').length") == 0
    assert browser.see("document.title") != "taken"


@pytest.fixture
def webhook():
    """A web server that is told of failed nights: its address, which nobody else may know, and what it was told."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/services/T0abcdef", told
        server.shutdown()
        thread.join()


def test_a_night_whose_machine_died_is_told_of_by_the_next_one_and_not_twice(prefect, webhook, monkeypatch, tmp_path):
    address, told = webhook
    monkeypatch.setenv("NIGHTSHIFT_WEBHOOK", address)
    given = {"preset": "weather", "overrides": {"notify": {"webhook": "env:NIGHTSHIFT_WEBHOOK"}}}
    config = load("weather", overrides=[f"workspace={tmp_path}"])

    @flow(name="next", persist_result=False)
    def following(preset="none", overrides=None):
        return alone(config, lambda _: "done")

    def after(name, died):
        holder = this_process("retrain died", died).model_copy(update={"born": "1"})
        acquire(Lease(config.lease_storage(), f"weather-en-fr/{name}.json", holder, 4), "skip", 0)
        return following() if name == NIGHT else alone_in(name, config, lambda _: "done")

    with temporary_settings({PREFECT_API_URL: prefect.url}), get_client(sync_client=True) as client:
        running = {"parameters": given, "name": "retrain died", "state": Running()}
        died, part = (str(client.create_flow_run(following, **running).id) for _ in range(2))
        assert [after(NIGHT, died), after(NIGHT, died), after("train", part)] == ["done"] * 3
    assert prefect.ask(f"flow_runs/{part}")["state_type"] == "CRASHED"
    ((path, message),) = told
    assert path == "/services/T0abcdef"
    assert message["text"].startswith("retrain died: Crashed. Its process is gone.\n")
    assert message["link"] == f"{prefect.ui}/runs/flow-run/{died}"


def test_a_failed_night_says_why_on_its_page_and_to_the_webhook(
    tmp_path, environment, prefect, shown, webhook, nightshift, options
):
    address, told = webhook
    given = environment | {"PREFECT_API_URL": prefect.url, "NIGHTSHIFT_WEBHOOK": address}
    wrong = options("clean.hold_out={dev: 5000, test: 50}", "notify.webhook=env:NIGHTSHIFT_WEBHOOK")
    run = nightshift(tmp_path, given, "retrain", "--preset", "weather", *wrong)
    assert run.returncode == 2
    why = run.stderr.splitlines()[-1].removeprefix("nightshift: ")
    assert why.startswith("clean.hold_out.dev = 5000: expected fewer")
    ((path, message),) = told
    number = message["link"].rpartition("/")[2]
    flow_run = prefect.ask(f"flow_runs/{number}")
    assert path == "/services/T0abcdef"
    assert message == {
        "text": f"{flow_run['name']}: Failed. Flow run encountered an exception: InputError: {why}\n{message['link']}",
        "flow_run": flow_run["name"],
        "state": "Failed",
        "message": f"Flow run encountered an exception: InputError: {why}",
        "link": f"{prefect.ui}/runs/flow-run/{number}",
    }
    assert (flow_run["state_type"], flow_run["state"]["message"]) == ("FAILED", message["message"])
    assert "T0abcdef" not in json.dumps([flow_run, prefect.of(number, "logs"), run.stderr, run.stdout])
    shown(f"/v2/runs/flow-run/{number}?tab=Details", has(why))
