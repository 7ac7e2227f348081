"""Small charts as SVG in the page; colours come from the page's style, so that they are right by day and by night."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from model.bootstrap import Interval
from model.report.markup import Html, element

WIDTH, HEIGHT = 720, 300  # of the loss curve, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 40
MOST_POINTS: Final = 400
FEW: Final = 40  # points that are marked one by one
INTERVAL_WIDTH, INTERVAL_HEIGHT = 180, 14
STEPS: Final = (1, 2, 2.5, 5, 10)  # of a scale, times a power of ten


def bar(share: float, class_: str = "ours") -> Html:
    """A horizontal bar, 0 to 1 of the width there is."""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    return element(
        "svg",
        element("rect", class_="track", width="100%", height="100%"),
        element("rect", class_=class_, width=width, height="100%"),
        class_="bar",
        aria_hidden="true",
    )


def whisker(interval: Interval, scale: tuple[float, float], class_: str) -> Html:
    """A score with its interval as a dot on a line, on a scale that its neighbours share."""
    low, high = scale

    def place(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{6 + (INTERVAL_WIDTH - 12) * min(max(share, 0.0), 1.0):.1f}"

    middle = INTERVAL_HEIGHT // 2
    ends = [place(interval.score - interval.half_width), place(interval.score + interval.half_width)]
    return element(
        "svg",
        element("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle),
        *(element("line", x1=end, x2=end, y1=middle - 3, y2=middle + 3) for end in ends),
        element("circle", cx=place(interval.score), cy=middle, r=4),
        class_=f"whisker {class_}",
        viewBox=f"0 0 {INTERVAL_WIDTH} {INTERVAL_HEIGHT}",
        aria_hidden="true",
    )


def scale_of(intervals: Sequence[Interval]) -> tuple[float, float]:
    """From the lowest to the highest end of some intervals."""
    ends = [one.score + sign * one.half_width for one in intervals for sign in (-1, 1)]
    return min(ends), max(ends)


def loss_curve(history: Sequence[Mapping[str, Any]]) -> Html:
    """Training and dev loss over the steps; nothing where neither was ever measured."""
    lines = {
        name: thinned([(row["step"], row[name]) for row in history if is_number(row.get(name))])
        for name in ("loss", "dev_loss")
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return Html()
    steps, losses = ticks(max(step for step, _ in points)), ticks(max(loss for _, loss in points))

    def across(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / (steps[-1] or 1)

    def down(loss: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * loss / (losses[-1] or 1)

    return element(
        "svg",
        *(rule(LEFT, WIDTH - RIGHT, down(loss), f"{loss:g}") for loss in losses),
        *(
            element("text", f"{step:,.0f}", x=f"{across(step):.1f}", y=HEIGHT - BOTTOM + 18, text_anchor="middle")
            for step in steps[:-1]
        ),
        element("text", "step", x=WIDTH - RIGHT, y=HEIGHT - BOTTOM + 18, text_anchor="end"),
        *(
            curve([(across(step), down(loss)) for step, loss in line], name.replace("_", "-"))
            for name, line in lines.items()
            if line
        ),
        class_="curve",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label="training and dev loss over the steps",
    )


def rule(left: float, right: float, height: float, label: str) -> Html:
    """A line across with its value."""
    line = element("line", class_="grid", x1=left, x2=right, y1=f"{height:.1f}", y2=f"{height:.1f}")
    return element("g", line, element("text", label, x=left - 8, y=f"{height + 4:.1f}", text_anchor="end"))


def curve(points: Sequence[tuple[float, float]], class_: str) -> Html:
    """A line through points, and a dot on each where they are few."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = points if len(points) <= FEW else points[-1:]
    drawn = (element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3) for x, y in dots)
    return element("g", element("polyline", points=path), *drawn, class_=class_)


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most some hundred of the points, the last one among them."""
    every = math.ceil(len(points) / MOST_POINTS) or 1
    return list(points[::-1][::every][::-1])


def ticks(largest: float) -> list[float]:
    """Round values from 0 to the first that is not below the largest, about five of them.

    >>> ticks(3.4), ticks(1200)
    ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 250.0, 500.0, 750.0, 1000.0, 1250.0])
    """
    if largest <= 0:
        return [0.0, 1.0]
    power = 10 ** math.floor(math.log10(largest / 5))
    step = next(one * power for one in STEPS if one * power * 5 >= largest)
    return [round(step * number, 10) for number in range(math.ceil(largest / step - 1e-9) + 1)]


def is_number(value: object) -> bool:
    """Whether a loss was measured, and is none that a training lost its way with."""
    return isinstance(value, int | float) and math.isfinite(value)


def legend(*entries: tuple[str, str]) -> Html:
    """What the colours mean: classes and words."""

    def shown() -> Iterator[Html]:
        for class_, words in entries:
            yield element("span", element("span", class_=f"key {class_}"), words)

    return element("p", *shown(), class_="legend")
