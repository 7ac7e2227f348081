"""What it takes for two scores to be compared: the same sentences, and the same metric computed in the same way."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.errors import InputError

DECIDING_SETS: Final = ("test", "dev")
DECIDES: Final = "bleu"
BY_VOCABULARY: Final = ("loss", "perplexity")  # per token of a model's own vocabulary: two models' cannot be compared
ALWAYS: Final = ("bleu", "length_ratio", "chrf", *BY_VOCABULARY, "empty", "repeating", "unknown_rate")  # of each set
ERRORS: Final = (*BY_VOCABULARY, "ter", "token_error_rate", "unknown_rate", "empty", "repeating")  # less is better
SHOWN: Final = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}

Scores = Mapping[str, Any]


def are_comparable(ours: Scores, theirs: Scores, metric: str = DECIDES) -> bool:
    """Whether two scores are of the same sentences, measured by the same metric."""
    keys = ("data_digest", f"{metric}_signature")
    return metric in ours and metric in theirs and all(ours.get(key) == theirs.get(key) for key in keys)


def deciding_set(metrics: Mapping[str, Scores]) -> str:
    """The set whose BLEU decides: the test set, or the dev set if there is no test set."""
    for name in DECIDING_SETS:
        if name in metrics:
            return name
    raise InputError(
        "evaluation", ", ".join(metrics) or "no scores", "scores of a test or a dev set", "nothing held out?"
    )


def shown(metric: str, score: float) -> str:
    """A score in words."""
    return f"{SHOWN.get(metric, metric)} {score:.2f}"


def size_of(ours: Mapping[str, Scores], name: str) -> str:
    """A set in words, `1,000 test sentences`."""
    return f"{ours[name]['sentences']:,} {name} sentences"
