"""HTML that cannot be broken by what it shows: text becomes part of it through `element`, which escapes it."""

import html
from collections.abc import Iterable
from itertools import zip_longest
from typing import Final

VOID: Final = ("img", "meta")  # elements that hold nothing and have no end
NUMBER: Final = "number"
FIGURES: Final = f'<td class="{NUMBER}"'


class Html(str):
    """Text that is HTML already, made by this module; any other text is what people wrote."""

    __slots__ = ()


Child = str | int | None
Attribute = str | int | float | None


def element(tag: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element with what it holds.

    A name that Python keeps for itself is given with a `_` at its end; other `_` become `-`. What is None is left out.

    >>> element("td", "a < b", class_="text", dir="auto", lang=None)
    '<td class="text" dir="auto">a &lt; b</td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Parts one after the other, those that are no HTML escaped.

    >>> join(["<b>", Html("<br>"), None, 7])
    '&lt;b&gt;<br>7'
    """
    there = (child for child in children if child is not None)
    return Html("".join(child if isinstance(child, Html) else html.escape(str(child)) for child in there))


def table(heads: Iterable[Child], rows: Iterable[Iterable[Child]]) -> Html:
    """A table that scrolls by itself where the page is narrow; a cell that is no `td` yet becomes one."""
    cells = [[cell(one) for one in row] for row in rows]
    are_figures = [one.startswith(FIGURES) for one in cells[0]] if cells else []
    named = zip_longest(heads, are_figures)
    head = (element("th", name, scope="col", class_=NUMBER if are else None) for name, are in named)
    body = (element("tr", *row) for row in cells)
    content = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", content, class_="wide")


def cell(value: Child) -> Html:
    """A table's cell."""
    is_cell = isinstance(value, Html) and value.startswith(("<td", "<th"))
    return Html(value) if is_cell else element("td", value)


def number(value: Child) -> Html:
    """A cell of figures, which stand below each other."""
    return element("td", value, class_=NUMBER)


def written(text: str, *, lang: str | None = None) -> Html:
    """A piece of somebody's text: in its own direction, which does not reach what stands beside it."""
    return element("bdi", text, lang=lang)


def folded(title: str, *children: Child) -> Html:
    """Something that is opened by those who want to know."""
    return element("details", element("summary", title), *children)


def section(title: str, *children: Child) -> Html:
    """A part of the page; nothing where it holds nothing."""
    held = [child for child in children if child]
    return element("section", element("h2", title), *held) if held else Html()
