"""Figures and moments in words, as all parts of the report write them."""

from typing import Final

from model.report.markup import Html, element

SHORT: Final = 12  # characters of a digest that are shown


def digest(whole: str) -> Html:
    """The first characters of a digest, which tell it from all others in practice."""
    return element("code", whole[:SHORT], class_="digest")


def difference(by: float, decimals: int) -> str:
    """A difference with its sign.

    >>> difference(-0.52, 2), difference(0.001, 2)
    ('−0.52', '0.00')
    """
    rounded = round(by, decimals)
    return f"{rounded:+.{decimals}f}".replace("-", "−") if rounded else f"{0:.{decimals}f}"


def sentence(words: str) -> str:
    """Words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def minute(moment: str) -> str:
    """A moment to the minute."""
    return moment[:16].replace("T", " ")
