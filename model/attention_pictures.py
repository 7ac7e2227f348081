"""What each piece of a translation was written from, as a picture: source pieces across, target pieces down."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.pictures import as_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCHES_PER_PIECE: Final = 0.24
MARGIN: Final = 1.6  # inches for the pieces' names and the scale
FONTS: Final = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans", "WenQuanYi Zen Hei", "Unifont")


def draw_attention(source: Sequence[str], target: Sequence[str], attention: npt.NDArray[Any]) -> bytes:
    """A PNG of a heat map; equal values give equal bytes.

    Args:
        source: the S pieces of the source, its end included.
        target: the T pieces of the translation, likewise.
        attention: how much each target piece was written from each source piece, 0 to 1, [T, S].
    """
    if attention.shape != (len(target), len(source)):
        raise ValueError(f"attention of shape {attention.shape} for {len(target)} target, {len(source)} source pieces")

    def draw(figure: "Figure") -> None:
        from matplotlib import rcParams
        from matplotlib.font_manager import fontManager

        known = {font.name for font in fontManager.ttflist}
        rcParams["font.family"] = [name for name in FONTS if name in known]  # what none of them has is a box
        axes = figure.subplots()
        shown = axes.imshow(attention, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        for axis, pieces in ((axes.xaxis, source), (axes.yaxis, target)):
            axis.set_ticks(np.arange(len(pieces)), pieces, parse_math=False, fontsize=8)
        axes.xaxis.tick_top()
        axes.tick_params(axis="x", rotation=90)
        axes.tick_params(length=0)
        figure.colorbar(shown, ax=axes, shrink=0.6, label="attention")

    return as_png(draw, (MARGIN + 1.0 + INCHES_PER_PIECE * len(source), MARGIN + INCHES_PER_PIECE * len(target)))
