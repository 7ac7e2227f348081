"""The stage that learns the vocabulary, and keeps it from one generation to the next."""

import heapq
from collections.abc import Sequence
from pathlib import Path

from pipeline import manifest as manifests
from pipeline.keys import pair_key
from pipeline.manifest import Manifest
from pipeline.pairs import BLOCK, read_pairs
from pipeline.records import SentencePair
from pipeline.stage import Outcome, log, stage, verify
from pipeline.vocabulary import UNK, Vocabulary, VocabularyConfig, train_vocabulary

MODEL = "vocabulary.model"
CHECKED_PAIRS = 50_000  # of a generation, to see how much of it the vocabulary does not know
FEWEST_PAIRS = 500  # of a generation, below which its share of unknown tokens says little
HELPS_BELOW = 0.5  # of the unknown share: what a new vocabulary must come down to, to be worth training again


@stage("build_vocabulary", section="vocabulary", version=2, takes=("pairs",), makes="vocabulary", grows=True)
def build_vocabulary(config: VocabularyConfig, pairs: Manifest, *, folder: Path, earlier: Manifest | None) -> Outcome:
    """Learns one SentencePiece vocabulary for both sides from a sample of the training pairs.

    The sample is chosen by content hash, so that the same pairs give the same vocabulary on every machine. A later
    generation keeps the vocabulary unless too much of its text is unknown to it, or a new one is asked for; a new one
    is learned from all generations.

    nightshift build-vocabulary --preset weather

    workspace/weather-en-fr/build_vocabulary/91c0de5f2a17/
        vocabulary.model        SentencePiece model: nothing else is needed to encode and decode
        manifest.json
    """
    generations = pairs.chain()
    is_asked = len(generations) == config.rebuild_at
    new = sample_of([pairs], CHECKED_PAIRS)
    if earlier:
        verify([earlier])
        unknown = unknown_share(earlier.path(MODEL).read_bytes(), new)
        is_needed = len(new) >= FEWEST_PAIRS and unknown > config.max_unknown_share
        if not is_asked and not is_needed:
            return keep(earlier, unknown, folder)
    verify(generations, "train/*.parquet")
    sample = sample_of(generations, config.sample_pairs)
    model = train_vocabulary(config, (side for pair in sample for side in (pair.source, pair.target)))
    left = unknown_share(model, new)
    if earlier and not is_asked:
        if left > HELPS_BELOW * unknown:  # what is unknown is too rare to be learned
            return keep(earlier, unknown, folder)
        limit = f"more than vocabulary.max_unknown_share, {100 * config.max_unknown_share:g} %"
        log.warning(
            "%-16s renewed   %.2f %% of the new text's tokens are unknown, %s", "build_vocabulary", 100 * unknown, limit
        )
    manifests.write_atomically(folder / MODEL, model)
    counts = {"pieces": Vocabulary(model).size, "sampled_pairs": len(sample)}
    return Outcome(counts, {"learned_at": len(generations), "unknown_share": left}, starts_anew=True)


def keep(earlier: Manifest, unknown: float, folder: Path) -> Outcome:
    """The vocabulary of the generations before, for this one too."""
    manifests.write_atomically(folder / MODEL, earlier.path(MODEL).read_bytes())
    facts = {"learned_at": earlier.facts["learned_at"], "unknown_share": unknown}
    return Outcome({"generations_kept_for": 1}, facts)


def unknown_share(model: bytes, pairs: list[SentencePair]) -> float:
    """Share of the tokens of both sides that a vocabulary has no piece for."""
    vocabulary = Vocabulary(model)
    sentences = [side for pair in pairs for side in (pair.source, pair.target)]
    tokens = unknown = 0
    for start in range(0, len(sentences), BLOCK):
        for ids in vocabulary.encode(sentences[start : start + BLOCK]):
            tokens += len(ids)
            unknown += ids.count(UNK)
    return round(unknown / max(tokens, 1), 6)


def sample_of(generations: Sequence[Manifest], number: int) -> list[SentencePair]:
    """The training pairs with the smallest content hashes, all of them where there are no more than asked for."""
    files = [file for generation in generations for file in generation.paths("train/part-*.parquet")]
    pairs = (pair for file in files for pair in read_pairs(file))
    if sum(generation.counts["train.kept"] for generation in generations) <= number:
        return list(pairs)
    return heapq.nsmallest(number, pairs, key=pair_key)
