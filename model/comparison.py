"""What it takes for two scores to be compared: the same sentences, and the same metric computed in the same way."""

from collections.abc import Mapping
from typing import Any, Final

from model.versions import Version
from pipeline.errors import InputError
from pipeline.vocabularies import OWN, SHARED

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


def have_same_vocabulary(one: Version, other: Version) -> bool:
    """Whether two versions cut text into the same pieces.

    Their files say so. The digests in their lineage are of the whole chain of vocabularies, which grows with each
    generation of the data, also where the vocabulary stays.
    """
    models = (SHARED, *OWN.values())
    ours, theirs = ({(file.path, file.sha256) for file in made.files if file.path in models} for made in (one, other))
    return bool(ours) and ours == theirs


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
