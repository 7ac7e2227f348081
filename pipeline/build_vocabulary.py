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
    if earlier and len(generations) != config.rebuild_at:
        verify(earlier)
        model = earlier.path(MODEL).read_bytes()
        unknown = unknown_share(Vocabulary(model), sample_of([pairs], CHECKED_PAIRS))
        if unknown <= config.max_unknown_share:
            manifests.write_atomically(folder / MODEL, model)
            return Outcome({}, {"learned_at": earlier.facts["learned_at"], "unknown_share": unknown})
        limit = f"more than vocabulary.max_unknown_share, {100 * config.max_unknown_share:g} %"
        shown = f"{100 * unknown:.2f} % of the new text's tokens are unknown, {limit}"
        log.warning("%-16s renewed   %s", "build_vocabulary", shown)
    verify(generations)
    sample = sample_of(generations, config.sample_pairs)
    model = train_vocabulary(config, (side for pair in sample for side in (pair.source, pair.target)))
    manifests.write_atomically(folder / MODEL, model)
    counts = {"pieces": Vocabulary(model).size, "sampled_pairs": len(sample)}
    facts = {"learned_at": len(generations), "unknown_share": unknown_share(Vocabulary(model), sample[:CHECKED_PAIRS])}
    return Outcome(counts, facts, starts_anew=True)


def unknown_share(vocabulary: Vocabulary, pairs: list[SentencePair]) -> float:
    """Share of the tokens of both sides that the vocabulary has no piece for."""
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
