import io
import logging
import math
from typing import Any

import pytest
from rich.console import Console

from model.precision import LossScale
from model.progress import TrainingProgress
from model.trainer import Step


def step_of(loss: float, tokens: int) -> Step:
    """What became of a step."""
    return Step(loss, tokens, norm=1.0, asked=False, scale=LossScale(0))


def test_a_log_gets_a_line_every_five_seconds(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "nightshift"),
        TrainingProgress(100, console=Console(file=io.StringIO())) as shown,
    ):
        for step in range(1, 13):
            clock.now += 1
            shown.update(step, [step_of(2.0, 50)])
    assert caplog.messages == [
        "train            step 5/100  loss 2.000  50 tokens/s  95 s left",
        "train            step 10/100  loss 2.000  50 tokens/s  90 s left",
    ]


def test_time_left_counts_the_steps_of_this_run_only(clock: Any) -> None:
    shown = TrainingProgress(100, done=80, console=Console(file=io.StringIO()))
    shown.update(81, [step_of(1.0, 10)])
    clock.now += 5
    shown.update(91, [step_of(1.0, 10)])
    assert shown.seconds_left == 4.5


def test_the_first_step_says_nothing_of_the_speed(clock: Any) -> None:
    shown = TrainingProgress(100, console=Console(file=io.StringIO()))
    clock.now += 60
    shown.update(1, [step_of(2.0, 50)])
    assert shown.seconds_left is None
    assert shown.line() == "step 1/100  loss 2.000"
    clock.now += 1
    shown.update(2, [step_of(2.0, 50)])
    assert shown.seconds_left == 98
    assert shown.line() == "step 2/100  loss 2.000  50 tokens/s"


def test_the_first_call_says_nothing_of_the_speed_and_skipped_steps_nothing_of_the_loss(clock: Any) -> None:
    shown = TrainingProgress(100, console=Console(file=io.StringIO()))
    shown.update(3, [step_of(math.nan, 50), step_of(2.0, 50), step_of(math.nan, 50)])
    assert shown.line() == "step 3/100  loss 2.000"
    clock.now += 1
    shown.update(5, [step_of(2.0, 50), step_of(2.0, 30)])
    assert shown.line() == "step 5/100  loss 2.000  80 tokens/s"


def test_a_terminal_gets_a_bar_that_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with caplog.at_level(logging.INFO, "nightshift"), TrainingProgress(2, console=console) as shown:
        shown.update(1, [step_of(3.0, 10)])
        shown.update(2, [step_of(3.0, 10)])
        shown.bar.refresh()
    assert "step 2/2  loss 3.000" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the line is wiped
    assert not caplog.messages


def test_the_bar_goes_away_after_an_error_too() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt), TrainingProgress(2, console=console) as shown:
        raise KeyboardInterrupt
    assert not shown.bar.live.is_started
