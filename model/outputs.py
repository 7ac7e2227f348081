"""What outputs look like, whatever their scores: empty, repeating, unknown; and BLEU by the length of the sources."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from sacrebleu.metrics.bleu import BLEU

from model.metrics import words

UNKNOWN: Final = "⁇"  # what SentencePiece writes for a piece that it does not know
LONGEST_PHRASE: Final = 8  # words that are looked at as one phrase
TIMES: Final = 3  # a phrase said that often in a row is a repetition
EDGES: Final = (0, 10, 20, 30, 40, 60)  # words: a bucket reaches from above one edge to the next


def describe(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Shares of the outputs, 0 to 1.

    An output is counted as empty where the reference is not, and as repeating where the reference does not repeat.

    >>> describe(["", "so so so", "a ⁇"], ["yes", "well", "a b"])  # doctest: +ELLIPSIS
    {'empty': 0.333..., 'repeating': 0.333..., 'unknown_rate': 0.333...}
    """
    pairs = list(zip(hypotheses, references, strict=True))
    counts = {
        "empty": sum(not one.strip() and bool(other.strip()) for one, other in pairs),
        "repeating": sum(is_repeating(one) and not is_repeating(other) for one, other in pairs),
        "unknown_rate": sum(UNKNOWN in one for one in hypotheses),
    }
    return {name: count / len(pairs) for name, count in counts.items()}


def is_repeating(text: str) -> bool:
    """Whether a phrase comes three times in a row.

    >>> is_repeating("rain in the rain in the rain in the"), is_repeating("rain, then rain, then snow")
    (True, False)
    """
    found = words(text)
    for length in range(1, LONGEST_PHRASE + 1):
        run = 0  # words in a row that are those of a phrase's length before
        for place in range(length, len(found)):
            run = run + 1 if found[place] == found[place - length] else 0
            if run == (TIMES - 1) * length:
                return True
    return False


def by_length(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], bleu_tokenizer: str
) -> list[dict[str, Any]]:
    """BLEU of the pairs whose sources have so many words; no bucket without pairs.

    >>> by_length(["a b c d"], ["w x y z"], ["w x y z"], "13a")  # doctest: +ELLIPSIS
    [{'words': '1-10', 'sentences': 1, 'bleu': 100...}]
    """
    rows: dict[str, list[int]] = {name: [] for name in bucket_names()}
    for row, source in enumerate(sources):
        rows[bucket_of(len(words(source)))].append(row)
    return [
        {
            "words": name,
            "sentences": len(chosen),
            "bleu": BLEU(tokenize=bleu_tokenizer)
            .corpus_score([hypotheses[row] for row in chosen], [[references[row] for row in chosen]])
            .score,
        }
        for name, chosen in rows.items()
        if chosen
    ]


def bucket_names() -> list[str]:
    """The buckets in their order.

    >>> bucket_names()
    ['0', '1-10', '11-20', '21-30', '31-40', '41-60', '61-']
    """
    return ["0", *(f"{low + 1}-{high}" for low, high in pairwise(EDGES)), f"{EDGES[-1] + 1}-"]


def bucket_of(length: int) -> str:
    """The bucket of a source of so many words."""
    return bucket_names()[sum(length > edge for edge in EDGES)]
