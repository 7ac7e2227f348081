"""TensorFlow's import without its chatter. This module itself imports nothing heavy."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

CHATTER = (b"I0000 ", b"W0000 ", b"WARNING: All log messages before absl::InitializeLog()")


@contextmanager
def tensorflow_quietly() -> Iterator[None]:
    """Keeps back what TensorFlow's libraries print while they are loaded; everything else is printed afterwards.

    They write to the file descriptor of stderr before any setting of theirs is read, so it is the descriptor that is
    turned aside for as long as the block runs:

        with tensorflow_quietly():
            import tensorflow
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            aside.seek(0)
            for line in aside:
                if not line.startswith(CHATTER):
                    os.write(2, line)
