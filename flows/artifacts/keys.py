"""What artifacts are called: the same names each night, so that Prefect shows what became of each over time."""

import re


def key_of(model: str, part: str) -> str:
    """The key of one part of what a model's nights show; Prefect takes small letters, digits and dashes.

    >>> key_of("weather-zh_TW-en", "loss curve")
    'weather-zh-tw-en-loss-curve'
    """
    return re.sub("[^a-z0-9]+", "-", f"{model} {part}".lower()).strip("-")
