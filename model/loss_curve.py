"""The loss over the steps of a training, as a picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.pictures import as_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (7.0, 4.2)  # inches
TRAIN, DEV, RATE = "#4c8dca", "#b4451f", "#b8b8b8"


def draw_losses(history: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG of a history's losses and step sizes; equal histories give equal bytes.

    Args:
        history: rows with `step`, `loss`, `dev_loss` and `learning_rate`, of which the losses may be None.
    """
    return as_png(lambda figure: draw(figure, history), SIZE)


def draw(figure: "Figure", history: Sequence[Mapping[str, Any]]) -> None:
    """Draws on an empty figure."""
    axes = figure.subplots()
    rates = axes.twinx()
    steps = [row["step"] for row in history]
    rates.plot(steps, [row["learning_rate"] for row in history], color=RATE, linewidth=1)
    rates.set_ylabel("step size", color="#808080")
    rates.set_ylim(bottom=0)
    axes.set_zorder(rates.get_zorder() + 1)  # the losses lie over the step size
    axes.patch.set_visible(False)
    training = "training, with dropout and label smoothing"
    for name, label, color in (("loss", training, TRAIN), ("dev_loss", "dev set", DEV)):
        known = [(row["step"], row[name]) for row in history if row[name] is not None]
        if known:
            axes.plot(*zip(*known, strict=True), color=color, marker="o", markersize=3, label=label)
    best = min((row for row in history if row["dev_loss"] is not None), key=lambda row: row["dev_loss"], default=None)
    if best:
        place, value = best["step"], best["dev_loss"]
        axes.annotate(
            f"{value:.3f}", (place, value), textcoords="offset points", xytext=(0, -14), ha="center", color=DEV
        )
    axes.set_xlabel("step")
    axes.set_ylabel("cross-entropy per target token, nats")
    axes.set_ylim(bottom=0)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper right")
