"""Whether one system is better than another by more than chance: paired bootstrap resampling.

Koehn (2004), Statistical significance tests for machine translation evaluation. The sentences of the set are drawn
with replacement again and again, the same ones for both systems, and each time both are scored. p is the share of
draws whose difference, centred, is larger than the measured one: sacreBLEU's two-sided test, computed by sacreBLEU
(Post, 2018). Below some hundred sentences hardly any gain is beyond chance.

Of very few sentences the draws are all alike and would make anything certain: a single one would give the smallest p
there is. So p is never below what an exact test of the same pairs could show, which gives each sentence's outputs to
either system: of k sentences with different outputs 2 of 2^k ways are as extreme as the measured one (Fisher, 1935).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

SEED: Final = 12345  # sacreBLEU's own
VARIABLE: Final = "SACREBLEU_SEED"


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its 95 % confidence interval, `score` to both sides by `half_width`."""

    score: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Significance:
    """What paired bootstrap resampling says about two systems.

    Args:
        p: probability of a difference as large as this one if there were none in truth; at least 1 / (samples + 1), and
            2^(1 - k) for k sentences with different outputs.
        samples: how often sentences were drawn.
        ours: BLEU of the one system.
        theirs: BLEU of the other.
        signature: sacreBLEU's, with seed and samples.
    """

    p: float
    samples: int
    ours: Interval
    theirs: Interval
    signature: str


def paired_bootstrap(
    ours: Sequence[str], theirs: Sequence[str], references: Sequence[str], *, tokenizer: str, samples: int
) -> Significance:
    """Compares the BLEU of two systems on the same sentences.

    The result depends on the texts alone. It takes 40 bytes of memory for each sentence and sample.

    Args:
        ours: translations of one system.
        theirs: translations of the other, in the same order.
        references: what both should have said.
        tokenizer: how sacreBLEU cuts sentences into words.
        samples: how often sentences are drawn.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    if not len(ours) == len(theirs) == len(references) > 0:
        raise ValueError(f"{len(ours)}, {len(theirs)} and {len(references)} sentences cannot be paired")
    systems: Any = [("theirs", list(theirs)), ("ours", list(ours))]
    results: Any
    with fixed_seed():
        test = PairedTest(systems, {"BLEU": BLEU(tokenize=tokenizer)}, [list(references)], "bs", samples)
        signatures, results = test()
    baseline, system = results["BLEU"]
    return Significance(
        p=max(float(system.p_value), smallest_p(ours, theirs)),
        samples=samples,
        ours=Interval(float(system.score), float(system.ci)),
        theirs=Interval(float(baseline.score), float(baseline.ci)),
        signature=str(signatures["BLEU"]),
    )


def interval_of(
    metric: str, hypotheses: Sequence[str], references: Sequence[str], *, tokenizer: str, samples: int
) -> Interval:
    """The confidence interval of one system's score, by the same draws as those of `paired_bootstrap`.

    Args:
        metric: `bleu` or `chrf`.
        hypotheses: the system's translations, at least one.
        references: what it should have said.
        tokenizer: how BLEU cuts sentences into words.
        samples: how often sentences are drawn.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    scorer: Any = BLEU(tokenize=tokenizer) if metric == "bleu" else CHRF()
    # What sacreBLEU does for one system, without holding all draws' statistics at once: 18 numbers a sentence of chrF.
    statistics = np.array(scorer._extract_corpus_statistics(list(hypotheses), [list(references)]), float)
    draws = np.random.default_rng(SEED).choice(len(statistics), size=(samples, len(statistics)), replace=True)
    totals = [statistics.sum(0), *(statistics[rows].sum(0) for rows in draws)]
    score, *drawn = (float(scorer._compute_score_from_stats(total).score) for total in totals)
    drawn.sort()
    beyond = samples // 40  # 2.5 % at each end
    return Interval(score, (drawn[-1 - beyond] - drawn[beyond]) / 2)


def smallest_p(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The smallest p that the sentences with different outputs can show.

    >>> smallest_p(["rain"], ["rain"]), smallest_p(["rain"], ["fog"]), smallest_p(["a", "b", "c"], ["d", "e", "f"])
    (1.0, 1.0, 0.25)
    """
    different = sum(one != other for one, other in zip(ours, theirs, strict=True))
    return min(1.0, 2.0 ** (1 - different))


@contextmanager
def fixed_seed() -> Iterator[None]:
    """A decision must not depend on the environment, from which sacreBLEU would take its seed."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(SEED)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
