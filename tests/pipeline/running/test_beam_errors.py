import errno

import pytest

from pipeline.errors import InputError
from pipeline.running.beam_errors import in_text, unwrapped

REMOTE = """Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1602, in apache_beam.runners.common.DoFnRunner._reraise_augmented
  File "transforms.py", line 8, in read
pipeline.errors.InputError: {line}

"""


@pytest.mark.parametrize(
    "line",
    [
        "corpus.train[0] [while running 'read-ptransform-12'] = a b: expected one (or two) things",
        "corpus.train[0] = a b: expected one (or two) things",
        "corpus.train[0] = a b: expected one (or two) things [while running 'write']",
    ],
)
def test_bad_input_is_found_in_a_traceback(line):
    found = in_text(REMOTE.format(line=line))
    assert isinstance(found, InputError)
    assert str(found) == "corpus.train[0] = a b: expected one (or two) things"


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("RuntimeError: OSError: [Errno 28] No space left on device [while running 'x']", OSError, errno.ENOSPC),
        ("RuntimeError: PermissionError: [Errno 13] Permission denied: '/a' [while running 'x']", PermissionError, 13),
        ("FileNotFoundError: [Errno 2] No such file: '/a' [while running 'x']", FileNotFoundError, errno.ENOENT),
        ("ConnectionError: gs://a could not be reached [while running 'x']", ConnectionError, None),
    ],
)
def test_an_os_error_is_found_in_a_traceback(text, kind, number):
    found = in_text(f"Traceback (most recent call last):\n  File ...\n{text}\n")
    assert type(found) is kind
    assert found.errno == number


def test_other_text_is_no_error_of_ours():
    assert in_text("RuntimeError: a KeyError [while running 'x']") is None
    assert in_text("the disk said OSError: [Errno 28] in passing") is None


def test_an_error_that_was_handled_before_another_is_not_blamed():
    text = REMOTE.format(line="corpus.train = x: expected y")
    assert in_text(f"{text}\nDuring handling of the above exception, another occurred:\n\nKeyError: 'x'\n") is None


def test_an_error_of_the_runner_itself_is_left_alone():
    with pytest.raises(RuntimeError, match="a worker process ended"), unwrapped():  # noqa: PT012
        try:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        except ConnectionResetError as error:
            raise RuntimeError("a worker process ended") from error
