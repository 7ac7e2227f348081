"""What is found out before a night starts."""

import pytest

from flows.check import check
from flows.settings import load
from pipeline.errors import InputError


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("promotion.floors={tset: {bleu: 5}}", "promotion.floors = tset: expected one of the sets dev, test"),
        ("promotion.falls={coco: {bleu: 5}}", "promotion.falls = coco: expected one of the sets dev, test"),
        (
            "promotion.floors={test: {rouge_l: 5}}",
            "promotion.floors.test = rouge_l: expected one of bleu, chrf, empty, length_ratio, loss, perplexity, "
            "repeating, ter, unknown_rate (others are measured where evaluate.metrics names them)",
        ),
    ],
)
def test_a_rule_about_what_is_not_measured_costs_no_night(tmp_path, monkeypatch, rules, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        check(load("weather", overrides=["evaluate.metrics=[ter]", rules]))
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_rules_about_what_is_measured_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules = "promotion={floors: {dev: {ter: 50}, test: {chrf: 5}}, falls: {test: {length_ratio: 1}}}"
    check(load("weather", overrides=["evaluate.metrics=[ter]", rules]))


def test_a_bucket_that_workers_cannot_write_costs_no_night(tmp_path, monkeypatch, bucket):
    monkeypatch.chdir(tmp_path)
    runner = (
        "beam={runner: portable, portable: {job_endpoint: 'localhost:1'}, environment: {kind: loopback}, exchange: "
    )
    with pytest.raises(InputError, match="beam.exchange = gs://nobody-has-this: expected a bucket that exists"):
        check(load("weather", overrides=[f"{runner}'gs://nobody-has-this'}}"]))
    assert list(tmp_path.iterdir()) == []
    check(load("weather", overrides=[f"{runner}'{bucket}/x'}}"]))
    told = "project: translation-1, region: europe-west1, container_image: 'nightshift:1'"
    runner = f"beam={{runner: dataflow, exchange: '{bucket}/x', dataflow: {{{told}, temp_location: "
    with pytest.raises(InputError, match="beam.dataflow.temp_location = gs://nobody-has-this: expected a bucket that"):
        check(load("weather", overrides=[f"{runner}'gs://nobody-has-this'}}}}"]))
    check(load("weather", overrides=[f"{runner}'{bucket}/temp'}}}}"]))
