"""What every benchmark suite shares: a table for people and flat figures in build/bench.json."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

FIGURES = Path("build/bench.json")


def show(title: str, figures: dict[str, float], meanings: dict[str, str]) -> None:
    """Prints the figures with what they mean."""
    table = Table(title=title, title_justify="left")
    for column in ("name", "figure", "what it is"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.3f}", meanings[name])
    Console().print(table)


def read() -> dict[str, float]:
    """All figures that were ever measured here."""
    found: dict[str, float] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return found


def merge(figures: dict[str, float]) -> None:
    """Adds the figures to those of other suites; a name that is there already gets the new figure."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(dict(sorted((read() | figures).items())), indent=2) + "\n", encoding="utf-8")
