"""Imports that cost less."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def many_imports() -> Iterator[None]:
    """Looks for no garbage while the block imports, nor later among what it made: modules stay, and looking takes time.

    It would be a fifth of an import of Prefect.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
