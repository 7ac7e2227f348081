"""What artifacts say, from plain values."""

import pytest

from flows.artifacts.data import funnel_table, generations_table
from flows.artifacts.decision import decision_markdown, report_markdown
from flows.artifacts.losses import losses_markdown, lowest_loss
from flows.artifacts.samples import samples_markdown
from flows.artifacts.scores import score_lines, scores_table
from model.decision import Decision, Reason
from model.report.champion import NOBODY, Champion
from model.report.content import Funnel, Generation
from pipeline.manifest import FileRecord, Manifest

HOSTILE = "a|b <script>"
SIGNATURE = "nrefs:1|case:mixed"
OURS = {
    "dev": {"bleu": 62.0, "bleu_signature": SIGNATURE, "data_digest": "d", "sentences": 400, "loss": 0.25},
    "test": {
        "bleu": 61.5,
        "bleu_signature": SIGNATURE,
        "ter": 30.0,
        "ter_signature": "ter",
        "data_digest": "t",
        "sentences": 1000,
        "loss": 0.4321,
        "empty": 0.0,
        "robustness": {"bleu": 1.0},
    },
}
THEIRS = {"test": {"bleu": 60.0, "bleu_signature": SIGNATURE, "data_digest": "t", "sentences": 1000, "loss": 0.5}}
GAIN = Reason(rule="gain", set="test", metric="bleu", ours=61.5, theirs=60, limit=0, is_met=True, words="BLEU 61.50")
CHANCE = Reason(
    rule="significance", set="test", metric="bleu", ours=0.2, theirs=None, limit=0.05, is_met=False, words="p 0.200"
)
LOST = Decision(is_promoted=False, reason="p 0.200 may be chance", champion=2, reasons=(GAIN, CHANCE))


def test_the_funnel_adds_up_and_cannot_be_broken():
    funnel = Funnel(1200, {"too_long": 100, HOSTILE: 0}, 60, 1040, {"dev": 400, "test": 1000})
    assert funnel_table(funnel) == "\n".join(
        [
            "| what became of the pairs | pairs | share |",
            "|:--|--:|--:|",
            "| read | 1,200 | 100.0 % |",
            r"| rejected: too\_long | 100 | 8.3 % |",
            r"| rejected: a\|b &lt;script&gt; | 0 | 0.0 % |",
            "| held out: shares a sentence with a set below | 60 | 5.0 % |",
            "| **kept to learn from** | 1,040 | 86.7 % |",
            "",
            "| held-out set | pairs |",
            "|:--|--:|",
            "| dev | 400 |",
            "| test | 1,000 |",
        ]
    )


def test_the_newest_generations_come_first():
    def made(number: int) -> Manifest:
        file = FileRecord(path="a", bytes=1_250_000 * number, sha256=str(number) * 64)
        given = {"kind": "shards", "stage": "shard", "stage_version": 1, "fingerprint": "f", "config": {}, "inputs": {}}
        more = {"counts": {}, "facts": {}, "versions": {}, "finished": "", "seconds": 0.0, "directory": "x"}
        return Manifest(**given, **more, files=(file,))

    shards = [made(1), made(2)]
    generations = [
        Generation(1, "2026-11-21T03:00:59+00:00", 1000, 900, {"web": 900}, "1" * 64),
        Generation(2, "2026-11-22T03:00:00+00:00", 200, 14, {"a": 1, "b": 2, "c": 3, "d": 8, HOSTILE: 0}, "2" * 64),
    ]
    digests = [f"`{one.digest[:12]}`" for one in shards]
    assert generations_table(generations, shards).splitlines() == [
        "| generation | origins | made (UTC) | digest | read | kept | MB |",
        "|:--|:--|:--|:--|--:|--:|--:|",
        f"| 2 | d 8, c 3, b 2, 2 more | 2026-11-22 03:00 | {digests[1]} | 200 | 14 | 2.5 |",
        f"| 1 | web 900 | 2026-11-21 03:00 | {digests[0]} | 1,000 | 900 | 1.2 |",
    ]


def test_scores_stand_beside_those_of_the_champion_where_they_are_of_the_same():
    champion = Champion(THEIRS, {}, is_of_same_vocabulary=True)
    assert scores_table(score_lines(OURS, champion, LOST.reasons), 3, LOST).splitlines() == [
        "| set | metric | sentences | version 3 | version 2 | difference | p |",
        "|:--|:--|--:|--:|--:|--:|--:|",
        "| dev | BLEU | 400 | 62.00 | – | – | – |",
        "| dev | loss ↓ | 400 | 0.250 | – | – | – |",
        "| test | BLEU | 1,000 | 61.50 | 60.00 | +1.50 | 0.200 |",
        "| test | TER ↓ | 1,000 | 30.00 | – | – | – |",
        "| test | loss ↓ | 1,000 | 0.432 | 0.500 | −0.068 | – |",
    ]


def test_scores_of_a_champion_that_was_scored_again_are_those_of_the_rules():
    rows = scores_table(score_lines(OURS, NOBODY, LOST.reasons), 3, LOST).splitlines()
    assert "| test | BLEU | 1,000 | 61.50 | 60.00 | +1.50 | 0.200 |" in rows


def test_without_a_champion_there_are_the_scores_alone():
    first = Decision(is_promoted=True, reason="there was no champion")
    assert scores_table(score_lines({"test": THEIRS["test"]}, NOBODY, ()), 1, first).splitlines() == [
        "| set | metric | sentences | version 1 |",
        "|:--|:--|--:|--:|",
        "| test | BLEU | 1,000 | 60.00 |",
        "| test | loss ↓ | 1,000 | 0.500 |",
    ]


def test_the_decision_and_what_each_rule_said():
    assert decision_markdown(LOST) == (
        "P 0\\.200 may be chance\\.\n\n- ✓ gain: BLEU 61\\.50\n- ✗ significance: p 0\\.200"
    )
    again = Decision(is_promoted=True, reason="better", champion=1, reasons=(GAIN,), was_scored_again=True)
    assert decision_markdown(again) == "Better\\.\n\nThe champion was scored again on these sentences."


SAMPLES = {"best": [{"row": 1, "chrf": 98.26, "source": HOSTILE, "reference": "مطر", "hypothesis": ""}], "worst": []}


@pytest.mark.parametrize("theirs", [None, ["x", "y" * 301]])
def test_samples_are_beside_the_champions(theirs):
    shown = samples_markdown(SAMPLES, 3, champion=2, theirs=theirs)
    assert shown.splitlines() == [
        "| best | chrF 98.3 |",
        "|:--|:--|",
        r'| source | <span dir="auto">a\|b &lt;script&gt;</span> |',
        '| reference | <span dir="auto">مطر</span> |',
        "| version 3 | *(nothing)* |",
        *([f'| version 2 | <span dir="auto">{"y" * 300}</span> |'] if theirs else []),
    ]


def test_sources_of_numbers_are_not_shown():
    assert "| source | *(frames)* |" in samples_markdown(SAMPLES, 3, are_frames=True)
    assert samples_markdown({"best": []}, 3) == "No sentence was translated."


def test_the_picture_is_in_the_text_and_its_figure_above_it():
    assert losses_markdown(b"\x89PNG") == "![training and dev loss over the steps](data:image/png;base64,iVBORw==)"
    history = [{"step": 20, "dev_loss": 2.0}, {"step": 40, "dev_loss": 1.5}, {"step": 1060, "dev_loss": None}]
    assert lowest_loss(history) == "lowest dev loss 1.500, at step 40 of 1,060"
    assert lowest_loss(history[2:]) == "no dev loss was measured"


def test_a_report_in_a_bucket_has_an_address_and_a_file_a_command(tmp_path, monkeypatch):
    place = "gs://models/a b/weather/versions/0003/verdicts/0001/report.html"
    assert report_markdown(place, 3, model="weather", registry="gs://models/a b") == (
        "[Report of version 3](https://storage.cloud.google.com/models/a%20b/weather/versions/0003/verdicts/0001/report.html)"
    )
    monkeypatch.chdir(tmp_path)
    local = report_markdown("registry/weather/report.html", 3, model="weather", registry="registry")
    assert f"```\n{tmp_path}/registry/weather/report.html\n```" in local
    assert f"```\nnightshift report 3 --registry {tmp_path}/registry --name weather\n```" in local
