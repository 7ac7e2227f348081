"""What went wrong inside a Beam job, as what it was before Beam wrapped it.

In this process Beam makes a new exception with the step's name in its first argument, or a RuntimeError; the original
is its context. From another process only the text of a traceback comes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import InputError

STEP = r" \[while running '[^\n]*'\]"
INPUT_ERROR = re.compile(rf"InputError: (\S+?)(?:{STEP})? = (.*): expected (.*?)(?:{STEP})?")
NO_ANSWER = re.compile(rf"(?:RuntimeError: )?(?:Connection\w*|Timeout)Error: (.*?){STEP}")
OS_ERROR = re.compile(rf"(?:RuntimeError: )?\w+: \[Errno (\d+)\] (.*?){STEP}")


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raises an `InputError` or an `OSError` as such, wherever in the job it came from; all others as they are."""
    try:
        yield
    except Exception as error:
        if (original := original_of(error)) is not None:
            raise original from error
        raise


def original_of(error: BaseException) -> InputError | OSError | None:
    """What Beam wrapped, if it is an error that a person can do something about."""
    seen: BaseException | None = error
    while seen is not None and hasattr(seen, "_tagged_with_step"):
        seen = seen.__context__
        if isinstance(seen, TypeError):  # how Beam learned that it cannot put the step into the first argument
            seen = seen.__context__
    if seen is not error and isinstance(seen, InputError | OSError):
        return seen
    return in_text(str(error)) if isinstance(error, RuntimeError) else None


def in_text(traceback: str) -> InputError | OSError | None:
    """The same, out of the text of a traceback: the last error in it that names its step, or else its last line.

    >>> in_text("RuntimeError: OSError: [Errno 28] No space left on device [while running 'write shards']").errno
    28
    """
    lines = traceback.strip().splitlines() or [""]
    last = [line for line in lines if re.search(STEP, line)] or lines  # Dataflow adds lines of its own
    said = last[-1].strip().removeprefix("pipeline.errors.")
    if found := INPUT_ERROR.fullmatch(said):
        parameter, value, allowed = found.groups()
        return InputError(parameter, value, allowed)
    if found := OS_ERROR.fullmatch(said):
        return OSError(int(found[1]), found[2])
    if found := NO_ANSWER.fullmatch(said):
        return ConnectionError(found[1])
    return None
