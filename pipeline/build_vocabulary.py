"""The stage that learns the vocabulary, or one for each side, and keeps it from one generation to the next."""

import heapq
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.frames import frame_size
from pipeline.keys import pair_key
from pipeline.manifest import Manifest
from pipeline.pairs import BLOCK, read_pairs
from pipeline.records import SentencePair
from pipeline.stage import Outcome, log, stage, verify
from pipeline.vocabularies import OWN, Vocabularies
from pipeline.vocabulary import UNK, Vocabulary, VocabularyConfig, train_vocabulary

CHECKED_PAIRS = 50_000  # of a generation, to see how much of it the vocabulary does not know
FEWEST_PAIRS = 500  # of a generation, below which its share of unknown tokens says little
HELPS_BELOW = 0.5  # of the unknown share: what a new vocabulary must come down to, to be worth training again


@stage("build_vocabulary", section="vocabulary", version=2, takes=("pairs",), makes="vocabulary", grows=True)
def build_vocabulary(config: VocabularyConfig, pairs: Manifest, *, folder: Path, earlier: Manifest | None) -> Outcome:
    """Learns a SentencePiece vocabulary for both sides, or one for each, from a sample of the training pairs.

    The sample is chosen by content hash, so that the same pairs give the same vocabulary on every machine. A later
    generation keeps the vocabulary unless too much of its text is unknown to it, or a new one is asked for; a new one
    is learned from all generations. With vocabulary.separate each side has its own, which suits sides that have little
    in common: of hanzi and pinyin the one needs a piece for each of 5,200 signs, the other has no 2,000 pieces. Where
    sources are frames, there is the targets' alone.

    nightshift build-vocabulary --preset weather

    workspace/weather-en-fr/build_vocabulary/91c0de5f2a17/
        vocabulary.model                SentencePiece model: nothing else is needed to encode and decode
        source.model, target.model      instead of it with vocabulary.separate
        manifest.json
    """
    generations = pairs.chain()
    if config.separate and frame_size(pairs.facts):
        raise InputError("vocabulary.separate", True, "false, as sources are frames", "they have no pieces")
    is_asked = len(generations) == config.rebuild_at
    new = sample_of([pairs], CHECKED_PAIRS)
    if earlier:
        verify([earlier])
        unknown = unknown_shares(Vocabularies.read(earlier), new)
        is_needed = len(new) >= FEWEST_PAIRS and max(unknown) > config.max_unknown_share
        if not is_asked and not is_needed:
            return keep(earlier, unknown, folder)
    verify(generations, "train/*.parquet")
    sample = sample_of(generations, config.sample_pairs)
    learned = learn(config, sample)
    left = unknown_shares(learned, new)
    if earlier and not is_asked:
        is_over = [share > config.max_unknown_share for share in unknown]
        now = zip(is_over, left, unknown, strict=True)
        if all(after > HELPS_BELOW * before for over, after, before in now if over):  # too rare to be learned
            return keep(earlier, unknown, folder)
        limit = f"more than vocabulary.max_unknown_share, {100 * config.max_unknown_share:g} %"
        log.warning(
            "%-16s renewed   %.2f %% of the new text's tokens are unknown, %s",
            "build_vocabulary",
            100 * max(unknown),
            limit,
        )
    learned.write(folder)
    counts = counts_of(learned) | {"sampled_pairs": len(sample)}
    return Outcome(counts, {"learned_at": len(generations), "unknown_share": max(left)}, starts_anew=True)


def keep(earlier: Manifest, unknown: Sequence[float], folder: Path) -> Outcome:
    """The vocabulary of the generations before, for this one too."""
    Vocabularies.read(earlier).write(folder)
    facts = {"learned_at": earlier.facts["learned_at"], "unknown_share": max(unknown)}
    return Outcome({"generations_kept_for": 1}, facts)


def learn(config: VocabularyConfig, pairs: list[SentencePair]) -> Vocabularies:
    """Learns what the configuration asks for: one vocabulary from both sides, or one from each."""
    if config.separate:
        texts = zip(OWN, texts_of(pairs, are_shared=False), strict=True)
        return Vocabularies(*(Vocabulary(train_vocabulary(config, sentences, side)) for side, sentences in texts))
    (sentences,) = texts_of(pairs, are_shared=True)
    return Vocabularies.shared(Vocabulary(train_vocabulary(config, sentences)))


def texts_of(pairs: list[SentencePair], *, are_shared: bool) -> list[list[str]]:
    """The sentences of each vocabulary: all of them, or the sources and the targets."""
    if are_shared:
        return [[side for pair in pairs for side in (pair.source, pair.target)]]
    return [[pair.source for pair in pairs], [pair.target for pair in pairs]]


def counts_of(vocabularies: Vocabularies) -> dict[str, int]:
    """Numbers of pieces, as the manifest has them."""
    if vocabularies.are_shared:
        return {"pieces": vocabularies.target.size}
    return {"source.pieces": vocabularies.source.size, "target.pieces": vocabularies.target.size}


def unknown_shares(vocabularies: Vocabularies, pairs: list[SentencePair]) -> list[float]:
    """`unknown_share` of each vocabulary: of one for both sides, or of the sources' and the targets'."""
    are_shared = vocabularies.are_shared
    asked = [vocabularies.target] if are_shared else [vocabularies.source, vocabularies.target]
    return [unknown_share(*given) for given in zip(asked, texts_of(pairs, are_shared=are_shared), strict=True)]


def unknown_share(vocabulary: Vocabulary, sentences: list[str]) -> float:
    """Share of the sentences' tokens that a vocabulary has no piece for."""
    tokens = unknown = 0
    for start in range(0, len(sentences), BLOCK):
        for ids in vocabulary.encode(sentences[start : start + BLOCK]):
            tokens += len(ids)
            unknown += ids.count(UNK)
    return round(unknown / max(tokens, 1), 6)


def sample_of(generations: Sequence[Manifest], number: int) -> list[SentencePair]:
    """The training pairs with the smallest content hashes, all of them where there are no more than asked for.

    Sources that are frames are left empty: there is nothing to learn from them here, and they take much room.
    """
    files = [file for generation in generations for file in generation.paths("train/part-*.parquet")]
    pairs = (pair for file in files for pair in read_pairs(file))
    if frame_size(generations[-1].facts):
        keyed = heapq.nsmallest(number, ((pair_key(pair), pair.target) for pair in pairs))
        return [SentencePair("", target) for _, target in keyed]
    if sum(generation.counts["train.kept"] for generation in generations) <= number:
        return list(pairs)
    return heapq.nsmallest(number, pairs, key=pair_key)
