"""Pictures as PNG files, drawn by Matplotlib in the same way on every machine."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 100


def as_png(draw: Callable[["Figure"], None], size: tuple[float, float]) -> bytes:
    """What a function draws on an empty figure of some inches, as a PNG; the same drawing gives the same bytes."""
    with matplotlib_quietly():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})  # the version of matplotlib, by default
    return written.getvalue()


@contextmanager
def matplotlib_quietly() -> Iterator[None]:
    """Matplotlib with its own defaults, whatever a person's settings are, and without its remarks.

    It says so when it builds its cache of fonts, and when a font lacks a character of the text, which is then drawn as
    a box.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib

        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            matplotlib.rcdefaults()
            yield
    finally:
        logger.setLevel(level)
