import errno

import apache_beam as beam
import pytest

from pipeline.beam_config import BeamConfig
from pipeline.runners import open_pipeline


def fail(error):
    raise error


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_inside_beam_is_one_outside(code):
    with pytest.raises(OSError, match="the disk") as caught, open_pipeline(BeamConfig()) as pipeline:
        _ = pipeline | beam.Create([OSError(code, "the disk")]) | "write" >> beam.Map(fail)
    assert caught.value.errno == code


def test_a_defect_inside_beam_stays_one():
    with pytest.raises(KeyError, match="look up"), open_pipeline(BeamConfig()) as pipeline:
        _ = pipeline | beam.Create([KeyError("x")]) | "look up" >> beam.Map(fail)
