"""Charts: what is where."""

import re

import pytest

from model.bootstrap import Interval
from model.report.charts import bar, loss_curve, scale_of, thinned, ticks, whisker


@pytest.mark.parametrize(("share", "width"), [(0.25, "25.0%"), (-1, "0.0%"), (3, "100.0%")])
def test_a_bar_stays_in_its_track(share: float, width: str) -> None:
    assert re.findall(r'class="(\w+)" width="([^"]+)"', bar(share)) == [("track", "100%"), ("ours", width)]


def test_two_scores_stand_on_one_scale() -> None:
    ours, theirs = Interval(60.0, 2.0), Interval(65.0, 3.0)
    scale = scale_of([ours, theirs])

    assert scale == (58.0, 68.0)
    assert re.search(r'cx="([^"]+)"', whisker(ours, scale, "ours")).group(1) == "39.6"  # type: ignore[union-attr]
    assert re.search(r'cx="([^"]+)"', whisker(theirs, scale, "theirs")).group(1) == "123.6"  # type: ignore[union-attr]


def test_scores_without_spread_are_drawn_in_the_middle() -> None:
    assert 'cx="90.0"' in whisker(Interval(0.0, 0.0), (0.0, 0.0), "ours")


def test_both_losses_are_drawn_to_the_same_scale() -> None:
    history = [
        {"step": 100, "loss": 4.0, "dev_loss": None},
        {"step": 200, "loss": None, "dev_loss": 2.0},
        {"step": 300, "loss": float("nan"), "dev_loss": 1.0},
    ]

    drawn = loss_curve(history)

    assert re.findall(r'points="([^"]*)"', drawn) == ["265.3,12.0", "486.7,136.0 708.0,198.0"]
    assert re.findall(r"<text[^>]*>([^<]+)", drawn) == [*"01234", "0", "100", "200", "step"]


def test_a_history_without_losses_draws_nothing() -> None:
    assert loss_curve([]) == ""
    assert loss_curve([{"step": 1, "loss": None}]) == ""


def test_a_long_history_is_thinned_and_keeps_its_end() -> None:
    points = [(float(step), 1.0) for step in range(10_001)]

    kept = thinned(points)

    assert (len(kept), kept[0], kept[-1]) == (385, (16.0, 1.0), (10_000.0, 1.0))


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(0, [0.0, 1.0]), (0.3, [0.0, 0.1, 0.2, 0.3]), (6.05, [0.0, 2.0, 4.0, 6.0, 8.0]), (5, [0, 1, 2, 3, 4, 5])],
)
def test_a_scale_has_round_values(largest: float, expected: list[float]) -> None:
    assert ticks(largest) == expected
