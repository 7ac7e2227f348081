"""Lengths and ratios as a picture: the new generation over those before it, all of it and each origin by itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.pictures import as_png
from pipeline.summaries import BINS_PER_OCTAVE, LENGTHS, RATIOS, Counts, Sizes, Summary, quantile, total

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (5.2, 3.4)  # inches
MOST_ORIGINS = 6  # those with most new pairs have a row of their own
BARS = 40  # at most, in a panel of lengths
RATIO_WIDTH = 9  # bins of a ratio's bar: about an eighth of an octave, as many below its middle as above
SHOWN = 0.995  # share of the pairs that the axis reaches to
NEW, BEFORE = "#4c8dca", "#b4451f"
TICKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16)  # of ratios
TICK_NAMES = ("1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16")


def draw_lengths(new: Mapping[str, Summary], before: Mapping[str, Summary]) -> bytes:
    """A PNG of the lengths of both sides and their ratio; equal summaries give equal bytes.

    Args:
        new: summaries of the generation by origin.
        before: summaries of those before it by origin, empty for the first.
    """
    rows = rows_of(new, before)
    return as_png(lambda figure: draw_rows(figure, rows), (3 * PANEL[0], len(rows) * PANEL[1] + 0.5))


def rows_of(new: Mapping[str, Summary], before: Mapping[str, Summary]) -> list[tuple[str, Summary, Summary | None]]:
    """Title, new pairs and pairs before of each row of the picture."""
    known = [*new.values(), *before.values()]
    sizes = known[0].sizes if known else Sizes(0, 0)
    rows = [("all pairs", total(new.values(), sizes), total(before.values(), sizes) if before else None)]
    if len(new.keys() | before.keys()) > 1:
        largest = sorted(new, key=lambda name: (-new[name].pairs, name))[:MOST_ORIGINS]
        rows += [(name, new[name], before.get(name)) for name in largest]
    return rows


def draw_rows(figure: "Figure", rows: list[tuple[str, Summary, Summary | None]]) -> None:
    """Draws three panels for each row."""
    panels = figure.subplots(len(rows), 3, squeeze=False)
    for (source, target, ratio), (title, new, before) in zip(panels, rows, strict=True):
        for axes, name in ((source, "source"), (target, "target")):
            draw_lengths_of_side(axes, new.sides[name].lengths, before.sides[name].lengths if before else None)
            axes.set_xlabel(f"{name} length in {'frames' if new.sides[name].are_frames else 'pieces'}")
        draw_ratios(ratio, new.ratios, before.ratios if before else None)
        source.set_ylabel("share of the pairs in %")
        source.set_title(title, loc="left", fontweight="bold", parse_math=False)
        for axes in (source, target, ratio):
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
            axes.set_ylim(bottom=0)
            axes.grid(axis="y", alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        target.legend(frameon=False, loc="upper right")
    figure.suptitle(
        "Lengths of the training pairs: the new generation" + (" and those before it" if rows[0][2] else "")
    )


def draw_lengths_of_side(axes: "Axes", new: Counts, before: Counts | None) -> None:
    """Bars from 0 to the length that few exceed."""
    last = int(quantile(new if before is None else new + before, LENGTHS, SHOWN))
    width = -(-(last + 1) // BARS)
    edges = np.arange(0, last + width + 1, width)
    draw_shares(axes, edges, edges - 0.5, new, before)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def draw_ratios(axes: "Axes", new: Counts, before: Counts | None) -> None:
    """Bars an eighth of an octave wide, one of them around 1, over at least 1/2 to 2."""
    middle = len(RATIOS) // 2
    both = new if before is None else new + before
    reach = max(abs(np.log2(quantile(both, RATIOS, share))) for share in (1 - SHOWN, SHOWN))
    bars = int(np.ceil(max(reach, 1) * BINS_PER_OCTAVE / RATIO_WIDTH))
    edges = middle - RATIO_WIDTH // 2 + RATIO_WIDTH * np.arange(-bars, bars + 2)
    edges = edges[(edges >= 0) & (edges <= len(RATIOS))]
    draw_shares(axes, edges, 2.0 ** ((edges - 0.5 - middle) / BINS_PER_OCTAVE), new, before)
    first, last = axes.get_xlim()
    axes.set_xscale("log", base=2)
    axes.set_xticks(TICKS, TICK_NAMES)
    axes.set_xticks([], minor=True)
    axes.set_xlim(first, last)
    axes.set_xlabel("target length / source length")


def draw_shares(axes: "Axes", edges: Counts, ends: npt.NDArray[Any], new: Counts, before: Counts | None) -> None:
    """Bars of the new pairs and a line of those before, each as shares of their own number.

    Args:
        axes: the panel.
        edges: [bars + 1], which bins of the histograms make a bar.
        ends: [bars + 1], where the bars begin and end on the axis.
        new: the histogram of the new pairs.
        before: that of the pairs before.
    """
    looks: tuple[dict[str, Any], ...] = ({"fill": True, "color": NEW}, {"color": BEFORE, "linewidth": 1.6})
    for name, counts, look in zip(("new", "before"), (new, before), looks, strict=True):
        if counts is not None and counts.any():
            sums = np.concatenate([[0], np.cumsum(counts)])[np.minimum(edges, len(counts))]
            axes.stairs(np.diff(sums) / counts.sum(), ends, label=f"{name}, {counts.sum():,} pairs", **look)
    axes.set_xlim(ends[0], ends[-1])
