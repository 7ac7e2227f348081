"""Which of the languages that a file knows is meant."""

from collections.abc import Iterable


def best_match(wanted: str, known: Iterable[str]) -> str | None:
    """The label that is the wanted one, up to case and the kind of dash, or else the first of the same language.

    >>> best_match("en-US", ["de", "en_us"]), best_match("en", ["de", "en-GB", "en-US"]), best_match("en", ["de"])
    ('en_us', 'en-GB', None)
    """
    labels = list(known)
    if wanted in labels:
        return wanted
    for form in (normal, primary):
        for label in labels:
            if form(label) == form(wanted):
                return label
    return None


def normal(label: str) -> str:
    """A label in lower case with dashes."""
    return label.lower().replace("_", "-").strip()


def primary(label: str) -> str:
    """The language itself, without script and region."""
    return normal(label).partition("-")[0]
