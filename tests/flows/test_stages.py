import errno
from types import SimpleNamespace

import pytest
from prefect.task_engine import TaskRunTimeoutError

from flows import cli, dag, stages
from flows.night_config import HOURS
from flows.overlap import LeaseLost, Replaced
from model.interruption import Interrupted
from pipeline.errors import InputError
from pipeline.storage import Conflict


@pytest.mark.parametrize(
    ("failure", "is_tried_again"),
    [
        (ConnectionError("reset"), True),
        (OSError(errno.EIO, "input/output error"), True),
        (OSError(errno.ENOSPC, "no space left"), False),
        (TimeoutError("the storage did not answer"), True),
        (TaskRunTimeoutError("scope timed out"), False),
        (Interrupted(7), True),
        (ChildProcessError("worker 2 of 2 was killed by signal 9"), True),
        (Replaced("made way for another night"), False),
        (LeaseLost("taken by another night"), False),
        (Conflict("the champion moved"), True),
        (InputError("train.steps", 0, "at least 1"), False),
        (RuntimeError("pairs were lost"), False),
        (AttributeError("a defect"), False),
    ],
)
def test_only_what_can_pass_is_tried_again(failure, is_tried_again):
    task = SimpleNamespace(name="clean")
    run, state = SimpleNamespace(run_count=1), SimpleNamespace(data=failure)
    assert stages.may_pass(task, run, state) is is_tried_again


def test_each_stage_is_a_task_with_retries_and_has_its_hours():
    for stage in dag.STAGES:
        task = stages.task_of(stage)
        assert task.name == stage.name
        assert task.retries == len(stages.WAITS)
        assert task.description == stage.__doc__
    assert list(HOURS) == [stage.name for stage in dag.STAGES]


def test_the_command_line_knows_every_stage():
    assert tuple(stage.name for stage in dag.STAGES) == cli.STAGES


def test_every_input_has_one_maker_and_comes_before_its_reader():
    made = []
    for stage in dag.STAGES:
        assert set(stage.takes) <= set(made)
        assert stage.makes not in made
        made.append(stage.makes)
